"""The port: what the engine needs of a helpdesk, in our words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from mappings.ticket import Change, Remark, Reply, Ticket

JSONObject = dict[str, Any]  # raw vendor JSON; never leaves a helpdesk's folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a helpdesk can do, so that nothing is faked where it cannot."""

    #: tickets that one bulk read takes; 1 where there is no bulk read by ids
    read_batch: int
    #: tickets that one bulk write takes; 0 where every ticket is written singly
    write_batch: int
    #: writes can be refused when the ticket changed since it was read
    safe_update: bool
    #: tags can be added and removed without replacing the others
    tag_verbs: bool
    #: deliveries carry an id by which a duplicate is known
    delivery_ids: bool
    #: the past of many tickets can be read at once, see `Helpdesk.events`
    event_export: bool = False
    #: it keeps the changes of a ticket, so that `Helpdesk.history` tells them
    keeps_changes: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wants:
    """What a policy needs beyond the ticket itself. Each of them may cost calls or credits."""

    #: the due instants that the helpdesk itself computed
    own_dues: bool = False
    #: the customer's organization: its plan and its domains
    organizations: bool = False
    #: phone conversations of an agent with the customer
    calls: bool = False
    #: whether there is a description, told by every read and by every page of changes
    description: bool = False


NOTHING_MORE = Wants()


EVENT = "event"  #: in the place of a field: something happened, and no value that we know moved


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What a delivery says about one value. Never written back from."""

    #: the value, by our name; or `EVENT`, from hooks that would have told of a value
    field: str
    before: str | None
    after: str | None
    #: None: the delivery does not say; the moment of its receipt is the best there is
    at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """A verified delivery: look at this ticket."""

    #: None for a verified event that is not about a ticket, and for the vendor's test call
    ticket_id: str | None
    #: the vendor's own id of the delivery; None where it gives none
    delivery_id: str | None = None
    #: id of the user who did it, where the delivery says so
    actor_id: str | None = None
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who we are on the helpdesk."""

    user_id: str
    name: str
    #: the vendor's own id of the account, where one call tells it
    account_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counters:
    """Figures that come with every read and move when something happened. None: not told."""

    #: public replies of agents
    replies: int | None = None
    #: all comments, notes, calls and the opening included; told by Zendesk alone
    comments: int | None = None
    reopens: int | None = None
    latest_comment_at: datetime | None = None
    status_updated_at: datetime | None = None
    #: moves when a phone conversation may have been added; told only where the policy takes them
    possible_call_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One look at a ticket."""

    ticket: Ticket
    #: the vendor's own "last updated" instant
    updated_at: datetime
    counters: Counters
    #: our output fields as they stand, by our names; a field that the account lacks is missing
    fields: Mapping[str, str | None]
    #: all tags of the ticket
    tags: frozenset[str]
    #: why the ticket takes no writes; None when it does
    read_only: str | None = None
    #: the helpdesk's id of the customer, so that he can be forgotten; None: not told
    requester_id: str | None = None
    #: the read showed one ticket alone, so that its tags may be replaced (Freshdesk)
    single: bool = False
    #: what the vendor's folder needs to write back (ids, stamps); opaque to the engine
    raw: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What the helpdesk itself tells of a ticket's past."""

    replies: tuple[Reply, ...]
    changes: tuple[Change, ...]
    #: from this instant on `changes` is complete; None when only the replies are told
    known_since: datetime | None
    #: what in it could not be read as it stands
    remarks: tuple[Remark, ...] = ()
    #: phone conversations of a human agent with the customer
    calls: tuple[Reply, ...] = ()
    #: values whose changes it never tells, such as those of the customer's organization
    untold: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Desired:
    """What should stand in the ticket."""

    #: our name -> value, in the forms of interfaces.md; None is empty
    fields: Mapping[str, str | None]
    #: exactly our own tags
    tags: frozenset[str]
    #: every tag that is ours to set and to remove
    own_tags: frozenset[str]
    #: first response and resolution due, for helpdesks with native due dates; None: no due instant
    first_response_due_at: datetime | None
    resolution_due_at: datetime | None
    #: False: leave the helpdesk's own due dates alone and write ours into fields of our own, though
    #: the account is in native mode, because it refused them on this ticket (`DatesRefused`)
    native: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One ticket's difference, ready to be sent by the helpdesk that made it."""

    ticket_id: str
    #: our names of what is written, with the values; for the evidence and for the brakes
    fields: Mapping[str, str | None]
    add_tags: frozenset[str] = frozenset()
    remove_tags: frozenset[str] = frozenset()
    #: lines for the explanation, such as a native order that had to be repaired
    remarks: tuple[str, ...] = ()
    #: tags can only be sent after a single read that is less than 2 s old (Freshdesk)
    needs_single_read: bool = False
    #: seconds after which a read shows whether the helpdesk let it stand; None: the write tells
    verify_after: float | None = None
    #: the vendor's body; opaque to the engine
    body: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """How one ticket of a bulk write ended."""

    ticket_id: str
    #: None when it was written
    error: Exception | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A bulk write as the helpdesk sees it."""

    id: str
    done: bool
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockSample:
    """The helpdesk's clock as one response showed it."""

    #: the `Date` header, UTC, whole seconds
    shown: datetime
    #: `time.monotonic()` when the response arrived, seconds
    received: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of what changed, the oldest change first. The same ticket may come several times."""

    readings: tuple[Reading, ...]
    #: where the next page begins, as JSON; opaque to the engine, stored once the page is done
    cursor: JSONObject
    #: nothing more at the moment; `cursor` serves to ask again later
    end: bool
    #: all changes before this instant of the helpdesk's clock have been shown; None: not told
    position: datetime | None = None
    #: tickets that changed and could not be understood here; a single look says what is wrong
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """One page of what happened to tickets, for `Helpdesk.history` of each of them later."""

    #: ticket -> rows, as JSON and without any text that somebody wrote; opaque to the engine
    rows: Mapping[str, tuple[JSONObject, ...]]
    cursor: JSONObject
    end: bool
    position: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What the rate budget leaves at the moment."""

    #: tickets that can be read and written now
    tickets: int
    #: seconds until there is more; 0 when nothing is spent
    wait: float = 0.0


