"""A ticket and what happened to it, in no vendor's words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Where a ticket stands."""

    NEW = "new"  #: nobody has taken it yet
    OPEN = "open"  #: ours to act
    PENDING = "pending"  #: waiting for the customer
    ON_HOLD = "on_hold"  #: waiting for somebody else
    SOLVED = "solved"  #: resolved; a customer's reply may reopen it
    CLOSED = "closed"  #: resolved for good
    UNKNOWN = "unknown"  #: a status that the mapping does not name; counts as open


DONE = frozenset({Status.SOLVED, Status.CLOSED})


class Channel(StrEnum):
    """How the ticket reached us."""

    EMAIL = "email"
    PORTAL = "portal"
    PHONE = "phone"
    CHAT = "chat"
    FORUM = "forum"
    SOCIAL = "social"
    OTHER = "other"  #: treated as portal by every policy


class TicketClass(StrEnum):
    """What kind of request it is (policy-semantics 3.1)."""

    INCIDENT = "incident"
    QUESTION = "question"
    DEFECT = "defect"
    DEFECT_CRITICAL = "defect_critical"
    ENHANCEMENT = "enhancement"
    COMPLAINT = "complaint"
    OTHER = "other"


class Cause(StrEnum):
    """Why a ticket waits (policy-semantics 3.8)."""

    CUSTOMER = "customer"
    THIRD_PARTY = "third_party"
    ACCESS = "access"
    MAINTENANCE = "maintenance"
    COMMERCIAL_HOLD = "commercial_hold"
    SUSPENSION = "suspension"
    INFORMATION = "information"


# The names under which a ticket's changing values stand in `Ticket.values` and in `Change.field`.
# Further names are the admin's mapped inputs (impact, category, workaround ...).
STATUS = "status"  #: a `Status` value
WAITING = "waiting"  #: a `Cause` value, or None
CLASS = "class"  #: a `TicketClass` value
PRIORITY = "priority"  #: rank of the helpdesk's own priority, "1" the most severe; None when unset
ASSESSED = "severity"  #: a severity id that an agent assessed in a mapped field
CANCELLED = "cancelled"  #: "merged", "deleted" or "spam"; None otherwise
PROMISED_UPDATE = "promised_update_at"  #: an instant, YYYY-MM-DDTHH:MM:SSZ

_SAME_INSTANT = {STATUS: 1, WAITING: 1}  # a reply (0) before a status before any other field


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A public reply by a human agent after the opening. Nothing else is ever a `Reply`."""

    at: datetime
    #: False when the source knows the instant only to the minute (+-60 s)
    exact: bool = True
    #: the vendor's own order of events within one instant, where it has one
    sequence: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One value of the ticket was changed."""

    at: datetime
    field: str
    before: str | None
    after: str | None
    #: True when nobody recorded the change and its instant is the best that the helpdesk still says
    inferred: bool = False
    sequence: int = 0

    @property
    def order(self) -> tuple[datetime, int, int]:
        """Events are ordered by instant, vendor's sequence, status before field."""
        return self.at, self.sequence, _SAME_INSTANT.get(self.field, 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """Something in the ticket that could not be read as it stands; a line of explanation."""

    code: str
    about: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """What a policy needs to know of a ticket. All instants are UTC, cut to the whole second."""

    id: str
    created_at: datetime
    #: the report; earlier than `created_at` when a mapped field says so (a call logged late)
    reported_at: datetime
    channel: Channel
    #: the values as they stand now, by the names above
    values: Mapping[str, str | None]
    #: the mapped inputs beside the built-in ones; a name that is missing is not mapped
    mapped: frozenset[str] = frozenset()
    replies: tuple[Reply, ...] = ()
    changes: tuple[Change, ...] = ()
    #: from this instant on `changes` is complete; None when the source keeps no history
    known_since: datetime | None = None
    #: True when support wrote first, so that no first response is owed
    outbound: bool = False
    organization: str | None = None
    plan: str | None = None
    remarks: tuple[Remark, ...] = ()
    _by_field: dict[str, tuple[Change, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        by_field: dict[str, list[Change]] = {}
        for change in sorted(self.changes, key=lambda change: change.order):
            by_field.setdefault(change.field, []).append(change)
        self._by_field.update((name, tuple(found)) for name, found in by_field.items())
        object.__setattr__(self, "replies", tuple(sorted(self.replies, key=lambda r: r.at)))

    @property
    def status(self) -> Status:
        """The status now."""
        return Status(self.values.get(STATUS) or Status.UNKNOWN)

    @property
    def ticket_class(self) -> TicketClass:
        """The class now; `other` when the helpdesk says nothing."""
        return TicketClass(self.values.get(CLASS) or TicketClass.OTHER)

    def changes_of(self, name: str) -> tuple[Change, ...]:
        """The recorded changes of one value, in order."""
        return self._by_field.get(name, ())

    def value_at(self, name: str, at: datetime) -> str | None:
        """The value at an instant, after everything that happened at that instant.

        Before the first recorded change the value is what that change replaced; without any change
        the present value counts as held since the report (policy-semantics 3.12).
        """
        changes = self.changes_of(name)
        if not changes:
            return self.values.get(name)
        held = changes[0].before
        for change in changes:
            if change.at > at:
                break
            held = change.after
        return held

    def is_known(self, at: datetime) -> bool:
        """Whether the recorded history reaches back to an instant."""
        return self.known_since is not None and self.known_since <= at

    def stretches(self, name: str, until: datetime) -> Iterator["Stretch"]:
        """The stretches during which one value was held, from the report to `until`, in order."""
        start, inferred = min(self.reported_at, until), False
        held = self.value_at(name, start)
        for change in self.changes_of(name):
            if change.at <= start or change.after == held:
                continue
            if change.at > until:
                break
            yield Stretch(value=held, start=start, end=change.at, inferred=inferred)
            held, start, inferred = change.after, change.at, change.inferred
        yield Stretch(value=held, start=start, end=None, inferred=inferred)

    def as_of(self, at: datetime) -> "Ticket":
        """The ticket as it stood at an instant: what happened later has not happened yet."""
        if not any(change.at > at for change in self.changes) and not any(
            reply.at > at for reply in self.replies
        ):
            return self
        values = {name: self.value_at(name, at) for name in {*self.values, *self._by_field}}
        return replace(
            self,
            values=values,
            changes=tuple(change for change in self.changes if change.at <= at),
            replies=tuple(reply for reply in self.replies if reply.at <= at),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A value held from `start` to `end` (None: still held), half-open."""

    value: str | None
    start: datetime
    end: datetime | None
    #: the start was not recorded; see `Change.inferred`
    inferred: bool = False
