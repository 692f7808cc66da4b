"""The local Zendesk as the sandbox's page and controls use it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sandbox.bodies import object_id
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
from sandbox.histories import Actor, History
from sandbox.state import Doc, Key
from sandbox.zendesk import hooks
from sandbox.zendesk.account import Account
from sandbox.zendesk.changes import PRIORITIES, STATUSES, TYPES
from sandbox.zendesk.errors import ZendeskError
from sandbox.zendesk.loading import Loader
from sandbox.zendesk.render import shown_ticket

CHANNELS = {"web": "Web form", "email": "E-mail", "chat": "Chat", "api": "API", "voice": "Phone"}
_STATUS_LABELS = {status: status.capitalize() for status in STATUSES} | {"hold": "On hold"}
_EVENTS = [hooks.PREFIX + name for name in hooks.EVENT_NAMES]


def _words(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((word, word.capitalize()) for word in words)


class ZendeskDesk(Troubles):
    """Implements `sandbox.desk.Desk`, and all of its `Troubles`."""

    name = "Zendesk"
    choices = Choices(
        status=tuple(_STATUS_LABELS.items()),
        priority=(("", "None"), *_words(PRIORITIES)),
        type=(("", "None"), *_words(TYPES)),
        channel=tuple(CHANNELS.items()),
    )

    def __init__(self, account: Account) -> None:
        self._account = account
        self._loader = Loader(account)

    def create(self, new: NewTicket) -> int:
        """Create a ticket as the customer."""
        people = self._account.people
        address = new.requester if "@" in new.requester else None
        name = new.requester.split("@")[0].replace(".", " ").title() if address else new.requester
        requester = people.ensure_user(name, email=address, organization=new.organization or None)
        body = {
            "subject": new.subject,
            "comment": {"body": new.description or new.subject},
            "requester_id": requester["id"],
            "priority": new.priority or None,
            "type": new.type or None,
            "tags": list(new.tags),
        }
        channel = {"phone": "voice"}.get(new.channel, new.channel)
        return int(self._do(self._account.create, body, author=requester, channel=channel)["id"])

    def say(self, ticket_id: int, message: Message) -> None:
        """Add a comment as the customer, or as the assignee (the first agent without one)."""
        ticket = self._ticket(ticket_id)
        author = self._author(ticket, message.by)
        kind = "VoiceComment" if message.phone else "Comment"
        body: Doc = {"comment": {"body": message.body, "public": message.public, "type": kind}}
        if message.by is Actor.AGENT and message.public and ticket["assignee_id"] is None:
            body["assignee_id"] = author["id"]
        channel = "web" if message.by is Actor.AGENT else ticket["via"]["channel"]
        self._do(self._account.update, ticket_id, body, author=author, channel=channel)

    def edit(self, ticket_id: int, changes: Mapping[str, Any]) -> None:
        """Set values as an agent in the agents' own screen."""
        author = self._author(self._ticket(ticket_id), Actor.AGENT)
        named = changes.get("fields") or {}
        body = {key: value for key, value in changes.items() if key != "fields"}
        body["custom_fields"] = [
            {"id": self._field_id(name), "value": value} for name, value in named.items()
        ]
        self._do(self._account.update, ticket_id, body, author=author, channel="web")

    def delete(self, ticket_id: int) -> None:
        """Delete a ticket softly."""
        author = self._author(self._ticket(ticket_id), Actor.AGENT)
        self._account.writer.delete(ticket_id, actor=author["id"])

    def put_customer(self, customer: Customer) -> int:
        """Create or change an organization."""
        return int(self._account.people.put_organization(customer)["id"])

    def documents(self, limit: int) -> list[Doc]:
        """The newest tickets as the API shows them."""
        fields = self._account.fields
        return [shown_ticket(ticket, "", fields) for ticket in self._newest(limit)]

    def rows(self, limit: int) -> list[TicketRow]:
        """The newest tickets, newest first."""
        return [self._row(ticket) for ticket in self._newest(limit)]

    def card(self, ticket_id: int) -> TicketCard:
        """One ticket with comments, fields and audit trail."""
        ticket = self._ticket(ticket_id)
        state = self._account.core.state
        comments = [self._comment(doc) for doc in state.children("comment", ticket_id)]
        history = [self._line(doc) for doc in state.children("audit", ticket_id)]
        return TicketCard(
            row=self._row(ticket), comments=comments, fields=self._fields(ticket), history=history
        )

    def load(
        self, histories: Sequence[History], *, webhooks: bool = False, moved_now: bool = False
    ) -> list[int]:
        """Store whole histories."""
        try:
            return self._loader.load(histories, webhooks=webhooks, moved_now=moved_now)
        except ZendeskError as error:
            raise DeskError(error.description) from error

    def announce(self) -> int:
        """Tell the webhooks of every ticket as if it were new."""
        tickets = self._newest(10**6)
        with self._account.core.state.writing():
            for ticket in tickets:
                self._account.writer.announce(ticket, actor=ticket["requester_id"])
        return len(tickets)

    def add_webhook(self, config: Mapping[str, Any]) -> Doc:
        """Register a webhook; `{"url": …, "secret": …}` is enough."""
        triggered = config.get("kind") == "trigger"
        wanted = {
            "name": config.get("name") or "SLA connector",
            "endpoint": config.get("url") or config.get("endpoint"),
            "subscriptions": [hooks.TRIGGERED] if triggered else _EVENTS,
            "custom_headers": config.get("headers") or {},
        }
        known = ("subscriptions", "authentication", "status", "secret", "template")
        wanted |= {name: config[name] for name in known if config.get(name)}
        try:
            author = self._account.people.api_user["id"]
            return self._account.hooks.put(wanted, created_by=author)
        except ZendeskError as error:
            raise DeskError(error.description) from error

    def webhooks(self) -> list[Doc]:
        """The registered webhooks with their secrets."""
        return [
            {**hooks.shown(hook), "secret": hook["_secret"]} for hook in self._account.hooks.all()
        ]

    def remove_webhook(self, key: Key) -> None:
        """Forget a webhook."""
        self._account.hooks.remove(key)

    def switches(self) -> Mapping[str, Any]:
        """The unconfirmed behaviours and how they are set."""
        return asdict(self._account.book.switches)

    def set_switches(self, changes: Mapping[str, Any]) -> None:
        """Set some switches."""
        self._account.set_switches(changes)

    def revoke_tokens(self) -> None:
        """Let all access tokens be expired."""
        self._account.oauth.revoke_all()

    def suspend(self, suspended: bool) -> None:
        """Suspend the account, or let it work again."""
        self._account.core.state.remember("suspended", suspended)

    def deactivate(self, deactivated: bool) -> None:
        """Deactivate the user that the API calls are made with, or reactivate it."""
        people = self._account.people
        people.suspend(people.api_user["id"], deactivated)

    def delete_field(self, name: str) -> None:
        """Delete a ticket field with all its values."""
        self._account.fields.remove(self._custom_field(name)["id"])

    def retype_field(self, name: str, kind: str) -> None:
        """Replace a ticket field by a new one with the same title and another type."""
        old = self._custom_field(name)
        wanted: Doc = {"type": kind, "title": old["title"]}
        if kind in ("tagger", "multiselect"):
            prefix = f"option_{old['id']}"
            wanted["custom_field_options"] = [{"name": "One", "value": f"{prefix}_one"}]
        try:
            self._account.fields.create(wanted)
        except ZendeskError as error:
            raise DeskError(error.description) from error
        self._account.fields.remove(old["id"])

    def hide_field(self, name: str, hidden: bool) -> None:
        """Take a ticket field off the ticket form, or put it back."""
        self._account.form.hide(self._custom_field(name)["id"], hidden)

    def close(self) -> None:
        """Stop the jobs."""
        self._account.jobs.close()

    def _do(self, call: Any, *arguments: Any, **named: Any) -> Doc:
        try:
            return dict(call(*arguments, **named).ticket)
        except ZendeskError as error:
            raise DeskError(error.description) from error

    def _ticket(self, ticket_id: int) -> Doc:
        try:
            return self._account.writer.require(ticket_id)
        except ZendeskError as error:
            raise NoSuchTicketError(ticket_id) from error

    def _author(self, ticket: Doc, by: Actor) -> Doc:
        people = self._account.people
        if by is Actor.CUSTOMER:
            return people.users[ticket["requester_id"]]
        return people.users.get(ticket["assignee_id"]) or people.agents[0]

    def _field_id(self, name: str) -> int:
        field = self._account.fields.by_title(name)
        field_id = field["id"] if field else object_id(name)
        if field_id is None:
            message = f"there is no ticket field titled {name!r}"
            raise DeskError(message)
        return int(field_id)

    def _custom_field(self, name: str) -> Doc:
        field = self._account.fields.by_id.get(self._field_id(name))
        if field is None or not field["removable"]:
            message = f"there is no custom ticket field {name!r}"
            raise DeskError(message)
        return field

    def _newest(self, limit: int) -> list[Doc]:
        state = self._account.core.state
        return state.page("ticket", sort="created", descending=True, limit=limit)

    def _row(self, ticket: Doc) -> TicketRow:
        people = self._account.people
        fields = self._fields(ticket)
        return TicketRow(
            id=ticket["id"],
            subject=ticket["subject"],
            requester=people.name_of(ticket["requester_id"]),
            organization=people.organization_name(ticket["organization_id"]),
            channel=CHANNELS.get(ticket["via"]["channel"], ticket["via"]["channel"]),
            status=ticket["status"],
            status_label=_STATUS_LABELS[ticket["status"]],
            priority=ticket["priority"] or "",
            priority_label=(ticket["priority"] or "none").capitalize(),
            type=ticket["type"] or "",
            tags=ticket["tags"],
            due=(),
            sla=[one for one in fields if one.label.startswith("SLA ") and one.value],
            created_at=ticket["created_at"],
            updated_at=ticket["updated_at"],
        )

    def _fields(self, ticket: Doc) -> list[Shown]:
        return [
            Shown(
                label=field["title"],
                value=_plain(ticket["_values"].get(str(field["id"]))),
                kind=_kind(field["title"]),
            )
            for field in self._account.fields.custom()
        ]

    def _comment(self, doc: Doc) -> Comment:
        by_agent = self._account.people.is_agent(doc["author_id"])
        return Comment(
            author=self._account.people.name_of(doc["author_id"]),
            by=Actor.AGENT if by_agent else Actor.CUSTOMER,
            public=doc["public"],
            body=doc["body"],
            at=doc["created_at"],
        )

    def _line(self, audit: Doc) -> str:
        what = ", ".join(self._event_words(event) for event in audit["events"])
        who = self._account.people.name_of(audit["author_id"])
        return f"{audit['created_at']} · {who} via {audit['via']['channel']}: {what}"

    def _event_words(self, event: Doc) -> str:
        if event["type"] in ("Comment", "VoiceComment"):
            what = "call" if event["type"] == "VoiceComment" else "comment"
            return f"public {what}" if event["public"] else f"private {what}"
        name = str(event["field_name"])
        field = self._account.fields.by_id.get(int(name)) if name.isdigit() else None
        title = field["title"] if field else name
        before = f"{_plain(event['previous_value'])} → " if event.get("previous_value") else ""
        return f"{title}: {before}{_plain(event['value']) or 'empty'}"


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _kind(title: str) -> str:
    if title.endswith(" at"):
        return "instant"
    return "state" if title == "SLA state" else "text"
