"""What Zendesk's audits and comments tell of a ticket's past. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.helpdesks.base import History, JSONObject
from connector.helpdesks.zendesk.catalogue import Catalogue
from connector.helpdesks.zendesk.values import (
    RATING,
    filled,
    object_of,
    rating_of,
    tags_of,
    values_of,
)
from mappings.field_mapping import Words, plain
from mappings.ticket import Change, Reply, Ticket
from mappings.written import instant

STAFF = frozenset({"agent", "admin"})
RULE = "rule"  # via.channel of triggers and automations
ZENDESK = "-1"  # the author of what Zendesk itself does
COMMENT = "Comment"
CALL = "VoiceComment"  # the note of a call; never a reply, whether it is public or not
# Fields of audits that are named otherwise in the ticket.
KEYS = {"satisfaction_score": RATING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Nobody:
    """Users whose replies are no responses."""

    user_ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, own_user_id: str | None, robots: Iterable[str]) -> "Nobody":
        """Our own user and the robots."""
        return cls(user_ids=frozenset(robots) | ({own_user_id} if own_user_id else set()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Authors:
    """Who of those who wrote something is a human agent."""

    users: Mapping[str, JSONObject]
    nobody: Nobody

    def is_agent(self, author_id: Any) -> bool | None:
        """Whether it is one; None when the role is not told."""
        author = plain(author_id)
        if author is None:
            return None
        if author in self.nobody.user_ids or author == ZENDESK:
            return False
        role = plain(self.users.get(author, {}).get("role"))
        return None if role is None else role in STAFF


def history_of(
    ticket: Ticket,
    state: Mapping[str, Any],
    audits: Sequence[JSONObject],
    catalogue: Catalogue,
    words: Words,
    authors: Authors,
) -> History:
    """Replies, calls and changes from all audits of a ticket; `state` is how it stands now."""
    audits = sorted(_dated(audits, words), key=lambda audit: _order(audit, ticket.created_at))
    return History(
        replies=_audited(audits, COMMENT, ticket.created_at, words, authors),
        changes=tuple(_changes(audits, ticket.created_at, state, catalogue, words, authors)),
        known_since=ticket.created_at,
        remarks=words.remarks,
        calls=_audited(audits, CALL, ticket.created_at, words, authors),
        untold=frozenset(catalogue.organization_inputs),
    )


def _dated(audits: Sequence[JSONObject], words: Words) -> Iterator[JSONObject]:
    """The audits that say when they were made; the opening was made with the ticket."""
    for audit in audits:
        if instant(audit.get("created_at")) is not None or list(_events(audit, "Create")):
            yield audit
        else:
            words.remark("undated", "audit", str(plain(audit.get("id")) or "without an id"))


def _order(audit: JSONObject, created_at: datetime) -> tuple[datetime, int]:
    """Audits of one second follow each other by their ids, which only rise."""
    number = audit.get("id")
    return _at(audit, created_at), number if isinstance(number, int) else 0


def spoken_in(
    comments: Sequence[JSONObject], kind: str, words: Words, authors: Authors
) -> tuple[Reply, ...]:
    """The responses, or the calls, among a ticket's comments; the first comment is the opening."""
    dated = [(at, one) for one in comments if (at := instant(one.get("created_at"))) is not None]
    dated.sort(key=lambda pair: pair[0])
    return tuple(
        Reply(at=at, sequence=place)
        for place, (at, comment) in enumerate(dated)
        if place > 0
        and _kind(comment) == kind
        and _is_spoken(comment, comment.get("author_id"), words, authors)
    )


def authors_of(audits: Iterable[JSONObject]) -> frozenset[str]:
    """Ids of everybody who commented in public or spoke on the phone."""
    found = (
        _speaker(event, audit.get("author_id"))
        for audit in audits
        for event in _events(audit, COMMENT, CALL)
        if _is_for_the_customer(event)
    )
    return frozenset(author for author in found if author)


def _audited(
    audits: Sequence[JSONObject], kind: str, created_at: datetime, words: Words, authors: Authors
) -> tuple[Reply, ...]:
    return tuple(
        Reply(at=_at(audit, created_at), sequence=place)
        for place, audit in enumerate(audits)
        if place > 0 and not _is_by_rule(audit) and not list(_events(audit, "Create"))
        for event in _events(audit, kind)
        if _is_spoken(event, audit.get("author_id"), words, authors)
    )


