"""A helpdesk in memory that does at once, and in the same order each time, what it is asked.

It stands for the vendor where a test must decide what happens between any two calls: `Vendor` is
what they have, `Client` is the port by which one worker calls it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from connector.errors import TicketNotFound, WriteConflict
from connector.helpdesks.base import (
    Capabilities,
    ClockSample,
    Counters,
    Desired,
    EventPage,
    Hint,
    History,
    Identity,
    Job,
    JSONObject,
    Page,
    Plan,
    Reading,
    Room,
    Row,
)
from mappings.ticket import DONE, PRIORITY, STATUS, Change, Channel, Reply, Ticket

T = TypeVar("T")

PAGE = 3  # tickets of a page of changes
OURSELVES = "us"
EVER = datetime.min.replace(tzinfo=UTC)
BULK = Capabilities(
    read_batch=100, write_batch=100, safe_update=True, tag_verbs=True, delivery_ids=True,
    keeps_changes=True,
)  # fmt: skip
SINGLE = Capabilities(
    read_batch=1, write_batch=0, safe_update=False, tag_verbs=False, delivery_ids=False
)


@dataclass(kw_only=True)
class Clock:
    """What the database's clock says, epoch seconds; it moves when it is told to."""

    at: float
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def move(self, seconds: float) -> None:
        """Let so much time pass; the databases' clocks have milliseconds."""
        with self._guard:
            self.at = round(self.at + seconds, 3)


@dataclass(kw_only=True)
class Card:
    """A ticket as the vendor has it."""

    id: str
    created_at: datetime
    priority: str
    status: str = "open"
    replies: list[Reply] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    #: private notes: when, and the text
    notes: list[tuple[datetime, str]] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    fields: dict[str, str | None] = field(default_factory=dict)
    updated_at: datetime = EVER
    version: int = 0
    #: what the next writes of it are answered with
    refusals: list[Exception] = field(default_factory=list)
    #: so many reads of it give an answer that cannot be understood
    poison: int = 0

    @property
    def is_done(self) -> bool:
        """Whether it is solved."""
        return self.status in DONE

    def ticket(self) -> Ticket:
        """It in our words, with its whole past."""
        return Ticket(
            id=self.id,
            created_at=self.created_at,
            reported_at=self.created_at,
            channel=Channel.PORTAL,
            values={PRIORITY: self.priority, STATUS: self.status},
            replies=tuple(self.replies),
            changes=tuple(self.changes),
            known_since=self.created_at,
        )


@dataclass(kw_only=True)
class Bulk:
    """A bulk write that the vendor has taken."""

    plans: Sequence[Plan]
    due: float
    #: it does as it was told, but forgets that it was asked
    lost: bool = False
    rows: tuple[Row, ...] = ()
    done: bool = False


