"""What the page and the controls can do with a local helpdesk, whichever vendor it plays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.histories import Actor, History
from sandbox.state import Doc, Key


class DeskError(ValueError):
    """A change that this helpdesk refuses; the text says why."""


class NoSuchTicketError(LookupError):
    """There is no such ticket here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTicket:
    """A ticket to create. Words as in `Choices`; an empty word means none."""

    subject: str
    description: str
    requester: str = "customer@sandbox.test"
    organization: str = ""
    channel: str = "email"
    priority: str = ""
    type: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A reply or a note: who writes it, whether the customer sees it, and the text."""

    by: Actor
    public: bool
    body: str
    #: the note of a phone conversation
    phone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """An organization (company), and what is to stand in it; None leaves it as it is."""

    name: str
    domains: Sequence[str] | None = None
    tags: Sequence[str] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """The words that forms offer, each as (word, label)."""

    status: Sequence[tuple[str, str]]
    priority: Sequence[tuple[str, str]]
    type: Sequence[tuple[str, str]]
    channel: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One labelled value on the page; `kind` is `instant`, `state` or `text`."""

    label: str
    value: str
    kind: str = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketRow:
    """A ticket as the list shows it. `status` and the like are words of `Choices`."""

    id: int
    subject: str
    requester: str
    organization: str
    channel: str
    status: str
    status_label: str
    priority: str
    priority_label: str
    type: str
    tags: Sequence[str]
    due: Sequence[Shown]
    sla: Sequence[Shown]
    created_at: str
    updated_at: str
    deleted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """A message on the ticket page."""

    author: str
    by: Actor
    public: bool
    body: str
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketCard:
    """A ticket as its own page shows it."""

    row: TicketRow
    comments: Sequence[Comment]
    fields: Sequence[Shown] = field(default_factory=tuple)
    history: Sequence[str] = field(default_factory=tuple)


class Desk(Protocol):
    """A local helpdesk behind the page and the controls."""

    name: str
    choices: Choices

    def create(self, new: NewTicket) -> int:
        """Create a ticket and return its id."""

    def say(self, ticket_id: int, message: Message) -> None:
        """Add a reply or a note."""

    def edit(self, ticket_id: int, changes: Mapping[str, Any]) -> None:
        """Set status, priority, type, tags, subject or fields (by id, name or title)."""

    def delete(self, ticket_id: int) -> None:
        """Delete a ticket softly."""

    def put_customer(self, customer: Customer) -> int:
        """Create or change an organization, and return its id."""

    def documents(self, limit: int) -> list[Doc]:
        """The newest tickets as the vendor's API shows them."""

    def rows(self, limit: int) -> list[TicketRow]:
        """The newest tickets, newest first."""

    def card(self, ticket_id: int) -> TicketCard:
        """One ticket with its comments and fields."""

    def load(
        self, histories: Sequence[History], *, webhooks: bool = False, moved_now: bool = False
    ) -> list[int]:
        """Store whole histories with their own instants; returns the ids, in the same order."""

    def announce(self) -> int:
        """Tell the webhooks of every ticket as if it were new; returns how many there are."""

    def add_webhook(self, config: Mapping[str, Any]) -> Doc:
        """Register a webhook, or replace the one with the same URL."""

    def webhooks(self) -> list[Doc]:
        """The registered webhooks, secrets included."""

    def remove_webhook(self, key: Key) -> None:
        """Forget a webhook."""

    def switches(self) -> Mapping[str, Any]:
        """The vendor behaviours that nobody could confirm, and how they are set."""

    def set_switches(self, changes: Mapping[str, Any]) -> None:
        """Set some switches. Raises ValueError for an unknown one or an impossible value."""

    def revoke_tokens(self) -> None:
        """Let all access tokens be expired."""

    def close(self) -> None:
        """Stop background work."""


class Troubles:
    """What an administrator of the helpdesk may do to us; a desk that offers some derives from it.

    Each call raises DeskError where the helpdesk has no such thing.
    """

    def suspend(self, suspended: bool) -> None:
        """Suspend the account, so that every API call is refused, or let it work again."""
        raise _not_offered(f"suspended = {suspended}")

    def deactivate(self, deactivated: bool) -> None:
        """Deactivate the user (the key) that the API calls are made with, or reactivate it."""
        raise _not_offered(f"deactivated = {deactivated}")

    def delete_field(self, name: str) -> None:
        """Delete a ticket field (by id, name or title) with all its values."""
        raise _not_offered(f"to delete the field {name}")

    def retype_field(self, name: str, kind: str) -> None:
        """Replace a ticket field by one of the same name and the vendor's type `kind`.

        Its values are gone; where ids are numbers it has a new one. Raises DeskError for an
        unknown field or type.
        """
        raise _not_offered(f"to make the field {name} a {kind}")

    def hide_field(self, name: str, hidden: bool) -> None:
        """Take a ticket field off the ticket form, or put it back."""
        raise _not_offered(f"the field {name}: hidden = {hidden}")


def _not_offered(what: str) -> DeskError:
    return DeskError(f"not offered here: {what}")
