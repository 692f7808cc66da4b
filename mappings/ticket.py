"""A ticket and what happened to it, in no vendor's words."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple


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
MERGED = "merged"
DESCRIPTION = "description"  #: "filled" or None; the text itself is never kept
PROMISED_UPDATE = "promised_update_at"  #: an instant, YYYY-MM-DDTHH:MM:SSZ

# Events are ordered by instant, then by the vendor's sequence, then by what they are.
Order = tuple[datetime, int, int]
_REPLY, _STATUS, _FIELD = 0, 1, 2
_KINDS = {STATUS: _STATUS, WAITING: _STATUS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A public reply by a human agent after the opening. Nothing else is ever a `Reply`."""

    at: datetime
    #: False when the source knows the instant only to the minute (+-60 s)
    exact: bool = True
    #: the vendor's own order of events within one instant, where it has one
    sequence: int = 0

    @property
    def order(self) -> Order:
        """Where it stands among the events of its ticket."""
        return self.at, self.sequence, _REPLY


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
    #: whether a human agent made it; None where the helpdesk does not say who did
    by_agent: bool | None = None

    @property
    def order(self) -> Order:
        """Where it stands among the events of its ticket."""
        return self.at, self.sequence, _KINDS.get(self.field, _FIELD)


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
    #: phone conversations of a human agent with the customer; a policy may take one for a reply
    calls: tuple[Reply, ...] = ()
    changes: tuple[Change, ...] = ()
    #: from this instant on `changes` is complete; None when the source keeps no history
    known_since: datetime | None = None
    #: True when support wrote first, so that no first response is owed
    outbound: bool = False
    organization: str | None = None
    #: mail domains of the organization, in lower case
    domains: tuple[str, ...] = ()
    #: the plans that the customer holds, in lower case
    plans: tuple[str, ...] = ()
    #: metric -> the due instant that the helpdesk itself computed, for policies that inherit it
    own_dues: Mapping[str, datetime] = field(default_factory=dict)
    #: values of which nobody keeps a history, such as those of the organization
    unrecorded: frozenset[str] = frozenset()
    remarks: tuple[Remark, ...] = ()
    _by_field: dict[str, tuple[Change, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        if len(self.replies) > 1:
            object.__setattr__(self, "replies", tuple(sorted(self.replies, key=_reply_order)))
        if len(self.calls) > 1:
            object.__setattr__(self, "calls", tuple(sorted(self.calls, key=_reply_order)))
        if len(self.changes) > 1:
            object.__setattr__(self, "changes", tuple(sorted(self.changes, key=_by_order)))

    @property
    def status(self) -> Status:
        """The status now."""
        return Status(self.values.get(STATUS) or Status.UNKNOWN)

    @property
    def is_done(self) -> bool:
        """Whether it is solved or closed now."""
        return self.values.get(STATUS) in DONE

    @property
    def ticket_class(self) -> TicketClass:
        """The class now; `other` when the helpdesk says nothing."""
        return TicketClass(self.values.get(CLASS) or TicketClass.OTHER)

    def changes_of(self, name: str) -> tuple[Change, ...]:
        """The recorded changes of one value, in order."""
        if not self.changes:
            return ()
        found = self._by_field.get(name)
        if found is None:
            found = self._by_field[name] = _chained([c for c in self.changes if c.field == name])
        return found

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

    def is_mapped(self, name: str) -> bool:
        """Whether the helpdesk has a field for a value, filled or not."""
        return name in self.values or name in self.mapped

    def filled_since(self, name: str, until: datetime) -> "Stretch | None":
        """The stretch up to `until` during which a value has been filled without a break."""
        found: Stretch | None = None
        for stretch in self.stretches(name, until):
            if not stretch.value:
                found = None
            elif found is None:
                found = stretch
        return found

    def stretches(self, name: str, until: datetime) -> Iterator["Stretch"]:
        """The stretches during which one value was held, from the report to `until`, in order."""
        since = start = min(self.reported_at, until)
        held, inferred, sequence = self.value_at(name, start), False, 0
        for change in self.changes_of(name):
            if change.at <= since or change.after == held:
                continue
            if change.at > until:
                break
            if change.at > start:  # of several changes within one second the last one holds
                yield Stretch(
                    value=held, start=start, end=change.at, inferred=inferred, sequence=sequence
                )
            held, start = change.after, change.at
            inferred, sequence = change.inferred, change.sequence
        yield Stretch(value=held, start=start, end=None, inferred=inferred, sequence=sequence)

    def done(self, until: datetime) -> list["Stretch"]:
        """The stretches during which the ticket was solved or closed; each ends at a reopen."""
        found: list[Stretch] = []
        if not self.is_done and not self.changes_of(STATUS):
            return found
        for stretch in self.stretches(STATUS, until):
            if stretch.value not in DONE:
                continue
            if found and found[-1].end == stretch.start:
                found[-1] = found[-1]._replace(end=stretch.end)
            else:
                found.append(stretch)
        return found

    def as_of(self, at: datetime) -> "Ticket":
        """The ticket as it stood at an instant: what happened later has not happened yet."""
        return self._cut(
            bisect_right(self.changes, at, key=_at),
            bisect_right(self.replies, at, key=_at),
            bisect_right(self.calls, at, key=_at),
        )

    def just_before(self, at: datetime, sequence: int) -> "Ticket":
        """The ticket as it stood just before an event: a reply, or a change of status or field.

        A reply and a change that came with it are one event; the reply comes first.
        """
        event = (at, sequence, _REPLY)
        return self._cut(
            bisect_right(self.changes, event, key=_by_order),
            bisect_left(self.replies, event, key=_by_order),
            bisect_left(self.calls, event, key=_by_order),
        )

    def _cut(self, changes: int, replies: int, calls: int) -> "Ticket":
        """With only the first so many changes, replies and calls."""
        if (changes, replies, calls) == (len(self.changes), len(self.replies), len(self.calls)):
            return self
        dropped = [change.field for change in self.changes[changes:]]
        values, chains = dict(self.values), dict(self._by_field)
        for name in set(dropped):
            chain = self.changes_of(name)
            kept = chains[name] = chain[: len(chain) - dropped.count(name)]
            values[name] = kept[-1].after if kept else chain[0].before
        found = replace(
            self,
            values=values,
            changes=self.changes[:changes],
            replies=self.replies[:replies],
            calls=self.calls[:calls],
        )
        found._by_field.update(chains)
        return found


class Stretch(NamedTuple):
    """A value held from `start` to `end` (None: still held), half-open."""

    value: str | None
    start: datetime
    end: datetime | None
    #: the start was not recorded; see `Change.inferred`
    inferred: bool = False
    #: the vendor's own order of the event that began it
    sequence: int = 0


_at = attrgetter("at")
_by_order = attrgetter("order")


def _reply_order(reply: Reply) -> tuple[Order, bool]:
    return reply.order, not reply.exact


def _chained(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes of one value; those of the same order as each goes on from the one before."""
    found: list[Change] = []
    for _, group in groupby(changes, key=_by_order):
        tied = list(group)
        while tied:
            held = found[-1].after if found else None
            found.append(_next_of(tied, held) if len(tied) > 1 else tied[0])
            tied.remove(found[-1])
    return tuple(found)


def _next_of(tied: Sequence[Change], held: str | None) -> Change:
    """Where a vendor gives no order, the chain of values does; the words decide what is left."""
    ends = {change.after for change in tied}
    return min(
        tied,
        key=lambda one: (one.before != held, one.before in ends, one.before or "", one.after or ""),
    )
