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
from mappings.ticket import DESCRIPTION, STATUS, WAITING, Change, Reply, Ticket

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
    calls: tuple[Reply, ...] = ()


def needs_history(
    past: Past | None,
    reading: Reading,
    *,
    needed: bool = True,
    untold: Sequence[Observation] | None = None,
    observations: Sequence[Observation] | None = None,
) -> bool:
    """Whether something happened that the journal does not explain; `needed`: by the policy.

    `untold`: no webhook brought us here, and these are all that webhooks have said. Then a value
    that moved did so at an instant that nobody told. `observations`: all that webhooks have said,
    where the helpdesk keeps changes and can be asked for what does not fit.
    """
    if not needed:
        return False
    if untold is not None and past is not None and _is_dated_by_guess(past, reading, untold):
        return True
    if observations is not None and past is not None and _hides(past, reading, observations):
        return True
    seen = reading.counters
    if past is None:
        return bool(seen.replies) or reading.updated_at - reading.ticket.created_at > FRESH
    replied = seen.replies is not None and seen.replies != past.counters.replies
    if replied and _one_reply_more(past, seen) is not None:
        replied = False
    reopened = seen.reopens is not None and seen.reopens != past.counters.reopens
    called = seen.possible_call_at not in (None, past.counters.possible_call_at)
    return replied or reopened or called


def something_else(past: Past, reading: Reading) -> bool:
    """Whether something moved besides values that nobody dates: a comment, or the status."""
    seen, before = reading.counters, past.counters
    return (seen.comments, seen.status_updated_at) != (before.comments, before.status_updated_at)


def _one_reply_more(past: Past, seen: Counters) -> Reply | None:
    """The reply by which the figures have grown, where it is the one comment that was added."""
    before, at = past.counters, seen.latest_comment_at
    known = (seen.replies, before.replies, seen.comments, before.comments)
    if at is None or any(one is None for one in known):
        return None
    replies, comments = (
        (seen.replies or 0) - (before.replies or 0),
        (seen.comments or 0) - (before.comments or 0),
    )
    is_new = before.latest_comment_at is None or at > before.latest_comment_at
    return Reply(at=at) if replies == comments == 1 and is_new else None


def extend(
    past: Past | None,
    reading: Reading,
    history: History | None,
    observations: Sequence[Observation] = (),
    *,
    untold: bool = False,
) -> Past:
    """The journal after a look. `history` is what the helpdesk told, when it was asked.

    `untold`: no webhook brought us here, so that "last updated" is a guess at when a value moved.
    """
    told = reading.ticket
    known_since: datetime | None
    found = _differences(past, reading, observations, untold=untold) if past else ()
    seen = (*past.changes, *found) if past else told.changes
    if history is not None and history.known_since is not None:
        own = tuple(change for change in seen if change.field in history.untold) if past else ()
        changes, known_since = (*history.changes, *own), history.known_since
    else:
        changes = seen
        known_since = past.known_since if past else _first_known(reading)
    return Past(
        values={**_carried(past, told), **told.values},
        counters=reading.counters,
        changes=changes,
        replies=_replies(past, reading, history),
        known_since=known_since,
        calls=_calls(past, reading, history),
    )


def _carried(past: Past | None, ticket: Ticket) -> dict[str, str | None]:
    """Values that an earlier look told and this one does not, unless they are mapped no more."""
    return {
        name: value
        for name, value in (past.values.items() if past else ())
        if name not in ticket.values and (name in ticket.mapped or name == DESCRIPTION)
    }


def _replies(past: Past | None, reading: Reading, history: History | None) -> tuple[Reply, ...]:
    """A history tells all of them; figures may name one that the history has ruled out."""
    if history is not None:
        return history.replies
    count = reading.counters.replies
    if past is not None and count is not None and count == past.counters.replies:
        return past.replies
    one_more = _one_reply_more(past, reading.counters) if past is not None else None
    if past is not None and one_more is not None:
        return (*past.replies, one_more)
    return _merged(past.replies if past else (), reading.ticket.replies)


def _calls(past: Past | None, reading: Reading, history: History | None) -> tuple[Reply, ...]:
    if history is not None:
        return history.calls
    return _merged(past.calls if past else (), reading.ticket.calls)


def complete(ticket: Ticket, past: Past) -> Ticket:
    """The ticket with everything that the journal knows of it."""
    return replace(
        ticket,
        values={**_carried(past, ticket), **ticket.values},
        changes=past.changes,
        replies=past.replies,
        calls=past.calls,
        known_since=past.known_since,
    )


def _first_known(reading: Reading) -> datetime:
    """At first sight: a ticket that was never updated is known from its start."""
    created = reading.ticket.created_at
    return created if reading.updated_at - created <= FRESH else reading.updated_at


def _is_dated_by_guess(past: Past, reading: Reading, observations: Sequence[Observation]) -> bool:
    found = _differences(past, reading, observations, untold=True)
    # of a status the helpdesk tells when it last moved, and not how often
    told = {one.field for one in observations}
    return any(one.inferred or (one.field == STATUS and STATUS not in told) for one in found)


