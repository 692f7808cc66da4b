"""The JSON that event-subscribed Zendesk webhooks carry."""

import json
from typing import TYPE_CHECKING, Any

from sandbox.state import Doc
from sandbox.zendesk.changes import FieldChange, Rules
from sandbox.zendesk.fields import FieldBook
from sandbox.zendesk.forms import Form
from sandbox.zendesk.people import BRAND_ID, FORM_ID, People
from sandbox.zendesk.switches import Switches

if TYPE_CHECKING:
    from sandbox.zendesk.hooks import TicketEvent

_SHOUTED = ("status", "priority", "type")


class Book:
    """What payloads and updates look things up in: fields, form, people, and the switches."""

    def __init__(self, fields: FieldBook, form: Form, people: People, switches: Switches) -> None:
        self.fields = fields
        self.form = form
        self.people = people
        self.switches = switches

    @property
    def rules(self) -> Rules:
        """What decides which values are taken."""
        return Rules(fields=self.fields, form=self.form, switches=self.switches)


def detail(ticket: Doc, actor_id: int, book: Book) -> Doc:
    """The ticket as every event shows it: ids are text, words are upper case, no custom fields."""
    missing = None if book.switches.missing_ids == "null" else "0"

    def known(value: Any) -> Any:
        return missing if value is None else str(value)

    return {
        "actor_id": str(actor_id),
        "assignee_id": known(ticket["assignee_id"]),
        "brand_id": str(BRAND_ID),
        "created_at": ticket["created_at"],
        "custom_status": str(ticket["custom_status_id"]),
        "description": ticket["description"],
        "external_id": ticket["external_id"],
        "form_id": str(FORM_ID),
        "group_id": known(ticket["group_id"]),
        "id": str(ticket["id"]),
        "is_public": ticket["is_public"],
        "organization_id": known(ticket["organization_id"]),
        "priority": _shout(ticket["priority"]),
        "requester_id": str(ticket["requester_id"]),
        "status": _shout(ticket["status"]),
        "subject": ticket["subject"],
        "submitter_id": str(ticket["submitter_id"]),
        "tags": ticket["tags"],
        "type": _shout(ticket["type"]),
        "updated_at": ticket["updated_at"],
        "via": {"channel": ticket["via"]["channel"]},
    }


def event_body(envelope: Doc, event: "TicketEvent", sequence: Doc, book: Book) -> bytes:
    """The whole request body of one event."""
    inner = {"meta": {"sequence": sequence}, **_moved(event, book)}
    return json.dumps({**envelope, "event": inner}, ensure_ascii=False).encode()


def _moved(event: "TicketEvent", book: Book) -> Doc:
    if event.comment is not None:
        author = event.comment.author_id
        return {
            "comment": {
                "id": str(event.comment_id),
                "body": event.comment.body,
                "is_public": event.comment.public,
                "author": {
                    "id": str(author),
                    "is_staff": event.comment.by_agent,
                    "name": book.people.name_of(author),
                },
            }
        }
    if event.change is None:
        return {}
    if event.change.name == "tags":
        return _moved_tags(event.change)
    moved = {"current": _value(event.change, "value"), "previous": _value(event.change, "previous")}
    return moved | _field(event.change, book)


def _moved_tags(change: FieldChange) -> Doc:
    before, after = set(change.previous), set(change.value)
    return {"tags_added": sorted(after - before), "tags_removed": sorted(before - after)}


def _value(change: FieldChange, side: str) -> Any:
    value = getattr(change, side)
    if change.name in _SHOUTED:
        return _shout(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _field(change: FieldChange, book: Book) -> Doc:
    if not change.name.isdigit():
        return {}
    field = book.fields.by_id.get(int(change.name))
    if field is None:
        return {"field": {"id": change.name}}
    return {
        "field": {
            "id": change.name,
            "raw_title": field["raw_title"],
            "title": field["title"],
            "type": field["type"],
        }
    }


def _shout(word: str | None) -> str | None:
    return word.upper() if word else None