def _is_spoken(comment: JSONObject, author_id: Any, words: Words, authors: Authors) -> bool:
    """Whether a human agent said it to the customer."""
    author = _speaker(comment, author_id)
    if not _is_for_the_customer(comment) or _is_by_rule(comment) or author is None:
        return False
    is_agent = authors.is_agent(author)
    if is_agent is None:
        words.remark("author_unknown", "reply", author)
    return is_agent is True


def _kind(comment: JSONObject) -> str:
    return CALL if comment.get("type") == CALL else COMMENT


def _is_for_the_customer(comment: JSONObject) -> bool:
    """A call was held with the customer, whoever may read the note of it."""
    return _kind(comment) == CALL or comment.get("public") is True


def _speaker(comment: JSONObject, author_id: Any) -> str | None:
    """The note of a call that came in is the caller's; it names the agent who answered."""
    answered_by = object_of(comment.get("data")).get("answered_by_id")
    return plain(answered_by or comment.get("author_id") or author_id)


def _changes(
    audits: Sequence[JSONObject],
    created_at: datetime,
    now: Mapping[str, Any],
    catalogue: Catalogue,
    words: Words,
    authors: Authors,
) -> Iterator[Change]:
    """One change for each of our values that an audit moved: its events count together."""
    if not audits:
        return
    state = {**now, **_before_all(audits)}
    held = values_of(state, catalogue, words)
    for place, audit in enumerate(audits):
        by_author = {key: after for key, _, after, by_rule in _moves(audit) if not by_rule}
        moved = {key: after for key, _, after, _ in _moves(audit)}
        if not moved:
            continue
        meant = held
        if moved != by_author:
            meant = values_of({**state, **by_author}, catalogue, words)
        state |= moved
        values = values_of(state, catalogue, words)
        is_agent = authors.is_agent(audit.get("author_id"))
        for name in sorted(values):
            if values[name] != held[name]:
                is_by_rule = moved != by_author and values[name] != meant[name]
                yield Change(
                    at=_at(audit, created_at),
                    field=name,
                    before=held[name],
                    after=values[name],
                    sequence=place,
                    by_agent=False if is_by_rule else is_agent,
                )
        held = values
    latest, updated_at = _at(audits[-1], created_at), instant(now.get("updated_at"))
    if updated_at is None or latest > updated_at:
        return  # the audits were read after the ticket, and know better
    stands = values_of(now, catalogue, words)
    for name in sorted(stands):
        if (
            name in held and stands[name] != held[name]
        ):  # the audits that were told stop short of the present
            yield Change(
                at=updated_at,
                field=name,
                before=held[name],
                after=stands[name],
                inferred=True,
                sequence=len(audits),
            )


def _before_all(audits: Sequence[JSONObject]) -> dict[str, Any]:
    first: dict[str, Any] = {}
    for audit in audits:
        for key, before, _, _ in _moves(audit):
            first.setdefault(key, before)
    return first


def _moves(audit: JSONObject) -> Iterator[tuple[str, Any, Any, bool]]:
    """Key, value before and after of every field that an audit changed, and whether a rule did."""
    for event in _events(audit, "Change"):
        name = str(event.get("field_name"))
        read = _READ.get(name, _as_it_is)
        before, after = read(event.get("previous_value")), read(event.get("value"))
        yield KEYS.get(name, name), before, after, _is_by_rule(audit) or _is_by_rule(event)


def _as_it_is(value: Any) -> Any:
    return value


_READ: Mapping[str, Callable[[Any], Any]] = {
    "tags": tags_of,
    "description": filled,
    "satisfaction_score": rating_of,
}


def _events(audit: JSONObject, *kinds: str) -> Iterator[JSONObject]:
    events = audit.get("events")
    for event in events if isinstance(events, list) else []:
        if isinstance(event, dict) and event.get("type") in kinds:
            yield event


def _is_by_rule(row: JSONObject) -> bool:
    return object_of(row.get("via")).get("channel") == RULE


def _at(audit: JSONObject, otherwise: datetime) -> datetime:
    return instant(audit.get("created_at")) or otherwise
