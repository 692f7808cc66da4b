"""Writes whole ticket histories into the local Freshdesk, with their own instants."""

from collections.abc import Sequence

from sandbox.clock import iso
from sandbox.freshdesk.account import Account
from sandbox.freshdesk.changes import CREATED, Save, clean_tags, set_values
from sandbox.freshdesk.words import channel_number, priority_number, status_number, type_label
from sandbox.freshdesk.writer import NOTE, REPLY, Entry
from sandbox.histories import Actor, Event, EventKind, History
from sandbox.state import Doc, Row


class Loader:
    """Loads histories in one transaction each call."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def load(self, histories: Sequence[History], *, webhooks: bool, moved_now: bool) -> list[int]:
        """Store histories; `moved_now` lets them be updated now, as a real import would."""
        core, writer = self._account.core, self._account.writer
        with core.state.writing():
            tickets, rows = [], []
            for history in histories:
                ticket, beside = self._history(history)
                if moved_now:
                    ticket["updated_at"] = core.clock.stamp()
                rows += [*beside, writer.ticket_row(ticket)]
                tickets.append(ticket)
            core.state.put_all(rows)
            if webhooks:
                for ticket in tickets:
                    writer.announce(ticket, Save(action=CREATED))
        return [ticket["id"] for ticket in tickets]

    def _history(self, history: History) -> tuple[Doc, list[Row]]:
        people, person = self._account.people, history.person
        contact = people.ensure_contact(
            person.name,
            email=person.email,
            company=history.organization,
            language=person.locale.split("-")[0],
        )
        values = {
            "subject": history.subject,
            "requester_id": contact["id"],
            "company_id": contact["company_id"],
            "source": channel_number(history.channel),
            "priority": priority_number(history.priority),
            "type": type_label(history.type),
            "tags": clean_tags(history.tags),
        }
        at = iso(history.created_at)
        ticket = self._account.writer.plan_creation(values, history.body, at)
        self._account.native.set_at_once(ticket)
        rows = [row for event in history.later for row in self._event(ticket, event)]
        return ticket, rows

    def _event(self, ticket: Doc, event: Event) -> list[Row]:
        at = iso(event.at)
        ticket["updated_at"] = at
        rows = []
        if event.kind is EventKind.COMMENT:
            row, _ = self._account.writer.plan_entry(ticket, self._entry(ticket, event), at)
            rows.append(row)
        elif event.kind is EventKind.DELETED:
            ticket["_deleted"] = True
        else:
            set_values(ticket, _values(event), at)
        self._account.native.note_pause(ticket, at)
        self._account.native.set_at_once(ticket)
        return rows

    def _entry(self, ticket: Doc, event: Event) -> Entry:
        by_agent = event.by is Actor.AGENT
        public = event.public or not by_agent
        if by_agent and public and event.author and ticket["responder_id"] is None:
            ticket["responder_id"] = self._agent(event)
        return Entry(
            user_id=self._agent(event) if by_agent else ticket["requester_id"],
            by_agent=by_agent,
            public=public,
            body=str(event.value or "…"),
            source=REPLY if public else NOTE,
        )

    def _agent(self, event: Event) -> int:
        people = self._account.people
        agent = people.ensure_agent(event.author) if event.author else people.human_agents[0]
        return int(agent["id"])


def _values(event: Event) -> Doc:
    match event.kind:
        case EventKind.STATUS:
            return {"status": status_number(event.value)}
        case EventKind.PRIORITY:
            return {"priority": priority_number(event.value)}
        case EventKind.TYPE:
            return {"type": type_label(event.value)}
        case EventKind.TAGS:
            return {"tags": clean_tags(event.value or [])}
    return {"subject": str(event.value)}