class Helpdesk(Protocol):
    """One account on one helpdesk. Every method speaks our words; the vendor's stay in its folder.

    Calls raise `connector.errors`: an `AccountError` when the account is to blame, a `TicketError`
    when one ticket is.
    """

    kind: str
    capabilities: Capabilities

    def identify(self) -> Identity:
        """Say who we are there. The cheapest call that proves the credentials."""

    def prepare(self) -> tuple[str, ...]:
        """Read the account's field catalogue; returns what an admin should know, a line each."""

    def receive(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Verify a delivery. Pure; header names are lower case.

        Raises `UnverifiedWebhook`, or `UnreadableWebhook` when it is genuine but names no ticket.
        """

    def read(self, ticket_id: str) -> Reading:
        """Look at one ticket. Raises `TicketNotFound`."""

    def read_many(self, ticket_ids: Sequence[str]) -> Sequence[Reading]:
        """Look at up to `capabilities.read_batch` tickets; those that are not there are missing."""

    def refresh(self, reading: Reading) -> Reading:
        """The same ticket, read singly this moment and as cheaply as the helpdesk allows.

        Raises `TicketNotFound`.
        """

    def history(self, reading: Reading, rows: Sequence[JSONObject] | None = None) -> History:
        """What the helpdesk keeps of the ticket's past, all public replies included.

        `rows`: what `events` told of the ticket since it was created; then the ticket's own past is
        not read again.
        """

    def changes(self, cursor: JSONObject | None, since: datetime) -> Page:
        """One page of tickets that changed, deleted ones included, the oldest change first.

        `cursor` is that of the page before; without one it begins at `since`.
        """

    def events(self, cursor: JSONObject | None, since: datetime) -> EventPage:
        """One page of what happened to all tickets. Only where `capabilities.event_export`."""

    def oldest_open(self) -> datetime | None:
        """About when the oldest ticket that is not solved was created; None: there is none."""

    def count(self) -> int | None:
        """About how many tickets there are; None where the helpdesk does not tell."""

    def room(self) -> Room:
        """How many tickets can be read and written within the rate budget now. Makes no call."""

    def plan(self, reading: Reading, desired: Desired) -> Plan | None:
        """Desired minus observed; None when nothing differs. Pure."""

    def write(self, plan: Plan) -> None:
        """Write one ticket."""

    def write_many(self, plans: Sequence[Plan]) -> Job:
        """Start a bulk write of up to `capabilities.write_batch` tickets."""

    def jobs(self, job_ids: Sequence[str]) -> Sequence[Job]:
        """How bulk writes stand; a job that the helpdesk no longer knows is missing."""

    def add_note(self, ticket_id: str, text: str) -> None:
        """Write a private note into a ticket. Doing it twice makes two.

        `text` is plain; its lines stay lines.
        """

    def has_note(self, ticket_id: str, marker: str, since: datetime) -> bool:
        """Whether a note of the ticket, written at `since` or later, holds `marker`.

        Raises `TicketNotFound`.
        """

    def clock_samples(self) -> Sequence[ClockSample]:
        """The clock readings since the last call of this method."""
