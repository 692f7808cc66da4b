"""What a change does to a Freshdesk ticket: values, statistics, reopening."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.state import Doc

OPEN, PENDING, RESOLVED, CLOSED, ON_CUSTOMER, ON_THIRD_PARTY = 2, 3, 4, 5, 6, 7
OUTBOUND = 10  # the source of tickets that agents wrote
_REOPENED_BY_CUSTOMER = (PENDING, RESOLVED, CLOSED, ON_CUSTOMER, ON_THIRD_PARTY)
_DONE = (RESOLVED, CLOSED)
_EMPTY_STATS = (
    "agent_responded_at", "requester_responded_at", "first_responded_at", "reopened_at",
    "resolved_at", "closed_at", "pending_since",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """One value that changed."""

    name: str
    previous: Any
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Save:
    """One save: an `action` with its value or values that moved, and the user (None: Freshdesk)."""

    action: tuple[str, str] | None = None
    moved: Sequence[Moved] = ()
    by: int | None = None


CREATED = ("ticket_action", "created")


def blank_ticket(number: int, at: str) -> Doc:
    """A ticket with nothing said about it yet."""
    return {
        "cc_emails": [], "fwd_emails": [], "reply_cc_emails": [], "ticket_cc_emails": [],
        "fr_escalated": False, "spam": False, "email_config_id": None, "group_id": None,
        "priority": 1, "requester_id": None, "responder_id": None, "source": 2,
        "company_id": None, "status": OPEN, "subject": "", "association_type": None,
        "support_email": None, "to_emails": None, "product_id": None, "id": number,
        "type": None, "due_by": None, "fr_due_by": None, "nr_due_by": None,
        "is_escalated": False, "nr_escalated": False, "description": "", "description_text": "",
        "internal_agent_id": None, "internal_group_id": None, "associated_tickets_count": None,
        "custom_fields": {}, "created_at": at, "updated_at": at, "tags": [], "attachments": [],
        "form_id": None, "structured_description": None, "source_additional_info": None,
        "_stats": {"status_updated_at": at, **dict.fromkeys(_EMPTY_STATS)},
        "_frozen": [], "_native": None, "_deleted": False, "_paused_since": None, "_pauses": [],
    }  # fmt: skip


def set_values(ticket: Doc, values: Mapping[str, Any], at: str) -> list[Moved]:
    """Change `ticket` in place, and say what moved. Values must be checked before."""
    before = ticket["status"]
    moved = []
    for name, value in values.items():
        if name == "custom_fields":
            moved += _set_custom(ticket, value)
        elif ticket.get(name) != value:
            moved.append(Moved(name=name, previous=ticket.get(name), value=value))
            ticket[name] = value
    if ticket["status"] != before:
        note_status(ticket, before, at)
    return moved


def note_status(ticket: Doc, previous: int, at: str) -> None:
    """The status changed: bring the statistics in line."""
    stats, status = ticket["_stats"], ticket["status"]
    stats["status_updated_at"] = at
    stats["pending_since"] = at if status == PENDING else None
    if status in _DONE:
        stats["resolved_at"] = at if status == RESOLVED else stats["resolved_at"] or at
        stats["closed_at"] = at if status == CLOSED else None
    elif previous in _DONE:
        stats |= {"reopened_at": at, "resolved_at": None, "closed_at": None}


def note_message(ticket: Doc, *, by_agent: bool, public: bool, at: str) -> list[Moved]:
    """Somebody wrote: bring statistics and status in line, and say what moved."""
    stats = ticket["_stats"]
    if not public:
        return []
    if by_agent:
        stats["agent_responded_at"] = at
        stats["first_responded_at"] = stats["first_responded_at"] or at
        return []
    stats["requester_responded_at"] = at
    if ticket["status"] in _REOPENED_BY_CUSTOMER:
        return set_values(ticket, {"status": OPEN}, at)
    return []


def describe(ticket: Doc, text: str, rich: str | None = None) -> None:
    """Set the description, as HTML and as text."""
    ticket["description"] = rich if rich is not None else as_html(text)
    ticket["description_text"] = text


def as_html(text: str) -> str:
    """Plain text as Freshdesk keeps it."""
    return f"<div>{html.escape(text, quote=False)}</div>"


def clean_tags(tags: Sequence[Any], *, lower_case: bool = False) -> list[str]:
    """Tags without blanks and doubles, in the order given."""
    texts = (str(tag).strip() for tag in tags)
    return list(dict.fromkeys(text.lower() if lower_case else text for text in texts if text))


def _set_custom(ticket: Doc, values: Mapping[str, Any]) -> list[Moved]:
    moved = []
    for name, wanted in values.items():
        value = None if wanted == "" else wanted
        previous = ticket["custom_fields"].get(name)
        if previous != value:
            moved.append(Moved(name=name, previous=previous, value=value))
            ticket["custom_fields"] = {**ticket["custom_fields"], name: value}
    return moved
