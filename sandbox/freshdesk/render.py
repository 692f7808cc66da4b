"""Freshdesk's objects as its API shows them."""

from datetime import datetime
from typing import Any

from sandbox.clock import iso
from sandbox.freshdesk.changes import CLOSED, RESOLVED
from sandbox.freshdesk.fields import FieldBook
from sandbox.freshdesk.people import People
from sandbox.state import Doc

_ONLY_SINGLE = ("attachments", "description", "description_text")
_REQUESTER = ("id", "name", "email", "mobile", "phone")


def shown_ticket(
    ticket: Doc, fields: FieldBook, now: datetime, *, single: bool, described: bool = False
) -> Doc:
    """A ticket; lists leave out the description unless asked for it."""
    doc = {key: value for key, value in ticket.items() if not key.startswith("_")}
    if not single:
        for name in _ONLY_SINGLE:
            if name == "attachments" or not described:
                del doc[name]
    values = ticket["custom_fields"]
    doc["custom_fields"] = {name: values.get(name) for name in fields.names()}
    if ticket["_deleted"]:
        doc["deleted"] = True
    return doc | _escalations(ticket, iso(now))


def stats(ticket: Doc) -> Doc:
    """What `include=stats` shows."""
    kept: Doc = ticket["_stats"]
    return dict(kept)


def requester(ticket: Doc, people: People) -> Doc:
    """What `include=requester` shows."""
    contact: dict[str, Any] = people.contacts.get(ticket["requester_id"], {})
    return {name: contact.get(name) for name in _REQUESTER}


def company(ticket: Doc, people: People) -> Doc:
    """What `include=company` shows; empty without one."""
    found = people.companies.get(ticket["company_id"] or 0)
    return {"id": found["id"], "name": found["name"]} if found else {}


def _escalations(ticket: Doc, now: str) -> Doc:
    kept = ticket["_stats"]
    open_ = ticket["status"] not in (RESOLVED, CLOSED)
    late = open_ and ticket["due_by"] is not None and ticket["due_by"] < now
    answered = kept["first_responded_at"] or kept["resolved_at"]
    first = ticket["fr_due_by"]
    fr_late = first is not None and (answered or now) > first
    return {"is_escalated": late, "fr_escalated": fr_late}
