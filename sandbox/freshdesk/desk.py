"""The local Freshdesk as the sandbox's page and controls use it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sandbox.desk import (
    Choices,
    Comment,
    Customer,
    DeskError,
    Message,
    NewTicket,
    NoSuchTicketError,
    Shown,
    TicketCard,
    TicketRow,
    Troubles,
)
from sandbox.freshdesk.account import Account
from sandbox.freshdesk.changes import CREATED, Save
from sandbox.freshdesk.errors import FreshdeskError
from sandbox.freshdesk.fields import PRIORITIES, SOURCES, STATUSES, TYPES
from sandbox.freshdesk.loading import Loader
from sandbox.freshdesk.render import shown_ticket
from sandbox.freshdesk.words import (
    CHANNEL_WORDS,
    PRIORITY_WORDS,
    STATUS_WORDS,
    channel_number,
    priority_number,
    status_number,
    type_label,
)
from sandbox.freshdesk.writer import NOTE, PHONE, REPLY, Entry
from sandbox.histories import Actor, History
from sandbox.state import Doc, Key

_CHANNEL_LABELS = tuple((word, SOURCES[number]) for number, word in CHANNEL_WORDS.items())
_READ = {"priority": priority_number, "type": type_label}


class FreshdeskDesk(Troubles):
    """Implements `sandbox.desk.Desk`."""

    name = "Freshdesk"
    choices = Choices(
        status=tuple((STATUS_WORDS[number], label) for number, label in STATUSES.items()),
        priority=tuple((PRIORITY_WORDS[number], label) for number, label in PRIORITIES.items()),
        type=(("", "None"), *((label, label) for label in TYPES)),
        channel=_CHANNEL_LABELS,
    )

    def __init__(self, account: Account) -> None:
        self._account = account
        self._loader = Loader(account)

    def create(self, new: NewTicket) -> int:
        """Create a ticket as the customer."""
        people = self._account.people
        address = new.requester if "@" in new.requester else None
        name = new.requester.split("@")[0].replace(".", " ").title() if address else new.requester
        contact = people.ensure_contact(name, email=address, company=new.organization or None)
        body = {
            "subject": new.subject,
            "description": new.description or new.subject,
            "requester_id": contact["id"],
            "status": 2,
            "priority": priority_number(new.priority),
            "source": channel_number(new.channel),
            "type": type_label(new.type),
            "tags": list(new.tags),
        }
        return int(self._do(self._account.create, body)["id"])

    def say(self, ticket_id: int, message: Message) -> None:
        """Add a conversation as the customer, or as the responder (the first agent without one)."""
        ticket = self._ticket(ticket_id)
        by_agent = message.by is Actor.AGENT
        public = message.public or not by_agent
        agent = self._agent_of(ticket)
        entry = Entry(
            user_id=agent if by_agent else ticket["requester_id"],
            by_agent=by_agent,
            public=public,
            body=message.body,
            source=PHONE if message.phone else REPLY if public else NOTE,
        )
        self._do(self._account.writer.add, ticket_id, entry)

    def edit(self, ticket_id: int, changes: Mapping[str, Any]) -> None:
        """Set values as an agent in the agents' own screen."""
        agent = self._agent_of(self._ticket(ticket_id))
        body: Doc = {key: value for key, value in changes.items() if key != "fields"}
        readers = {"status": self._status_number, **_READ}
        body |= {name: read(body[name]) for name, read in readers.items() if name in body}
        named = changes.get("fields") or {}
        if not isinstance(named, dict):
            message = "fields is {name: value}"
            raise DeskError(message)
        if named:
            body["custom_fields"] = {self._field_name(n): value for n, value in named.items()}
        self._do(self._account.update, ticket_id, body, agent)

    def delete(self, ticket_id: int) -> None:
        """Move a ticket to the bin."""
        agent = self._agent_of(self._ticket(ticket_id))
        self._account.writer.delete(ticket_id, by=agent)

    def mark_spam(self, ticket_id: int) -> None:
        """Move a ticket to the spam."""
        agent = self._agent_of(self._ticket(ticket_id))
        self._account.writer.mark_spam(ticket_id, by=agent)

    def archive(self, ticket_id: int) -> None:
        """Move a ticket to the archive."""
        self._ticket(ticket_id)
        self._account.writer.archive(ticket_id)

    def put_customer(self, customer: Customer) -> int:
        """Create or change a company."""
        return int(self._account.people.put_company(customer)["id"])

    def documents(self, limit: int) -> list[Doc]:
        """The newest tickets as the API shows them, statistics included."""
        account, now = self._account, self._account.core.clock.now()
        return [
            shown_ticket(ticket, account.fields, now, single=True) | {"stats": ticket["_stats"]}
            for ticket in self._newest(limit)
        ]

    def rows(self, limit: int) -> list[TicketRow]:
        """The newest tickets, newest first."""
        return [self._row(ticket) for ticket in self._newest(limit)]

    def card(self, ticket_id: int) -> TicketCard:
        """One ticket with conversations and fields."""
        ticket = self._ticket(ticket_id)
        docs = self._account.core.state.children("conversation", ticket_id)
        first = Comment(
            author=self._account.people.name_of(ticket["requester_id"]),
            by=Actor.CUSTOMER,
            public=True,
            body=ticket["description_text"],
            at=ticket["created_at"],
        )
        comments = [first, *(self._comment(doc) for doc in docs)]
        return TicketCard(row=self._row(ticket), comments=comments, fields=self._fields(ticket))

    def load(
        self, histories: Sequence[History], *, webhooks: bool = False, moved_now: bool = False
    ) -> list[int]:
        """Store whole histories."""
        return self._loader.load(histories, webhooks=webhooks, moved_now=moved_now)

    def announce(self) -> int:
        """Tell the webhooks of every ticket as if it were new."""
        tickets = self._newest(10**6)
        with self._account.core.state.writing():
            for ticket in tickets:
                self._account.writer.announce(ticket, Save(action=CREATED))
        return len(tickets)

    def add_webhook(self, config: Mapping[str, Any]) -> Doc:
        """Register a webhook; `{"url": …, "secret": …}` is enough."""
        return self._account.hooks.put(config)

    def webhooks(self) -> list[Doc]:
        """The registered webhooks with their headers."""
        return self._account.hooks.all()

    def remove_webhook(self, key: Key) -> None:
        """Forget a webhook."""
        self._account.hooks.remove(key)

    def switches(self) -> Mapping[str, Any]:
        """The unconfirmed behaviours and how they are set."""
        return asdict(self._account.switches)

    def set_switches(self, changes: Mapping[str, Any]) -> None:
        """Set some switches."""
        self._account.set_switches(changes)

    def revoke_tokens(self) -> None:
        """Nothing to do: an API key does not expire."""

    def suspend(self, suspended: bool) -> None:
        """Suspend the account, or let it work again."""
        self._account.set_switches({"suspended": suspended})

    def deactivate(self, deactivated: bool) -> None:
        """Deactivate the agent behind the API key, or reactivate it."""
        people = self._account.people
        people.deactivate(people.api_user["id"], deactivated)

    def delete_field(self, name: str) -> None:
        """Delete a custom field by id, name or label."""
        field = self._field(name)
        self._account.fields.remove(field["id"])
        self._account.forget_values(field["name"])

    def retype_field(self, name: str, kind: str) -> None:
        """Replace a custom field by one of the same name and another type."""
        field = self._field(name)
        self._do(self._account.fields.retype, field, kind)
        self._account.forget_values(field["name"])

    def hide_field(self, name: str, hidden: bool) -> None:
        """Let the API key's agent not reach a custom field, or let it again."""
        self._account.fields.hide(self._field(name), hidden)

    def close(self) -> None:
        """Stop background work."""
        self._account.close()

    def _do(self, call: Any, *arguments: Any) -> Doc:
        try:
            return dict(call(*arguments))
        except FreshdeskError as error:
            raise DeskError(error.text) from error

    def _field(self, name: str) -> Doc:
        found = self._account.fields.find(name)
        if found is None:
            message = f"there is no custom field {name!r}"
            raise DeskError(message)
        return found

    def _agent_of(self, ticket: Doc) -> int:
        return int(ticket["responder_id"] or self._account.people.human_agents[0]["id"])

    def _ticket(self, ticket_id: int) -> Doc:
        try:
            return self._account.writer.live(ticket_id, "GET")
        except FreshdeskError as error:
            raise NoSuchTicketError(ticket_id) from error

    def _status_number(self, word: Any) -> int:
        return status_number(word, self._account.fields.statuses())

    def _field_name(self, name: str) -> str:
        known = {field["label"]: str(field["name"]) for field in self._account.fields.custom()}
        return known.get(name, name)

    def _newest(self, limit: int) -> list[Doc]:
        state = self._account.core.state
        docs = state.page("ticket", sort="created", descending=True, limit=limit)
        return [self._account.writer.settled(doc) for doc in docs]

    def _row(self, ticket: Doc) -> TicketRow:
        people = self._account.people
        dues = (("first response", "fr_due_by"), ("resolution", "due_by"))
        return TicketRow(
            id=ticket["id"],
            subject=ticket["subject"],
            requester=people.name_of(ticket["requester_id"]),
            organization=people.company_name(ticket["company_id"]),
            channel=SOURCES.get(ticket["source"], str(ticket["source"])),
            status=STATUS_WORDS.get(ticket["status"], str(ticket["status"])),
            status_label=self._account.fields.statuses().get(ticket["status"], ""),
            priority=PRIORITY_WORDS[ticket["priority"]],
            priority_label=PRIORITIES[ticket["priority"]],
            type=ticket["type"] or "",
            tags=ticket["tags"],
            due=[
                Shown(label=label, value=ticket[name], kind="instant")
                for label, name in dues
                if ticket[name]
            ],
            sla=[one for one in self._fields(ticket) if one.label.startswith("SLA ") and one.value],
            created_at=ticket["created_at"],
            updated_at=ticket["updated_at"],
        )

    def _fields(self, ticket: Doc) -> list[Shown]:
        return [
            Shown(
                label=field["label"],
                value=_plain(ticket["custom_fields"].get(field["name"])),
                kind=_kind(field["label"]),
            )
            for field in self._account.fields.custom()
        ]

    def _comment(self, doc: Doc) -> Comment:
        return Comment(
            author=self._account.people.name_of(doc["user_id"]),
            by=Actor.CUSTOMER if doc["incoming"] else Actor.AGENT,
            public=not doc["private"],
            body=doc["body_text"],
            at=doc["created_at"],
        )


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _kind(label: str) -> str:
    if label.endswith(" at"):
        return "instant"
    return "state" if label == "SLA state" else "text"
