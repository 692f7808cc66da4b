"""Carries out changes of Freshdesk tickets: stores them and tells the webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.clock import epoch
from sandbox.core import Core
from sandbox.freshdesk.changes import (
    Moved,
    as_html,
    blank_ticket,
    describe,
    note_message,
    set_values,
)
from sandbox.freshdesk.errors import not_allowed, not_found
from sandbox.freshdesk.hooks import Webhooks, triggered_event
from sandbox.freshdesk.native import plan_dates, settle
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc, Row

REPLY, NOTE, PHONE = 0, 2, 9
_FIRST_CONVERSATION = 43_000_900_001
_DUES = ("due_by", "fr_due_by")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A message on a ticket: its author, whether the customer wrote it, and who sees it."""

    user_id: int
    by_agent: bool
    public: bool
    body: str
    source: int = REPLY
    html: str | None = None


class Writer:
    """Changes tickets. Methods named `plan_…` store nothing and send nothing."""

    def __init__(self, core: Core, hooks: Webhooks) -> None:
        self._core = core
        self._hooks = hooks
        self.switches = Switches()

    def create(self, values: Doc, text: str, *, rich: str | None = None) -> Doc:
        """Create a ticket at this instant."""
        with self._core.state.writing():
            at = self._core.clock.stamp()
            ticket = self.plan_creation(values, text, at, rich=rich)
            plan_dates(ticket, {"priority"}, _written(values), self.switches)
            self._save(ticket, "ticket_action:created", [])
        return ticket

    def change(self, ticket_id: int, values: Doc, *, text: str | None = None) -> Doc:
        """Change a ticket at this instant; the answer shows it as the vendor's PUT would."""
        with self._core.state.writing():
            ticket = self.live(ticket_id, "PUT")
            at = self._core.clock.stamp()
            moved = set_values(ticket, values, at)
            if text is not None and text != ticket["description_text"]:
                moved.append(Moved(name="description", previous=None, value=None))
                describe(ticket, text)
            plan_dates(ticket, {one.name for one in moved}, _written(values), self.switches)
            if moved:
                ticket["updated_at"] = at
                self._save(ticket, None, moved)
            else:
                self._core.state.put(self.ticket_row(ticket))
        return ticket

    def add(self, ticket_id: int, entry: Entry) -> Doc:
        """Add a reply or a note at this instant."""
        with self._core.state.writing():
            ticket = self.live(ticket_id, "POST")
            at = self._core.clock.stamp()
            row, moved = self.plan_entry(ticket, entry, at)
            plan_dates(ticket, {one.name for one in moved}, set(), self.switches)
            self._core.state.put(row)
            self._save(ticket, f"{'reply' if entry.public else 'note'}_sent:{at}", moved)
        return row.doc

    def delete(self, ticket_id: int) -> None:
        """Move a ticket to the bin."""
        with self._core.state.writing():
            ticket = self.live(ticket_id, "DELETE")
            ticket |= {"_deleted": True, "updated_at": self._core.clock.stamp()}
            self._save(ticket, "ticket_action:deleted", [])

    def restore(self, ticket_id: int) -> None:
        """Take a ticket out of the bin. Raises FreshdeskError when it is not in there."""
        with self._core.state.writing():
            ticket = self._core.state.get("ticket", ticket_id)
            if ticket is None or not ticket["_deleted"]:
                raise not_found()
            ticket |= {"_deleted": False, "updated_at": self._core.clock.stamp()}
            self._save(ticket, "ticket_action:restored", [])

    def read(self, ticket_id: int) -> Doc:
        """A ticket, deleted or not, with native due dates that have come true."""
        ticket = self._core.state.get("ticket", ticket_id)
        if ticket is None:
            raise not_found()
        return self.settled(ticket)

    def live(self, ticket_id: int, method: str) -> Doc:
        """A ticket that can be changed. Raises FreshdeskError 404, or 405 for bin and spam."""
        ticket = self.read(ticket_id)
        if ticket["_deleted"] or ticket["spam"]:
            raise not_allowed(method, "GET")
        return ticket

    def settled(self, ticket: Doc) -> Doc:
        """The ticket after the native engine, which is kept if it moved anything."""
        if settle(ticket):
            if self.switches.native_bumps_updated_at:
                ticket["updated_at"] = self._core.clock.stamp()
            self._core.state.put(self.ticket_row(ticket))
        return ticket

    def plan_creation(self, values: Doc, text: str, at: str, *, rich: str | None = None) -> Doc:
        """A new ticket."""
        ticket = blank_ticket(self._core.state.next_id("ticket"), at)
        set_values(ticket, values, at)
        describe(ticket, text, rich)
        return ticket

    def plan_entry(self, ticket: Doc, entry: Entry, at: str) -> tuple[Row, list[Moved]]:
        """A conversation's row; `ticket` is changed in place."""
        doc: Doc = {
            "body": entry.html or as_html(entry.body), "body_text": entry.body,
            "id": self._core.state.next_id("conversation", start=_FIRST_CONVERSATION),
            "incoming": not entry.by_agent, "private": not entry.public,
            "user_id": entry.user_id, "support_email": None, "source": entry.source,
            "category": 1, "to_emails": [], "from_email": None, "cc_emails": [],
            "bcc_emails": None, "email_failure_count": None, "outgoing_failures": None,
            "thread_id": None, "thread_message_id": None, "created_at": at, "updated_at": at,
            "last_edited_at": None, "last_edited_user_id": None, "attachments": [],
            "automation_id": None, "automation_type_id": None, "auto_response": False,
            "ticket_id": ticket["id"], "threading_type": None, "source_additional_info": None,
        }  # fmt: skip
        moved = note_message(ticket, by_agent=entry.by_agent, public=entry.public, at=at)
        ticket["updated_at"] = at
        row = Row(
            kind="conversation", id=doc["id"], doc=doc, parent=ticket["id"], created=epoch(at)
        )
        return row, moved

    def ticket_row(self, ticket: Doc) -> Row:
        """The ticket as it is stored."""
        return Row(
            kind="ticket",
            id=ticket["id"],
            doc=ticket,
            created=epoch(ticket["created_at"]),
            moved=epoch(ticket["updated_at"]),
            shelf="deleted" if ticket["_deleted"] else "spam" if ticket["spam"] else "",
        )

    def announce(self, ticket: Doc, action: str | None, moved: Sequence[Moved] = ()) -> None:
        """Send the webhooks of one save, once it is committed."""
        told = self._hooks.requests_for(ticket, triggered_event(action, moved))
        if told:
            self._core.state.after_commit(lambda: self._core.sender.send(told))

    def _save(self, ticket: Doc, action: str | None, moved: Sequence[Moved]) -> None:
        self._core.state.put(self.ticket_row(ticket))
        self.announce(ticket, action, moved)


def _written(values: Doc) -> set[str]:
    return {name for name in _DUES if values.get(name) is not None}
