"""Carries out changes of Freshdesk tickets: stores them and tells the webhooks."""

from dataclasses import dataclass
from datetime import timedelta

from sandbox.clock import epoch, iso
from sandbox.core import Core
from sandbox.freshdesk.changes import (
    CLOSED,
    CREATED,
    Moved,
    Save,
    as_html,
    blank_ticket,
    describe,
    note_message,
    set_values,
)
from sandbox.freshdesk.errors import Flaw, flawed, not_allowed, not_found
from sandbox.freshdesk.hooks import Webhooks
from sandbox.freshdesk.native import Native, settle
from sandbox.freshdesk.outgoing import Outgoing
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc, Row

REPLY, NOTE, PHONE = 0, 2, 9
_FIRST_CONVERSATION = 43_000_900_001
_DUES = ("due_by", "fr_due_by")
_BATCH = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A message on a ticket: its author, whether the customer wrote it, and who sees it."""

    user_id: int
    by_agent: bool
    public: bool
    body: str
    source: int = REPLY
    html: str | None = None
    cc_emails: tuple[str, ...] = ()
    bcc_emails: tuple[str, ...] = ()


class Writer:
    """Changes tickets. Methods named `plan_…` store nothing and send nothing."""

    def __init__(self, core: Core, hooks: Webhooks, native: Native, outgoing: Outgoing) -> None:
        self._core = core
        self._hooks = hooks
        self._outgoing = outgoing
        self._archived_until = -(2**62)
        self.native = native
        self.switches = Switches()

    def create(
        self, values: Doc, text: str, *, rich: str | None = None, by: int | None = None
    ) -> Doc:
        """Create a ticket at this instant."""
        with self._core.state.writing():
            at = self._core.clock.stamp()
            ticket = self.plan_creation(values, text, at, rich=rich)
            self.native.plan(ticket, {"priority"}, _written(values), at=at)
            self._save(ticket, Save(action=CREATED, by=by))
        return ticket

    def change(
        self, ticket_id: int, values: Doc, *, text: str | None = None, by: int | None = None
    ) -> Doc:
        """Change a ticket at this instant."""
        with self._core.state.writing():
            ticket = self.live(ticket_id, "PUT")
            at = self._core.clock.stamp()
            moved = set_values(ticket, values, at)
            if text is not None and text != ticket["description_text"]:
                moved.append(Moved(name="description", previous=None, value=None))
                describe(ticket, text)
            self.native.plan(ticket, {one.name for one in moved}, _written(values), at=at)
            if moved:
                ticket["updated_at"] = at
                self._save(ticket, Save(moved=moved, by=by))
            else:
                self._core.state.put(self.ticket_row(ticket))
        return ticket

    def add(self, ticket_id: int, entry: Entry) -> Doc:
        """Add a reply or a note at this instant."""
        with self._core.state.writing():
            ticket = self.live(ticket_id, "POST")
            at = self._core.clock.stamp()
            row, moved = self.plan_entry(ticket, entry, at)
            self.native.plan(ticket, {one.name for one in moved}, set(), at=at)
            self._core.state.put(row)
            self._save(ticket, Save(action=_said(entry), moved=moved, by=entry.user_id))
        return row.doc

    def edit_entry(self, key: int, text: str, *, html: str | None, by: int) -> Doc:
        """Change what a note says. Raises FreshdeskError 404, 405, or 400 for a reply."""
        with self._core.state.writing():
            doc = self._entry(key, "PUT")
            if doc["source"] != NOTE:
                fixed = "Only public and private notes can be edited"
                raise flawed([Flaw(field="body", message=fixed, code="incompatible_field")])
            at = self._core.clock.stamp()
            doc |= {
                "body": html or as_html(text), "body_text": text, "updated_at": at,
                "last_edited_at": at, "last_edited_user_id": by,
            }  # fmt: skip
            self._core.state.put(_entry_row(doc))
        return doc

    def remove_entry(self, key: int) -> None:
        """Delete a reply or a note. Raises FreshdeskError 404 or 405."""
        with self._core.state.writing():
            self._entry(key, "DELETE")
            self._core.state.remove("conversation", key)

    def _entry(self, key: int, method: str) -> Doc:
        doc = self._core.state.get("conversation", key)
        if doc is None:
            raise not_found()
        self.live(doc["ticket_id"], method)
        return doc

    def delete(self, ticket_id: int, by: int | None = None) -> None:
        """Move a ticket to the bin."""
        with self._core.state.writing():
            ticket = self.live(ticket_id, "DELETE")
            ticket |= {"_deleted": True, "updated_at": self._core.clock.stamp()}
            self._save(ticket, Save(action=("ticket_action", "delete"), by=by))

    def mark_spam(self, ticket_id: int, by: int | None = None) -> None:
        """Move a ticket to the spam."""
        with self._core.state.writing():
            ticket = self.live(ticket_id, "PUT")
            ticket |= {"spam": True, "updated_at": self._core.clock.stamp()}
            self._save(ticket, Save(action=("ticket_action", "marked_spam"), by=by))

    def archive(self, ticket_id: int) -> None:
        """Move a ticket to the archive, from where it does not come back."""
        with self._core.state.writing():
            ticket = self.live(ticket_id, "PUT")
            self._core.state.put(self.ticket_row(ticket | {"archived": True}))

    def catch_up(self) -> None:
        """Do what Freshdesk does by itself: set native dates that are due, archive old tickets."""
        for ticket_id in self.native.due_now():
            ticket = self._core.state.get("ticket", ticket_id)
            if ticket is not None:
                self.settled(ticket)
        if self.switches.archive_days:
            self._archive_old(self.switches.archive_days)

    def _archive_old(self, days: float) -> None:
        before = epoch(iso(self._core.clock.now() - timedelta(days=days)))
        moved, key = self._archived_until, 0
        while rows := self._core.state.moved_after(
            "ticket", moved=moved, key=key, before=before, limit=_BATCH
        ):
            old = [doc for _, doc in rows if doc["status"] == CLOSED and not _is_put_away(doc)]
            self._core.state.put_all(self.ticket_row(doc | {"archived": True}) for doc in old)
            moved, key = rows[-1][0], rows[-1][1]["id"]
        self._archived_until = max(self._archived_until, before - 1)

    def restore(self, ticket_id: int) -> None:
        """Take a ticket out of the bin. Raises FreshdeskError when it is not in there."""
        with self._core.state.writing():
            ticket = self._core.state.get("ticket", ticket_id)
            if ticket is None or ticket.get("archived") or not ticket["_deleted"]:
                raise not_found()
            ticket |= {"_deleted": False, "updated_at": self._core.clock.stamp()}
            self._save(ticket, Save(action=("ticket_action", "restore")))

    def read(self, ticket_id: int) -> Doc:
        """A ticket, deleted or not, with native due dates that have come true.

        Raises FreshdeskError 404, by default for an archived one too.
        """
        ticket = self._core.state.get("ticket", ticket_id)
        if ticket is None:
            raise not_found()
        if ticket.get("archived") and self.switches.archived_get == "missing":
            raise not_found()
        return self.settled(ticket)

    def archived(self, ticket_id: int) -> Doc:
        """A ticket of the archive. Raises FreshdeskError 404 when it is not in there."""
        ticket = self._core.state.get("ticket", ticket_id)
        if ticket is None or not ticket.get("archived"):
            raise not_found()
        return ticket

    def live(self, ticket_id: int, method: str) -> Doc:
        """A ticket that can be changed. Raises FreshdeskError 404, or 405 for bin and spam."""
        ticket = self.read(ticket_id)
        if _is_put_away(ticket):
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
            "category": 1, "to_emails": [], "from_email": None,
            "cc_emails": list(entry.cc_emails), "bcc_emails": list(entry.bcc_emails) or None,
            "email_failure_count": None, "outgoing_failures": None,
            "thread_id": None, "thread_message_id": None, "created_at": at, "updated_at": at,
            "last_edited_at": None, "last_edited_user_id": None, "attachments": [],
            "automation_id": None, "automation_type_id": None, "auto_response": False,
            "ticket_id": ticket["id"], "threading_type": None, "source_additional_info": None,
        }  # fmt: skip
        moved = note_message(ticket, by_agent=entry.by_agent, public=entry.public, at=at)
        ticket["updated_at"] = at
        return _entry_row(doc), moved

    def ticket_row(self, ticket: Doc) -> Row:
        """The ticket as it is stored."""
        return Row(
            kind="ticket",
            id=ticket["id"],
            doc=ticket,
            created=epoch(ticket["created_at"]),
            moved=epoch(ticket["updated_at"]),
            shelf=_shelf(ticket),
        )

    def announce(self, ticket: Doc, save: Save) -> None:
        """Send the webhooks of one save, once it is committed."""
        told = self._hooks.requests_for(ticket, save)
        if told:
            self._core.state.after_commit(lambda: self._outgoing.send(told))

    def _save(self, ticket: Doc, save: Save) -> None:
        self._core.state.put(self.ticket_row(ticket))
        self.announce(ticket, save)


def _entry_row(doc: Doc) -> Row:
    return Row(
        kind="conversation", id=doc["id"], doc=doc, parent=doc["ticket_id"],
        created=epoch(doc["created_at"]),
    )  # fmt: skip


def _written(values: Doc) -> set[str]:
    return {name for name in _DUES if values.get(name) is not None}


def _said(entry: Entry) -> tuple[str, str]:
    if entry.source == REPLY and entry.public:
        return ("reply_sent", "sent")
    return ("note_type", "public" if entry.public else "private")


def _is_put_away(ticket: Doc) -> bool:
    return bool(ticket["_deleted"] or ticket["spam"] or ticket.get("archived"))


def _shelf(ticket: Doc) -> str:
    if ticket.get("archived"):
        return "archived"
    return "deleted" if ticket["_deleted"] else "spam" if ticket["spam"] else ""
