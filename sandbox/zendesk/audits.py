"""The audit trail of a Zendesk ticket: one audit per update, with its events."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.clock import epoch
from sandbox.state import Doc, Row, State
from sandbox.zendesk.changes import Effect, FieldChange, NewComment

_FIRST_EVENT = 800_000_000_001
_CREATE_FIELDS = (
    "subject", "requester_id", "status", "custom_status_id", "priority", "type",
    "organization_id", "assignee_id", "group_id", "brand_id", "ticket_form_id", "external_id",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """Who did something, when, and through which channel."""

    author_id: int
    at: str
    channel: str
    metadata: Doc


def change_rows(state: State, ticket: Doc, effect: Effect, stamp: Stamp) -> tuple[Doc, list[Row]]:
    """The audit of an update and the rows to store: the audit, and its comment if it has one."""
    events = [_change_event(change) for change in effect.changes]
    return _audit_rows(state, ticket, events, effect.comment, stamp)


def creation_rows(
    state: State, ticket: Doc, comment: NewComment, stamp: Stamp
) -> tuple[Doc, list[Row]]:
    """The audit of a new ticket and the rows to store."""
    named = [(name, ticket[name]) for name in _CREATE_FIELDS if ticket[name] is not None]
    named += [("tags", ticket["tags"])] if ticket["tags"] else []
    named += list(ticket["_values"].items())
    events = [
        {"type": "Create", "field_name": name, "value": _shown(value)} for name, value in named
    ]
    return _audit_rows(state, ticket, events, comment, stamp)


def _audit_rows(
    state: State, ticket: Doc, events: list[Doc], comment: NewComment | None, stamp: Stamp
) -> tuple[Doc, list[Row]]:
    ids = state.next_ids("event", 1 + len(events) + (comment is not None), start=_FIRST_EVENT)
    via = {"channel": stamp.channel, "source": {"from": {}, "to": {}, "rel": None}}
    metadata = {"system": {"client": "local helpdesk"}, "custom": stamp.metadata}
    audit: Doc = {
        "id": ids[0],
        "ticket_id": ticket["id"],
        "created_at": stamp.at,
        "author_id": stamp.author_id,
        "metadata": metadata,
        "via": via,
        "events": [],
    }
    rows = []
    if comment is not None:
        written = _comment(comment, ids[1], audit)
        audit["events"].append({key: written[key] for key in _EVENT_KEYS if key in written})
        rows.append(_row("comment", written, ticket["id"], stamp.at))
    numbered = zip(ids[len(ids) - len(events) :], events, strict=True)
    audit["events"] += [{"id": number, **event} for number, event in numbered]
    return audit, [_row("audit", audit, ticket["id"], stamp.at), *rows]


_EVENT_KEYS = (
    "id", "type", "author_id", "body", "html_body", "plain_body", "public", "attachments",
    "audit_id", "data",
)  # fmt: skip


def _comment(comment: NewComment, number: int, audit: Doc) -> Doc:
    plain = comment.body
    answered_by = comment.author_id if comment.by_agent else None
    call = {"data": {"answered_by_id": answered_by, "call_duration": 60}} if comment.voice else {}
    return {
        "id": number,
        "type": "VoiceComment" if comment.voice else "Comment",
        **call,
        "author_id": comment.author_id,
        "body": plain,
        "html_body": comment.html_body or _as_html(plain),
        "plain_body": plain,
        "public": comment.public,
        "attachments": [],
        "audit_id": audit["id"],
        "via": audit["via"],
        "created_at": audit["created_at"],
        "metadata": audit["metadata"],
    }


def _as_html(text: str) -> str:
    paragraphs = html.escape(text).replace("\n", "<br>")
    return f'<div class="zd-comment" dir="auto"><p dir="auto">{paragraphs}</p></div>'


def _change_event(change: FieldChange) -> Doc:
    return {
        "type": "Change",
        "field_name": change.name,
        "value": _shown(change.value),
        "previous_value": _shown(change.previous),
    }


def _shown(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    return value if isinstance(value, list) else str(value)


def _row(kind: str, doc: Doc, ticket_id: int, at: str) -> Row:
    instant = epoch(at)
    return Row(kind=kind, id=doc["id"], doc=doc, parent=ticket_id, created=instant, moved=instant)


def authors_of(docs: Sequence[Doc]) -> list[int]:
    """The ids of those who wrote comments or made audits, without doubles."""
    return list(dict.fromkeys(int(doc["author_id"]) for doc in docs))
