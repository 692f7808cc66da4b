"""The journal: what is known of a ticket's past, beyond what the helpdesk still tells.

A helpdesk shows how a ticket stands. Every look is compared with the one before; what differs is
written down with the best instant there is. Where the helpdesk keeps a history itself, that is read
once when the counters say that something happened which the journal does not explain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.helpdesks.base import Counters, History, Observation, Reading
from mappings.ticket import STATUS, WAITING, Change, Reply, Ticket

# a ticket whose last update is no later than this after its creation has no past to read
FRESH = timedelta(seconds=2)
# a webhook's instant is taken when the read that confirms it is not older than this
OBSERVED_WITHIN = timedelta(hours=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """The journal of one ticket."""

    #: the changing values at the last look
    values: Mapping[str, str | None]
    counters: Counters
    changes: tuple[Change, ...]
    replies: tuple[Reply, ...]
    known_since: datetime | None


def needs_history(past: Past | None, reading: Reading) -> bool:
    """Whether something happened that the journal does not explain."""
    seen = reading.counters
    if past is None:
        return reading.updated_at - reading.ticket.created_at > FRESH
    replied = seen.replies is not None and seen.replies != past.counters.replies
    reopened = seen.reopens is not None and seen.reopens != past.counters.reopens
    return replied or reopened


def extend(
    past: Past | None,
    reading: Reading,
    history: History | None,
    observations: Sequence[Observation] = (),
) -> Past:
    """The journal after a look. `history` is what the helpdesk told, when it was asked."""
    told = reading.ticket
    known_since: datetime | None
    if history is not None and history.known_since is not None:
        changes, known_since = history.changes, history.known_since
    elif past is not None:
        changes = (*past.changes, *_differences(past, reading, observations))
        known_since = past.known_since
    else:
        changes = told.changes
        known_since = _first_known(reading)
    return Past(
        values=dict(told.values),
        counters=reading.counters,
        changes=changes,
        replies=_replies(past, reading, history),
        known_since=known_since,
    )


def _replies(past: Past | None, reading: Reading, history: History | None) -> tuple[Reply, ...]:
    """A history tells all of them; figures may name one that the history has ruled out."""
    if history is not None:
        return history.replies
    count = reading.counters.replies
    if past is not None and count is not None and count == past.counters.replies:
        return past.replies
    return _merged(past.replies if past else (), reading.ticket.replies)


def complete(ticket: Ticket, past: Past) -> Ticket:
    """The ticket with everything that the journal knows of it."""
    return replace(ticket, changes=past.changes, replies=past.replies, known_since=past.known_since)


def _first_known(reading: Reading) -> datetime:
    """At first sight: a ticket that was never updated is known from its start."""
    created = reading.ticket.created_at
    return created if reading.updated_at - created <= FRESH else reading.updated_at


def _differences(past: Past, reading: Reading, observations: Sequence[Observation]) -> list[Change]:
    found = []
    for name in {**past.values, **reading.ticket.values}:
        before, after = past.values.get(name), reading.ticket.values.get(name)
        if before != after:
            at = _instant(name, after, past, reading, observations)
            found.append(Change(at=at, field=name, before=before, after=after))
    return found


def _instant(
    name: str,
    after: str | None,
    past: Past,
    reading: Reading,
    observations: Sequence[Observation],
) -> datetime:
    """When a value changed: as the helpdesk says, as a webhook reported, or when it was updated."""
    if name in (STATUS, WAITING):
        stated = [one.at for one in reading.ticket.changes if one.field == STATUS]
        if reading.counters.status_updated_at is not None:
            stated.append(reading.counters.status_updated_at)
        known = max((one.at for one in past.changes if one.field == STATUS), default=None)
        newer = [at for at in stated if known is None or at > known]
        if newer:
            return max(newer)
    for seen in reversed(observations):
        if seen.at is not None and (seen.field, seen.after) == (name, after):
            age = reading.updated_at - seen.at
            if -FRESH <= age <= OBSERVED_WITHIN:
                return min(seen.at, reading.updated_at)
    return reading.updated_at


def _merged(kept: Sequence[Reply], told: Sequence[Reply]) -> tuple[Reply, ...]:
    """Replies from two sources; one known to the second stands for one known to the minute."""
    exact = {reply.at: reply for reply in (*kept, *told) if reply.exact}
    vague = [
        reply
        for reply in {reply.at: reply for reply in (*kept, *told) if not reply.exact}.values()
        if not any(abs(at - reply.at) <= timedelta(seconds=60) for at in exact)
    ]
    return tuple(sorted((*exact.values(), *vague), key=lambda reply: reply.at))


def to_body(past: Past) -> dict[str, Any]:
    """The form in which a journal is stored."""
    return {
        "values": dict(past.values),
        "counters": {name: _stored(value) for name, value in asdict(past.counters).items()},
        "changes": [
            [one.at.timestamp(), one.field, one.before, one.after, one.inferred, one.sequence]
            for one in past.changes
        ],
        "replies": [[one.at.timestamp(), one.exact, one.sequence] for one in past.replies],
        "known_since": _stored(past.known_since),
    }


def from_body(body: Mapping[str, Any]) -> Past:
    """A journal as it was stored."""
    counters = dict(body["counters"])
    for name in ("latest_comment_at", "status_updated_at"):
        counters[name] = _instant_of(counters.get(name))
    return Past(
        values=body["values"],
        counters=Counters(**counters),
        changes=tuple(
            Change(at=_at(at), field=name, before=before, after=after, inferred=guess, sequence=seq)
            for at, name, before, after, guess, seq in body["changes"]
        ),
        replies=tuple(
            Reply(at=_at(at), exact=exact, sequence=seq) for at, exact, seq in body["replies"]
        ),
        known_since=_instant_of(body["known_since"]),
    )


def _stored(value: object) -> object:
    return value.timestamp() if isinstance(value, datetime) else value


def _instant_of(value: float | None) -> datetime | None:
    return None if value is None else _at(value)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
