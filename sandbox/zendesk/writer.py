"""Carries out changes of Zendesk tickets: stores them, keeps the audits, tells the webhooks."""

from dataclasses import dataclass, replace
from typing import Any

from sandbox.clock import epoch
from sandbox.core import Core
from sandbox.state import Doc, Row
from sandbox.zendesk.audits import Stamp, change_rows, creation_rows
from sandbox.zendesk.changes import Effect, NewComment, Update, apply_update
from sandbox.zendesk.errors import closed, invalid, not_found
from sandbox.zendesk.hooks import TicketEvent, Webhooks, events_of
from sandbox.zendesk.metrics import new_metrics, note_assignee
from sandbox.zendesk.payloads import Book
from sandbox.zendesk.people import BRAND_ID, FORM_ID, GROUP_ID, default_status_id

_FIRST_TICKET = 1001
_MOST_COMMENTS = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A ticket to be: who asks, who files it, and the first comment."""

    subject: str
    requester_id: int
    submitter_id: int
    organization_id: int | None
    channel: str
    comment: NewComment
    external_id: str | None = None
    recipient: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """The ticket after a change, and its latest audit."""

    ticket: Doc
    audit: Doc | None


class Writer:
    """Changes tickets. Methods named `plan_…` store nothing and send nothing."""

    def __init__(self, core: Core, book: Book, hooks: Webhooks) -> None:
        self._core = core
        self._book = book
        self._hooks = hooks

    def create(self, draft: Draft, update: Update, *, actor: int) -> Written:
        """Create a ticket at this instant."""
        core = self._core
        with core.state.writing():
            stamp = Stamp(
                author_id=draft.comment.author_id,
                at=core.clock.stamp(),
                channel=draft.channel,
                metadata=dict(update.metadata),
            )
            ticket, audit, rows = self.plan_creation(draft, update, stamp)
            core.state.put_all([*rows, self.ticket_row(ticket, generated=epoch(stamp.at))])
            self._tell(ticket, [TicketEvent(name="created")], actor)
        return Written(ticket=ticket, audit=audit)

    def change(
        self,
        ticket_id: int,
        update: Update,
        *,
        actor: int,
        channel: str,
        tags_if_closed: bool = False,
    ) -> Written:
        """Change a ticket at this instant. Raises ZendeskError when it is gone or closed."""
        core = self._core
        with core.state.writing():
            ticket = self.require(ticket_id)
            if ticket["status"] == "closed" and not (tags_if_closed and update.only_tag_lists):
                raise closed(self._book.switches.closed_shape)
            if update.comment is not None:
                self._check_room_for_comment(ticket_id)
            at = core.clock.stamp()
            stamp = Stamp(author_id=actor, at=at, channel=channel, metadata=dict(update.metadata))
            effect, audit, rows = self.plan_change(ticket, update, stamp)
            if audit is None:
                return Written(ticket=ticket, audit=self._last_audit(ticket_id))
            core.state.put_all([*rows, self.ticket_row(ticket, generated=epoch(at))])
            self._tell(ticket, self._events(effect, audit), actor)
        return Written(ticket=ticket, audit=audit)

    def delete(self, ticket_id: int, *, actor: int) -> None:
        """Delete a ticket softly: the export goes on showing it, as deleted."""
        core = self._core
        with core.state.writing():
            ticket = self.require(ticket_id)
            at = core.clock.stamp()
            ticket |= {
                "_status_before": ticket["status"],
                "_deleted_by": actor,
                "status": "deleted",
                "updated_at": at,
            }
            core.state.put(self.ticket_row(ticket, generated=epoch(at)))
            self._tell(ticket, [TicketEvent(name="soft_deleted")], actor)

    def restore(self, ticket_id: int, *, actor: int) -> None:
        """Bring a deleted ticket back. Raises ZendeskError when it is not deleted."""
        core = self._core
        with core.state.writing():
            ticket = core.state.get("ticket", ticket_id)
            if ticket is None or ticket["status"] != "deleted":
                raise not_found()
            at = core.clock.stamp()
            ticket |= {"status": ticket.pop("_status_before", "open"), "updated_at": at}
            core.state.put(self.ticket_row(ticket, generated=epoch(at)))
            self._tell(ticket, [TicketEvent(name="undeleted")], actor)

    def merge(
        self, target_id: int, source_id: int, comments: dict[str, str], *, actor: int
    ) -> None:
        """Close a ticket into another one, with a comment on both."""
        notes: tuple[tuple[int, str, dict[str, Any], tuple[str, ...]], ...] = (
            (source_id, comments["source"], {"status": "closed"}, ("closed_by_merge",)),
            (target_id, comments["target"], {}, ()),
        )
        for ticket_id, text, values, tags in notes:
            note = NewComment(
                body=text, html_body=None, public=False, author_id=actor, by_agent=True
            )
            update = Update(values=values, add_tags=tags, comment=note)
            self.change(ticket_id, update, actor=actor, channel="web")
        ticket = self.require(source_id)
        self._tell(ticket, [TicketEvent(name="merged")], actor)

    def require(self, ticket_id: int) -> Doc:
        """A ticket that is not deleted. Raises ZendeskError otherwise."""
        ticket = self._core.state.get("ticket", ticket_id)
        if ticket is None or ticket["status"] == "deleted":
            raise not_found()
        return ticket

    def plan_creation(
        self, draft: Draft, update: Update, stamp: Stamp
    ) -> tuple[Doc, Doc, list[Row]]:
        """The new ticket, its audit, and the rows beside it."""
        inherited = self._book.people.tags_of(draft.requester_id, draft.organization_id)
        update = replace(update, add_tags=(*update.add_tags, *inherited))
        number = self._core.state.next_id("ticket", start=_FIRST_TICKET)
        ticket = _blank(draft, number, stamp.at)
        apply_update(ticket, update, at=stamp.at, rules=self._book.rules)
        ticket["_metrics"] = new_metrics(stamp.at, ticket["status"])
        if ticket["assignee_id"] is not None:
            note_assignee(ticket, stamp.at)
        audit, rows = creation_rows(self._core.state, ticket, draft.comment, stamp)
        return ticket, audit, rows

    def plan_change(
        self, ticket: Doc, update: Update, stamp: Stamp
    ) -> tuple[Effect, Doc | None, list[Row]]:
        """Change `ticket` in place; no audit when nothing moved."""
        effect = apply_update(ticket, update, at=stamp.at, rules=self._book.rules)
        if not effect.made_event:
            return effect, None, []
        audit, rows = change_rows(self._core.state, ticket, effect, stamp)
        return effect, audit, rows

    def ticket_row(self, ticket: Doc, *, generated: int) -> Row:
        """The ticket as it is stored, under its status, so that searches need not read them all.

        The export goes by `generated` (seconds since 1970).
        """
        ticket["generated_timestamp"] = generated
        return Row(
            kind="ticket",
            id=ticket["id"],
            doc=ticket,
            parent=ticket["status"],
            created=epoch(ticket["created_at"]),
            moved=generated,
            shelf="deleted" if ticket["status"] == "deleted" else "",
        )

    def announce(self, ticket: Doc, *, actor: int) -> None:
        """Send what a creation sends, for a ticket that is stored already."""
        self._tell(ticket, [TicketEvent(name="created")], actor)

    def _events(self, effect: Effect, audit: Doc) -> list[TicketEvent]:
        events = events_of(effect.changes)
        if effect.comment is not None:
            number = next(e["id"] for e in audit["events"] if e["type"] != "Change")
            added = TicketEvent(name="comment_added", comment=effect.comment, comment_id=number)
            events.insert(0, added)
        return events

    def _tell(self, ticket: Doc, events: list[TicketEvent], actor: int) -> None:
        told = self._hooks.requests_for(ticket, events, actor_id=actor, book=self._book)
        if told:
            self._core.state.after_commit(lambda: self._core.sender.send(told))

    def _check_room_for_comment(self, ticket_id: int) -> None:
        if self._core.state.count_children("comment", ticket_id) >= _MOST_COMMENTS:
            raise invalid("base", f"Ticket has more than {_MOST_COMMENTS} comments")

    def _last_audit(self, ticket_id: int) -> Doc | None:
        audits = self._core.state.children("audit", ticket_id)
        return audits[-1] if audits else None


def _blank(draft: Draft, number: int, at: str) -> Doc:
    ticket: dict[str, Any] = {
        "id": number, "external_id": draft.external_id,
        "via": {"channel": draft.channel, "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": at, "updated_at": at, "generated_timestamp": epoch(at), "type": None,
        "subject": draft.subject, "raw_subject": draft.subject,
        "description": draft.comment.body, "priority": None, "status": "new",
        "recipient": draft.recipient, "requester_id": draft.requester_id,
        "submitter_id": draft.submitter_id, "assignee_id": None,
        "organization_id": draft.organization_id, "group_id": GROUP_ID, "collaborator_ids": [],
        "follower_ids": [], "email_cc_ids": [], "forum_topic_id": None, "problem_id": None,
        "has_incidents": False, "is_public": draft.comment.public, "due_at": None, "tags": [],
        "satisfaction_rating": {"score": "unoffered"}, "sharing_agreement_ids": [],
        "custom_status_id": default_status_id("new"), "followup_ids": [],
        "ticket_form_id": FORM_ID, "brand_id": BRAND_ID, "allow_channelback": False,
        "allow_attachments": True, "from_messaging_channel": draft.channel == "native_messaging",
        "_values": {}, "_metrics": new_metrics(at, "new"),
    }  # fmt: skip
    return ticket