class Vendor:
    """A helpdesk account."""

    def __init__(self, clock: Clock, *, call_seconds: float = 0.02) -> None:
        self.clock = clock
        self.call_seconds = call_seconds
        #: our clock's distance to theirs, seconds
        self.ahead = 0.0
        self.cards: dict[str, Card] = {}
        #: tickets in the order of their changes, for the pages of changes
        self.changed: list[str] = []
        self.bulks: dict[str, Bulk] = {}
        self.bulk_seconds = 0.0
        #: the next bulk write: None, or "forgotten" or "dropped" (forgotten, and not done either)
        self.trouble: str | None = None
        #: every write that came to something: the ticket, and whether it changed anything
        self.written: list[tuple[str, bool]] = []

    def now(self) -> datetime:
        """The vendor's clock, UTC, whole seconds as it shows it."""
        return datetime.fromtimestamp(int(self.clock.at + self.ahead), UTC)

    def create(self, priority: str) -> Card:
        """A new ticket."""
        card = Card(id=str(len(self.cards) + 1), created_at=self.now(), priority=priority)
        self.cards[card.id] = card
        self.touch(card)
        return card

    def change(self, card: Card, name: str, value: str) -> None:
        """Somebody changes a ticket's priority or status."""
        before = getattr(card, name)
        if before != value:
            order = len(card.changes)
            card.changes.append(
                Change(at=self.now(), field=name, before=before, after=value, sequence=order)
            )
            setattr(card, name, value)
        self.touch(card)

    def reply(self, card: Card) -> None:
        """An agent writes to the customer."""
        card.replies.append(Reply(at=self.now()))
        self.touch(card)

    def note(self, ticket_id: str, text: str) -> None:
        """A private note."""
        card = self.cards[ticket_id]
        card.notes.append((self.now(), text))
        self.touch(card)

    def touch(self, card: Card, at: datetime | None = None) -> None:
        """It was updated."""
        card.updated_at = max(card.updated_at, at or self.now())
        card.version += 1
        self.changed.append(card.id)

    def put(self, plan: Plan, at: datetime | None = None) -> None:
        """Carry a write out. Raises what it is refused with."""
        card = self.cards[plan.ticket_id]
        if card.refusals:
            raise card.refusals.pop(0)
        if plan.body.get("version", card.version) != card.version:
            raise WriteConflict(f"ticket {card.id} was changed meanwhile")
        tags = set(plan.body["tags"]) if "tags" in plan.body else card.tags
        tags = (tags | plan.add_tags) - plan.remove_tags
        fields = {**card.fields, **plan.fields}
        is_new = (tags, fields) != (card.tags, card.fields)
        self.written.append((card.id, is_new))
        if is_new:
            card.tags, card.fields = tags, fields
            self.touch(card, at)

    def work_off(self) -> None:
        """Carry out the bulk writes whose time has come."""
        for bulk in self.bulks.values():
            if not bulk.done and bulk.due <= self.clock.at:
                bulk.done = True
                at = datetime.fromtimestamp(int(bulk.due + self.ahead), UTC)
                bulk.rows = tuple(self._row(plan, at) for plan in bulk.plans)

    def _row(self, plan: Plan, at: datetime) -> Row:
        try:
            self.put(plan, at)
        except Exception as error:
            return Row(ticket_id=plan.ticket_id, error=error)
        return Row(ticket_id=plan.ticket_id)


#: "before" or "after", and the name of the call
Meet = Callable[[str, str], None]