def _hides(past: Past, reading: Reading, observations: Sequence[Observation]) -> bool:
    """Whether values went to and fro between two looks in a way that nobody has told whole."""
    held = _held(past)
    for name in {one.field for one in observations} & held.keys():
        after = reading.ticket.values.get(name)
        is_told = _course(name, held[name], after, past, reading, observations) is not None
        if not is_told and any(one.after != after for one in observations if one.field == name):
            return True
    seen, before = reading.counters.status_updated_at, past.counters.status_updated_at
    if seen is None or before is None or seen == before:
        return False
    same = held.get(STATUS) == reading.ticket.values.get(STATUS)
    return same and not _course(
        STATUS, held.get(STATUS), held.get(STATUS), past, reading, observations
    )


def _held(past: Past) -> dict[str, str | None]:
    return {change.field: change.after for change in past.changes} | dict(past.values)


def _told_at(one: Observation) -> datetime:
    return one.at or datetime.max.replace(tzinfo=UTC)


def _course(
    name: str,
    before: str | None,
    after: str | None,
    past: Past,
    reading: Reading,
    observations: Sequence[Observation],
) -> list[Observation] | None:
    """The moves of a value that webhooks have told, from `before` to `after` without a gap.

    None: what they told does not lead there. One that tells of where it stands already, such as a
    repeated delivery, is passed over.
    """
    known = max((one.at for one in past.changes if one.field == name), default=None)
    told = [one for one in observations if one.field == name and one.at is not None]
    found, stands = list[Observation](), before
    for one in sorted(told, key=_told_at):
        if one.at is None or one.at > reading.updated_at + FRESH:
            return None
        if one.after == stands or (known is not None and one.at < known - FRESH):
            continue
        if one.before != stands:
            return None
        found.append(one)
        stands = one.after
    return found if stands == after else None


def _differences(
    past: Past, reading: Reading, observations: Sequence[Observation], *, untold: bool
) -> list[Change]:
    """What differs; a value that is told for the first time, or not this time, has not moved."""
    found = []
    carried = _carried(past, reading.ticket)
    for name, before in _held(past).items():
        after = reading.ticket.values.get(name)
        if name in carried:
            continue
        course = _course(name, before, after, past, reading, observations) or []
        if len(course) > 1:
            found += _moves(name, course, past)
        elif before != after:
            stated = _instant(name, after, past, reading, observations)
            at = stated or reading.updated_at
            found.append(
                Change(
                    at=at,
                    field=name,
                    before=before,
                    after=after,
                    inferred=untold and stated is None,
                    sequence=_order_within(at, past),
                )
            )
    return found


def _moves(name: str, course: Sequence[Observation], past: Past) -> list[Change]:
    """What a webhook has told step by step."""
    found: list[Change] = []
    for one in course:
        at = one.at.replace(microsecond=0) if one.at is not None else None
        if at is not None:
            place = _order_within(at, past) + sum(other.at == at for other in found)
            found.append(
                Change(at=at, field=name, before=one.before, after=one.after, sequence=place)
            )
    return found


def _order_within(at: datetime, past: Past) -> int:
    """A change that is seen later comes after those of the same second that were seen before."""
    return max((one.sequence + 1 for one in past.changes if one.at == at), default=0)


def _instant(
    name: str,
    after: str | None,
    past: Past,
    reading: Reading,
    observations: Sequence[Observation],
) -> datetime | None:
    """When a value changed: as the helpdesk says, or as a webhook reported. None: nobody told."""
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
    return None


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
            [
                one.at.timestamp(),
                one.field,
                one.before,
                one.after,
                one.inferred,
                one.sequence,
                one.by_agent,
            ]
            for one in past.changes
        ],
        "replies": _stored_replies(past.replies),
        "calls": _stored_replies(past.calls),
        "known_since": _stored(past.known_since),
    }


def _stored_replies(replies: Sequence[Reply]) -> list[list[Any]]:
    return [[one.at.timestamp(), one.exact, one.sequence] for one in replies]


def from_body(body: Mapping[str, Any]) -> Past:
    """A journal as it was stored; one of an earlier release lacks what was not known then."""
    counters = dict(body["counters"])
    for name in ("latest_comment_at", "status_updated_at", "possible_call_at"):
        counters[name] = _instant_of(counters.get(name))
    return Past(
        values=body["values"],
        counters=Counters(**counters),
        changes=tuple(_read_change(*row) for row in body["changes"]),
        replies=_read_replies(body["replies"]),
        known_since=_instant_of(body["known_since"]),
        calls=_read_replies(body.get("calls", ())),
    )


def _read_change(
    at: float,
    name: str,
    before: str | None,
    after: str | None,
    inferred: bool,
    sequence: int,
    by_agent: bool | None = None,
) -> Change:
    return Change(
        at=_at(at),
        field=name,
        before=before,
        after=after,
        inferred=inferred,
        sequence=sequence,
        by_agent=by_agent,
    )


def _read_replies(rows: Sequence[Sequence[Any]]) -> tuple[Reply, ...]:
    return tuple(Reply(at=_at(at), exact=exact, sequence=seq) for at, exact, seq in rows)


def _stored(value: object) -> object:
    return value.timestamp() if isinstance(value, datetime) else value


def _instant_of(value: float | None) -> datetime | None:
    return None if value is None else _at(value)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
