"""What Zendesk's audits and comments tell of a ticket's past. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.helpdesks.base import History, JSONObject
from connector.helpdesks.zendesk.catalogue import Catalogue
from connector.helpdesks.zendesk.values import object_of, tags_of, values_of
from mappings.field_mapping import Words, instant, plain
from mappings.ticket import Change, Reply, Ticket

STAFF = frozenset({"agent", "admin"})
RULE = "rule"  # via.channel of triggers and automations


@dataclass(frozen=True, kw_only=True, slots=True)
class Nobody:
    """Users whose replies are no responses."""

    user_ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, own_user_id: str | None, robots: Iterable[str]) -> "Nobody":
        """Our own user and the robots."""
        return cls(user_ids=frozenset(robots) | ({own_user_id} if own_user_id else set()))


def history_of(
    ticket: Ticket,
    state: Mapping[str, Any],
    audits: Sequence[JSONObject],
    users: Mapping[str, JSONObject],
    catalogue: Catalogue,
    words: Words,
    nobody: Nobody,
) -> History:
    """Replies and changes from all audits of a ticket; `state` is how it stands now."""
    audits = sorted(audits, key=lambda audit: _order(audit, ticket.created_at))
    return History(
        replies=_audited_replies(audits, ticket.created_at, users, words, nobody),
        changes=tuple(_changes(audits, ticket.created_at, state, catalogue, words)),
        known_since=ticket.created_at,
        remarks=words.remarks,
    )


def _order(audit: JSONObject, created_at: datetime) -> tuple[datetime, int]:
    """Audits of one second follow each other by their ids, which only rise."""
    number = audit.get("id")
    return _at(audit, created_at), number if isinstance(number, int) else 0


def replies_of(
    comments: Sequence[JSONObject], users: Mapping[str, JSONObject], words: Words, nobody: Nobody
) -> tuple[Reply, ...]:
    """The responses among a ticket's comments; the first comment is the opening."""
    dated = [(at, one) for one in comments if (at := instant(one.get("created_at"))) is not None]
    dated.sort(key=lambda pair: pair[0])
    return tuple(
        Reply(at=at, sequence=place)
        for place, (at, comment) in enumerate(dated)
        if place > 0 and _is_response(comment, comment.get("author_id"), users, words, nobody)
    )


def authors_of(audits: Iterable[JSONObject]) -> frozenset[str]:
    """Ids of everybody who commented in public."""
    found = (
        plain(event.get("author_id") or audit.get("author_id"))
        for audit in audits
        for event in _events(audit, "Comment")
        if event.get("public") is True
    )
    return frozenset(author for author in found if author)


def _audited_replies(
    audits: Sequence[JSONObject],
    created_at: datetime,
    users: Mapping[str, JSONObject],
    words: Words,
    nobody: Nobody,
) -> tuple[Reply, ...]:
    return tuple(
        Reply(at=_at(audit, created_at), sequence=place)
        for place, audit in enumerate(audits)
        if place > 0 and not _is_by_rule(audit) and not list(_events(audit, "Create"))
        for event in _events(audit, "Comment")
        if _is_response(
            event, event.get("author_id") or audit.get("author_id"), users, words, nobody
        )
    )


def _is_response(
    comment: JSONObject,
    author_id: Any,
    users: Mapping[str, JSONObject],
    words: Words,
    nobody: Nobody,
) -> bool:
    author = plain(author_id)
    if comment.get("public") is not True or _is_by_rule(comment) or author is None:
        return False
    if author in nobody.user_ids:
        return False
    role = plain(users.get(author, {}).get("role"))
    if role is None and author != "-1":  # -1 is Zendesk itself
        words.remark("author_unknown", "reply", author)
    return role in STAFF


def _changes(
    audits: Sequence[JSONObject],
    created_at: datetime,
    now: Mapping[str, Any],
    catalogue: Catalogue,
    words: Words,
) -> Iterator[Change]:
    """One change for each of our values that an audit moved: its events count together."""
    if not audits:
        return
    state = {**now, **_before_all(audits)}
    held = values_of(state, catalogue, words)
    for place, audit in enumerate(audits):
        moved = {key: value for key, _, value in _moves(audit)}
        if not moved:
            continue
        state |= moved
        values = values_of(state, catalogue, words)
        for name in sorted(values):
            if values[name] != held[name]:
                yield Change(
                    at=_at(audit, created_at),
                    field=name,
                    before=held[name],
                    after=values[name],
                    sequence=place,
                )
        held = values
    latest, updated_at = _at(audits[-1], created_at), instant(now.get("updated_at"))
    if updated_at is None or latest > updated_at:
        return  # the audits were read after the ticket, and know better
    stands = values_of(now, catalogue, words)
    for name in sorted(stands):
        if stands[name] != held[name]:  # the audits that were told stop short of the present
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
        for key, before, _ in _moves(audit):
            first.setdefault(key, before)
    return first


def _moves(audit: JSONObject) -> Iterator[tuple[str, Any, Any]]:
    """Key, value before and after of every field that an audit changed."""
    for event in _events(audit, "Change"):
        key = str(event.get("field_name"))
        before, after = event.get("previous_value"), event.get("value")
        if key == "tags":
            before, after = tags_of(before), tags_of(after)
        if key == "description":
            before, after = (plain(text) and "filled" for text in (before, after))
        yield key, before, after


def _events(audit: JSONObject, kind: str) -> Iterator[JSONObject]:
    events = audit.get("events")
    for event in events if isinstance(events, list) else []:
        if isinstance(event, dict) and event.get("type") == kind:
            yield event


def _is_by_rule(row: JSONObject) -> bool:
    return object_of(row.get("via")).get("channel") == RULE


def _at(audit: JSONObject, otherwise: datetime) -> datetime:
    return instant(audit.get("created_at")) or otherwise
