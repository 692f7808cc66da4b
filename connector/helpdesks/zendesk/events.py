"""Zendesk's exported ticket events, cut down to what a history is made of. Pure.

A row looks like an audit, whichever of Zendesk's shapes it came in, and holds no text that somebody
wrote unless the mapping names its field.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connector.helpdesks.base import JSONObject
from connector.helpdesks.zendesk.catalogue import Catalogue
from connector.helpdesks.zendesk.exports import LATEST, when
from connector.helpdesks.zendesk.history import CALL, COMMENT, KEYS, RULE
from connector.helpdesks.zendesk.values import DELETED, NEEDED, filled, object_of, tags_of
from connector.helpdesks.zendesk.webhook import TICKET_ID
from mappings.field_mapping import TAGS, plain
from mappings.ticket import DESCRIPTION
from mappings.written import instant

CHANGE, CREATE = "Change", "Create"
# Values that audits write as the ticket shows them, so that what is missing can be seen.
CHAINED = frozenset({"status", "custom_status_id", "priority", "type"})
CUSTOM = "custom_ticket_fields"
# What stands beside a value where the value stands under its field's name.
_BESIDE = frozenset(
    {"id", "via", "via_reference_id", "event_type", "previous_value", "added_tags", "removed_tags"}
)


def rows_of(
    exported: Iterable[JSONObject], catalogue: Catalogue
) -> dict[str, tuple[JSONObject, ...]]:
    """The rows of each ticket, as `history_of` takes them for audits."""
    keys = NEEDED | set(catalogue.inputs.values())
    found: dict[str, list[JSONObject]] = {}
    for raw in exported:
        ticket_id = plain(raw.get("ticket_id"))
        if ticket_id is not None and TICKET_ID.fullmatch(ticket_id):
            found.setdefault(ticket_id, []).append(_row(raw, keys))
    return {ticket_id: tuple(rows) for ticket_id, rows in found.items()}


def unique(rows: Iterable[JSONObject]) -> list[JSONObject]:
    """Each update once; pages of an export overlap."""
    return list({str(row.get("id")): row for row in rows}.values())


def are_whole(rows: Sequence[JSONObject], state: Mapping[str, Any], comments: int | None) -> bool:
    """Whether they tell of a ticket from its opening on, all its comments, and how it came to
    stand as it does.

    `state` is the ticket's values by key, `comments` their number where it is told. An export can
    lack rows: of a second that holds more than a page it never shows the rest.
    """
    kinds = [event["type"] for row in rows for event in row["events"]]
    told = sum(kind in (COMMENT, CALL) for kind in kinds)
    return CREATE in kinds and (comments is None or told >= comments) and _lead_to(rows, state)


def _lead_to(rows: Sequence[JSONObject], state: Mapping[str, Any]) -> bool:
    """Whether each change begins where the one before it ended, and the last at the present."""
    held: dict[str, str | None] = {}
    for row in sorted(rows, key=_order):
        for event in row["events"]:
            name = event.get("field_name")
            if name not in CHAINED:
                continue
            before = plain(event.get("previous_value"))
            if event["type"] == CHANGE and held.get(name, before) != before:
                return False
            held[name] = plain(event["value"])
    if plain(state.get("status")) == DELETED:
        return True
    return all(plain(state[name]) == value for name, value in held.items() if name in state)


def _order(row: JSONObject) -> tuple[str, int]:
    number = row["id"]
    return str(row["created_at"]), number if isinstance(number, int) else 0


def doers_of(rows: Iterable[JSONObject]) -> frozenset[str]:
    """Ids of everybody who changed a value that counts."""
    return frozenset(
        author
        for row in rows
        if any(event["type"] == CHANGE for event in row["events"])
        and (author := plain(row["author_id"])) is not None
    )


def _row(raw: JSONObject, keys: Iterable[str]) -> JSONObject:
    author = raw.get("updater_id", raw.get("author_id"))
    return {
        "id": raw.get("id"),
        "created_at": _created_at(raw),
        "author_id": author,
        **_by_rule(raw),
        "events": list(_events(raw, frozenset(keys))),
    }


def _created_at(raw: JSONObject) -> str | None:
    if instant(raw.get("created_at")) is not None:
        return str(raw["created_at"])
    at = when(raw)
    return datetime.fromtimestamp(at, UTC).isoformat() if at and at < LATEST else None


def _events(raw: JSONObject, keys: frozenset[str]) -> Iterator[JSONObject]:
    children = raw.get("child_events", raw.get("events"))
    is_opening = False
    for child in children if isinstance(children, list) else []:
        kind = _kind(child) if isinstance(child, dict) else None
        if kind == CREATE:
            if not is_opening:  # whatever it is made with, it is the opening
                yield {"type": CREATE}
            is_opening = True
            yield from _first_values(child)
        elif kind == CHANGE:
            yield from _changes(child, keys)
        elif kind in (COMMENT, CALL):
            yield _comment(child, str(kind))


def _kind(child: JSONObject) -> str | None:
    kinds = (child.get("type"), child.get("event_type"))
    return CALL if CALL in kinds else plain(kinds[1] or kinds[0])


def _comment(child: JSONObject, kind: str) -> JSONObject:
    """Who said it to whom. Without the sideload a comment is known by two marks."""
    answered_by = object_of(child.get("data")).get("answered_by_id")
    return {
        "type": kind,
        "public": child.get("public", child.get("comment_public")) is True,
        **({"author_id": child["author_id"]} if child.get("author_id") else {}),
        **({"data": {"answered_by_id": answered_by}} if answered_by else {}),
        **_by_rule(child),
    }


def _first_values(child: JSONObject) -> Iterator[JSONObject]:
    for name, _, value in _moved(child):
        if name in CHAINED:
            yield {"type": CREATE, "field_name": name, "value": value}


def _changes(child: JSONObject, keys: frozenset[str]) -> Iterator[JSONObject]:
    for name, before, after in _moved(child):
        if KEYS.get(name, name) not in keys:
            continue
        if name == DESCRIPTION:
            before, after = filled(before), filled(after)
        yield {
            "type": CHANGE,
            "field_name": name,
            "previous_value": before,
            "value": after,
            **_by_rule(child),
        }


def _moved(child: JSONObject) -> Iterator[tuple[str, Any, Any]]:
    """Field, value before and after; as in an audit, or with the field's name as the key."""
    before = child.get("previous_value")
    if "field_name" in child:
        yield str(child["field_name"]), before, child.get("value")
        return
    for name, after in child.items():
        if name in _BESIDE or (name == "type" and after in (CHANGE, child.get("event_type"))):
            continue
        if name == CUSTOM and isinstance(after, Mapping):
            for field, value in after.items():
                former = before.get(field) if isinstance(before, Mapping) else before
                yield str(field), former, value
        elif name == TAGS and "previous_value" not in child:
            yield name, _former_tags(child, after), after
        else:
            yield name, before, after


def _former_tags(child: JSONObject, after: Any) -> list[str]:
    added, removed = tags_of(child.get("added_tags")), tags_of(child.get("removed_tags"))
    return sorted((set(tags_of(after)) - set(added)) | set(removed))


def _by_rule(row: JSONObject) -> JSONObject:
    """`via` is an object in audits and a label in the export; only a rule's matters."""
    via = row.get("via")
    channel = via.get("channel") if isinstance(via, dict) else via
    return {"via": {"channel": RULE}} if str(channel).lower() == RULE else {}