class Client:
    """The vendor as one worker calls it; `meet` may act or raise around each call."""

    kind = "in_memory"

    def __init__(
        self, vendor: Vendor, capabilities: Capabilities, meet: Meet, monotonic: Callable[[], float]
    ) -> None:
        self.capabilities = capabilities
        self._vendor = vendor
        self._meet = meet
        self._monotonic = monotonic
        self._samples: list[ClockSample] = []

    def _call(self, name: str, work: Callable[[], T]) -> T:
        self._meet("before", name)
        self._vendor.clock.move(self._vendor.call_seconds)
        self._vendor.work_off()
        answer = work()
        sample = ClockSample(shown=self._vendor.now(), received=self._monotonic())
        self._samples.append(sample)
        self._meet("after", name)
        return answer

    def identify(self) -> Identity:
        return self._call("identify", lambda: Identity(user_id=OURSELVES, name="deskclock"))

    def prepare(self) -> tuple[str, ...]:
        return ()

    def receive(self, headers: Mapping[str, str], body: bytes) -> Hint:
        raise NotImplementedError  # deliveries are handed to the intake as hints

    def read(self, ticket_id: str) -> Reading:
        def work() -> Reading:
            card = self._vendor.cards.get(ticket_id)
            if card is None:
                raise TicketNotFound
            return self._read(card, single=True)

        return self._call("read", work)

    def refresh(self, reading: Reading) -> Reading:
        return self.read(reading.ticket.id)

    def read_many(self, ticket_ids: Sequence[str]) -> Sequence[Reading]:
        cards = self._vendor.cards
        return self._call(
            "read_many", lambda: [self._read(cards[one]) for one in ticket_ids if one in cards]
        )

    def _read(self, card: Card, *, single: bool = False) -> Reading:
        if card.poison:
            card.poison -= 1
            raise ValueError(f"ticket {card.id} cannot be understood")
        ticket, latest = card.ticket(), [one.at for one in card.changes if one.field == STATUS]
        return Reading(
            ticket=ticket,
            updated_at=card.updated_at,
            counters=Counters(
                replies=len(card.replies), status_updated_at=latest[-1] if latest else None
            ),
            fields=dict(card.fields),
            tags=frozenset(card.tags),
            single=single,
            raw={"version": card.version},
        )

    def history(self, reading: Reading, rows: Sequence[JSONObject] | None = None) -> History:
        card = self._vendor.cards[reading.ticket.id]
        return self._call(
            "history",
            lambda: History(
                replies=tuple(card.replies),
                changes=tuple(card.changes),
                known_since=card.created_at,
            ),
        )

    def changes(self, cursor: JSONObject | None, since: datetime) -> Page:
        def work() -> Page:
            log, start = self._vendor.changed, int((cursor or {"seen": 0})["seen"])
            end = min(start + PAGE, len(log))
            cards = [self._vendor.cards[one] for one in dict.fromkeys(log[start:end])]
            return Page(
                readings=tuple(self._read(one) for one in cards if not one.poison),
                unread=tuple(one.id for one in cards if one.poison),
                cursor={"seen": end},
                end=end == len(log),
            )

        return self._call("changes", work)

    def events(self, cursor: JSONObject | None, since: datetime) -> EventPage:
        raise NotImplementedError  # there is no event export

    def oldest_open(self) -> datetime | None:
        return None

    def count(self) -> int | None:
        return len(self._vendor.cards)

    def room(self) -> Room:
        return Room(tickets=100)

    def plan(self, reading: Reading, desired: Desired) -> Plan | None:
        fields = {
            name: value
            for name, value in desired.fields.items()
            if reading.fields.get(name) != value
        }
        add = desired.tags - reading.tags
        remove = (reading.tags & desired.own_tags) - desired.tags
        if not (fields or add or remove):
            return None
        plan = Plan(ticket_id=reading.ticket.id, fields=fields, add_tags=add, remove_tags=remove)
        if self.capabilities.tag_verbs:
            return replace(plan, body={"version": reading.raw["version"]})
        if not (add or remove):
            return plan
        tags = sorted((reading.tags | add) - remove)
        return replace(plan, body={"tags": tags}, needs_single_read=not reading.single)

    def write(self, plan: Plan) -> None:
        self._call("write", lambda: self._vendor.put(plan))

    def write_many(self, plans: Sequence[Plan]) -> Job:
        def work() -> Job:
            vendor, name = self._vendor, f"job {len(self._vendor.bulks) + 1}"
            trouble, vendor.trouble = vendor.trouble, None
            vendor.bulks[name] = Bulk(
                plans=[] if trouble == "dropped" else plans,
                due=vendor.clock.at + vendor.bulk_seconds,
                lost=trouble is not None,
            )
            vendor.work_off()
            return Job(id=name, done=False)

        return self._call("write_many", work)

    def jobs(self, job_ids: Sequence[str]) -> Sequence[Job]:
        bulks = self._vendor.bulks
        return self._call(
            "jobs",
            lambda: [
                Job(id=one, done=bulks[one].done, rows=bulks[one].rows)
                for one in job_ids
                if not bulks[one].lost
            ],
        )

    def add_note(self, ticket_id: str, text: str) -> None:
        self._call("add_note", lambda: self._vendor.note(ticket_id, text))

    def has_note(self, ticket_id: str, marker: str, since: datetime) -> bool:
        notes = self._vendor.cards[ticket_id].notes
        return self._call(
            "has_note", lambda: any(at >= since and marker in text for at, text in notes)
        )

    def clock_samples(self) -> Sequence[ClockSample]:
        samples, self._samples = self._samples, []
        return samples
