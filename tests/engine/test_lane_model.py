"""Whatever happens between two of its steps, the lane ends right, and loses and repeats nothing.

Hypothesis decides what customers do, which hints arrive, what the helpdesk answers, and where a
worker dies or sleeps through its lease. The lane, the intake and the databases are the real ones;
the helpdesk is in memory and the clock is the test's, so that the same story ends the same way.
LANE_MODEL_EXAMPLES=200 asks for so many stories, other ones each time; LANE_MODEL_SHRINKS=1 has one
that fails made short, which takes minutes.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, delete, select
from structlog.testing import capture_logs

from connector.engine import accounts, dead, lane, sync
from connector.engine.context import Account
from connector.engine.intake import accept
from connector.engine.lane import Lane
from connector.engine.writes import desired
from connector.errors import (
    HelpdeskUnreachable,
    OutcomeUnknown,
    RateLimited,
    SignInRefused,
    StoreError,
    WriteBlocked,
    WriteConflict,
    WriteRefused,
)
from connector.helpdesks.base import Capabilities, Hint
from connector.store import tables
from connector.store.database import now
from connector.store.migrate import upgrade
from mappings.assignment import Assignment, Version
from mappings.evaluate import evaluate
from mappings.tags import own_tags
from tests.builders import a_policy
from tests.engine.in_memory import BULK, EVER, OURSELVES, SINGLE, Card, Client, Clock, Vendor
from tests.engine.watched import Watched

ASKED = int(os.environ.get("LANE_MODEL_EXAMPLES", "0"))
SHRINKS = "LANE_MODEL_SHRINKS" in os.environ
EXAMPLES = 12
STEPS = 25
START = 1_800_000_000.0
ACME = "acme"
MOST_TICKETS = 6
LEASE_IS_OVER = accounts.LEASE_SECONDS + 1
WRITES = ("write", "write_many")
SEVERITIES = {"1": "critical", "2": "high", "3": "medium", "4": "low"}
POLICY = a_policy(
    text="""
policy: model
title: Model
document: model.txt
severity:
  levels: [{id: critical, name: Critical}, {id: high, name: High}, {id: medium, name: Medium},
    {id: low, name: Low}]
  rules: [{from: priority}, {severity: medium}]
targets:
  first_response:
    - {when: {severity: [critical, high]}, limit: 10m, clock: elapsed}
    - {when: {severity: [medium, low]}, limit: 1h, clock: elapsed}
  resolution:
    - {when: {severity: critical}, limit: 1h, clock: elapsed}
    - {when: {severity: [high, medium, low]}, limit: 4h, clock: elapsed}
"""
)


class Killed(BaseException):
    """The process is gone."""


class Passes(threading.Event):
    """A stop that is asked for after so many passes; a wait lets the test's clock run."""

    def __init__(self, passes: int, clock: Clock) -> None:
        super().__init__()
        self._left, self._clock = passes, clock

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.move(timeout or 0.0)
        return False


@dataclass(frozen=True, kw_only=True)
class Mishap:
    """Something that goes wrong at the n-th point that it can strike."""

    kind: str
    at: int


# at any statement, commit or edge of a call
ANYWHERE = ("killed", "database refuses")
# before or after a call to the helpdesk
AT_CALLS = ("limited", "unreachable", "refused", "overtaken", "asleep", "intruder", "interference")
MISHAPS = st.one_of(
    st.builds(Mishap, kind=st.sampled_from(ANYWHERE), at=st.integers(1, 120)),
    st.builds(Mishap, kind=st.sampled_from(AT_CALLS), at=st.integers(1, 10)),
)
#: of a worker that has lost its lease, these strike still: they are its own
STILL = ("killed", "limited", "unreachable", "refused")
ONE_AFTER_ANOTHER = st.builds(
    lambda loss, at, then, later: [Mishap(kind=loss, at=at), Mishap(kind=then, at=at + later)],
    st.sampled_from(("overtaken", "asleep")),
    st.integers(1, 8),
    st.sampled_from(STILL[1:]),
    st.integers(0, 2),
)


class Worker:
    """A worker process: what it knows dies with it, its lease and its rows do not."""

    def __init__(self, name: str, database: Watched, model: "LaneModel") -> None:
        self.name = name
        self._database = database
        self._model = model
        self._births = 0
        self.busy = False
        self.start()

    def start(self) -> None:
        """A new process."""
        self._births += 1
        self._database.meet = lambda point: None
        self._database.dispose()
        #: by how much its own clock stood still while it slept
        self._slept = 0.0
        model = self._model
        self._client = Client(model.vendor, model.capabilities, self._call, self._monotonic)
        self.account = model.account_of(self._client)

    def run(self, passes: int, mishaps: Sequence[Mishap]) -> bool:
        """Drain the account for so many passes; whether it got the lease."""
        self._mishaps = list(mishaps)
        self._points = self._calls = 0
        self._dead = False
        #: every row as it was when the lease was lost; None: it was not
        self._lost: dict[str, list[Any]] | None = None
        self.busy = True
        try:
            return self._drain(passes)
        except StoreError:
            return True
        except Killed:
            self.start()
            self._model.kills += 1
            return True
        finally:
            self.busy = False
            self._database.meet = lambda point: None
            if self._lost is not None:
                assert self._model.everything() == self._lost, f"{self.name} had lost its lease"

    def _drain(self, passes: int) -> bool:
        holder = f"{self.name}{self._births}"
        lease = self._database.run(lambda conn: accounts.acquire(conn, ACME, holder))
        if lease is None:
            return False
        self._introduce()
        self._database.meet = self._point
        stop = Passes(passes, self._model.clock)
        Lane(self._database, self.account, lease, stop, self._monotonic).drain()
        return True

    def _introduce(self) -> None:
        """What the runner does before: the helpdesk's clock is read."""
        self._client.identify()
        samples = self._client.clock_samples()

        def work(conn: Connection) -> None:
            accounts.read_clock(conn, self.account, samples, self._monotonic())
            sync.begin(conn, ACME)

        self._database.run(work)

    def _monotonic(self) -> float:
        return self._model.clock.at - START - self._slept

    # --- what befalls it -----------------------------------------------------------------------

    def _point(self, _what: str) -> None:
        if self._dead:
            raise Killed  # nothing that a dead process would still do happens
        self._points += 1
        for one in self._struck(ANYWHERE, self._points):
            if one.kind == "killed":
                self._dead = True
                raise Killed
            raise StoreError("the database refuses")

    def _call(self, edge: str, name: str) -> None:
        if not self.busy or self._database.meet != self._point:
            return  # it introduces itself
        if edge == "before" and name in WRITES and self._lost is not None:
            self._model.broken.append(f"{self.name} began to {name} without a lease")
        self._point(edge)
        self._calls += 1
        for one in self._struck(AT_CALLS, self._calls):
            if self._lost is None or one.kind in STILL:
                self._befall(one.kind, edge, name)

    def _struck(self, kinds: Sequence[str], at: int) -> list[Mishap]:
        found = [one for one in self._mishaps if one.kind in kinds and one.at == at]
        for one in found:
            self._mishaps.remove(one)
        return found

    def _befall(self, kind: str, edge: str, name: str) -> None:
        sent = edge == "after" and name in WRITES
        if kind in ("limited", "unreachable", "refused") and sent:
            raise OutcomeUnknown("no answer came")
        if kind == "limited":
            raise RateLimited("wait", retry_after=7.0)
        if kind == "unreachable":
            raise HelpdeskUnreachable("the helpdesk answered 502")
        if kind == "refused":
            raise SignInRefused("who are you?")
        if kind == "interference":
            self._model.interfere()
        if kind == "intruder":
            self._model.intrude(self)
        if kind in ("overtaken", "asleep"):
            self._sleep(own_clock_runs=kind == "overtaken")
            self._model.outlived += edge == "before" and name in WRITES

    def _sleep(self, *, own_clock_runs: bool) -> None:
        """It is held up until its lease is over, and another worker takes the account."""
        self._model.clock.move(LEASE_IS_OVER)
        self._slept += 0.0 if own_clock_runs else LEASE_IS_OVER
        other = self._model.other(self)
        if not other.busy and other.run(2, []):
            self._lost = self._model.everything()


@dataclass(kw_only=True)
class Known:
    """What the model knows of a ticket beside the vendor."""

    card: Card
    #: severity and whether it was over, after each change that customers made
    stood: list[tuple[str, bool]] = field(default_factory=list)
    #: the place in `stood` that the latest hint which was taken in told of
    told: int | None = None
    #: its writes or reads were made to fail
    blamed: bool = False


class LaneModel(RuleBasedStateMachine):
    """Customers, hints, two workers, and what must hold after each step."""

    capabilities: Capabilities
    databases: Sequence[Watched]
    clock: Clock

    def __init__(self) -> None:
        super().__init__()
        self.clock.at = START
        self.vendor = Vendor(self.clock)
        self.known: dict[str, Known] = {}
        self.kills = 0
        #: promises that were broken where an exception would have been swallowed
        self.broken: list[str] = []
        #: deliveries on their way: ticket, id, place in `stood`
        self.deliveries: list[tuple[str, str, int]] = []
        #: writes that were on their way when the lease was lost
        self.outlived = 0
        self.count = 0
        own, *workers = self.databases
        self.database = own
        with own.write() as conn:
            for table in reversed(tables.metadata.sorted_tables):
                conn.execute(delete(table))
            accounts.register(conn, ACME, "in_memory")
            assert now(conn) == START
            sync.begin(conn, ACME)
        self.clock.move(5.0)  # no ticket is older than our first sight of the account
        self.workers = [
            Worker(name, database, self) for name, database in zip("AB", workers, strict=True)
        ]

    def account_of(self, client: Client) -> Account:
        """The account as one process knows it."""
        return Account(
            name=ACME,
            kind="in_memory",
            helpdesk=client,
            assignments=(Assignment(versions=(Version(policy=POLICY, in_force_from=EVER),)),),
            mode="own_fields",
            own_tags=own_tags([POLICY], "sla_"),
        )

    # --- what happens --------------------------------------------------------------------------

    @initialize(priority=st.sampled_from("1234"))
    def first_ticket(self, priority: str) -> None:
        self.create(priority, hinted=True)

    @precondition(lambda self: len(self.known) < MOST_TICKETS)
    @rule(priority=st.sampled_from("1234"), hinted=st.booleans())
    def create(self, priority: str, hinted: bool) -> None:
        card = self.vendor.create(priority)
        self.known[card.id] = Known(card=card)
        self._changed(card, hinted)

    @rule(ticket=st.integers(0, 5), priority=st.sampled_from("1234"), hinted=st.booleans())
    def prioritise(self, ticket: int, priority: str, hinted: bool) -> None:
        card = self._card(ticket)
        self.vendor.change(card, "priority", priority)
        self._changed(card, hinted)

    @rule(ticket=st.integers(0, 5), hinted=st.booleans())
    def solve(self, ticket: int, hinted: bool) -> None:
        card = self._card(ticket)
        self.vendor.change(card, "status", "solved")
        self._changed(card, hinted)

    @rule(ticket=st.integers(0, 5), hinted=st.booleans())
    def reply(self, ticket: int, hinted: bool) -> None:
        card = self._card(ticket)
        self.vendor.reply(card)
        self._changed(card, hinted)

    @rule(ticket=st.integers(0, 5))
    def tag(self, ticket: int) -> None:
        card = self._card(ticket)
        card.tags.add(f"theirs_{len(card.tags)}")
        self.vendor.touch(card)

    @precondition(lambda self: self.deliveries)
    @rule(which=st.integers(0, 9), copies=st.integers(0, 2))
    def deliver(self, which: int, copies: int) -> None:
        """In any order, twice, or never."""
        delivery = self.deliveries.pop(which % len(self.deliveries))
        for _ in range(copies):
            self._take_in(*delivery)

    @rule(ticket=st.integers(0, 5))
    def echo(self, ticket: int) -> None:
        """The helpdesk tells us of what we ourselves have done."""
        hint = Hint(ticket_id=self._card(ticket).id, actor_id=OURSELVES)
        self.database.run(lambda conn: accept(conn, ACME, hint, own_user_id=OURSELVES))

    @rule(seconds=st.sampled_from([1.0, 5.0, 20.0, 61.0, 400.0, 3600.0]))
    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)

    @rule(seconds=st.sampled_from([600.0, 7200.0]))
    def helpdesk_clock_is_set(self, seconds: float) -> None:
        self.vendor.ahead += seconds

    @rule(
        ticket=st.integers(0, 5),
        error=st.sampled_from([WriteRefused, WriteBlocked, WriteConflict]),
        times=st.integers(1, 6),
    )
    def refuse_writes(self, ticket: int, error: type[Exception], times: int) -> None:
        card = self._card(ticket)
        card.refusals = [error(f"ticket {card.id} is not written") for _ in range(times)]
        self.known[card.id].blamed |= error is not WriteConflict

    @rule(ticket=st.integers(0, 5), times=st.integers(1, 8))
    def poison(self, ticket: int, times: int) -> None:
        card = self._card(ticket)
        card.poison = times
        self.known[card.id].blamed = True

    @precondition(lambda self: self.capabilities.write_batch)
    @rule(
        seconds=st.sampled_from([0.0, 1.0, 30.0]),
        trouble=st.sampled_from([None, "forgotten", "dropped"]),
    )
    def bulk_writes(self, seconds: float, trouble: str | None) -> None:
        self.vendor.bulk_seconds, self.vendor.trouble = seconds, trouble

    @rule(worker=st.integers(0, 1), passes=st.integers(1, 4), mishaps=st.lists(MISHAPS, max_size=2))
    def work(self, worker: int, passes: int, mishaps: Sequence[Mishap]) -> None:
        self.workers[worker].run(passes, mishaps)

    # --- what a worker meets -------------------------------------------------------------------

    def interfere(self) -> None:
        """Customers are busy while a worker is in the middle of something."""
        for one in list(self.known.values()):
            self.vendor.change(one.card, "priority", "4" if one.card.priority == "1" else "1")
            self._changed(one.card, hinted=True)
        while self.deliveries:
            self._take_in(*self.deliveries.pop())

    def intrude(self, holder: Worker) -> None:
        """Another worker wants the account while the lease of the first one lasts."""
        self.count += 1
        with self.database.read() as conn:
            until = conn.scalar(select(tables.account.c.lease_until)) or 0.0
        if until <= self.clock.at:
            return
        other = f"intruder {self.count}"
        if self.database.run(lambda conn: accounts.acquire(conn, ACME, other)) is not None:
            self.broken.append(f"{holder.name} and {other} have the lease at the same time")

    def other(self, worker: Worker) -> Worker:
        return next(one for one in self.workers if one is not worker)

    # --- what must hold ------------------------------------------------------------------------

    @invariant()
    def no_promise_is_broken(self) -> None:
        assert self.broken == []

    @invariant()
    def no_hint_is_forgotten(self) -> None:
        """A ticket that waits for nothing was judged as it stood when it was last told of."""
        rows = {row["ticket_id"]: row for row in self.rows()}
        for one in self.known.values():
            if one.told is None:
                continue
            row = rows[one.card.id]
            is_due = row["look_at"] is not None and row["look_at"] <= self.clock.at
            if not (is_due or row["open_intent"] or row["parked"]):
                stood = (row["severity"], row["is_over"])
                assert stood in one.stood[one.told :], f"ticket {one.card.id}: {row}"

    def teardown(self) -> None:
        try:
            if self.known and not self.broken:
                self._end_well()
        finally:
            for one in self.databases:
                one.meet = lambda point: None

    def _end_well(self) -> None:
        self.vendor.trouble, self.vendor.bulk_seconds = None, 0.0
        for one in self.known.values():
            one.card.refusals, one.card.poison = [], 0
        self._settle()
        self._bury()
        self._settle()
        assert [one.card.id for one in self.known.values() if not self._is_right(one.card)] == []
        for row in self.rows():
            state = (row["attempts"], row["open_intent"], row["parked"], row["write_blocked"])
            assert state == (0, None, None, None), row
        assert self.rows(tables.intent) == []
        assert [one for one in self.rows() if one["conceded"]] == []
        self._leaves_alone_what_is_right()

    def _settle(self) -> None:
        """Without any further fault, until everybody waits for his timer only."""
        for turn in range(40):
            self.clock.move(LEASE_IS_OVER)
            self.workers[turn % 2].run(50, [])
            if turn > 2 and not self._is_anything_due():
                return
        pytest.fail(f"still not at rest: {self.rows()}")

    def _is_anything_due(self) -> bool:
        soon = self.clock.at + 10.0  # what is due within moments is waited for
        waits = any(
            row["parked"] is None and row["look_at"] is not None and row["look_at"] <= soon
            for row in self.rows()
        )
        unread = self.rows(tables.sync)[0]["cursor"] != {"seen": len(self.vendor.changed)}
        return waits or unread or bool(self.rows(tables.intent))

    def _bury(self) -> None:
        """Nothing is parked or blocked that no fault has parked; then all of it is tried again."""
        with self.database.write() as conn:
            found = dead.dead_of(conn, ACME)
            for one in found:
                known = self.known[one.ticket_id]
                swung = one.reason.startswith("oscillating") and len(known.stood) > 6
                assert known.blamed or swung or self.kills > 1, (one, known)
            dead.retry(conn, ACME, [one.ticket_id for one in found])
        self.clock.move(900.0)  # what went to and fro has come to rest

    def _is_right(self, card: Card) -> bool:
        """Whether exactly what its final state calls for stands in the ticket."""
        instant = datetime.fromtimestamp(self.clock.at + self.vendor.ahead, UTC)
        client = Client(self.vendor, self.capabilities, lambda *_: None, lambda: 0.0)
        account = self.account_of(client)
        wanted = desired(evaluate(card.ticket(), POLICY, instant), account)
        reading = client.read(card.id)
        theirs = {tag for tag in card.tags if tag.startswith("theirs_")}
        return client.plan(reading, wanted) is None and len(theirs) == len(card.tags - wanted.tags)

    def _leaves_alone_what_is_right(self) -> None:
        """Told of every ticket once more, nothing is written; nor was it ever without need."""
        needless = [ticket for ticket, is_new in self.vendor.written if not is_new]
        assert len(needless) <= self.outlived, needless
        before = len(self.vendor.written)
        for one in self.known.values():
            self._take_in(one.card.id, f"last {one.card.id}", len(one.stood) - 1)
        self.workers[0].run(50, [])
        assert self.vendor.written[before:] == []

    # --- parts ---------------------------------------------------------------------------------

    def _card(self, number: int) -> Card:
        return list(self.known.values())[number % len(self.known)].card

    def _changed(self, card: Card, hinted: bool) -> None:
        known = self.known[card.id]
        known.stood.append((SEVERITIES[card.priority], card.is_done))
        self.count += 1
        delivery = (card.id, f"delivery {self.count}", len(known.stood) - 1)
        if hinted:
            self.deliveries.append(delivery)

    def _take_in(self, ticket_id: str, delivery_id: str, place: int) -> None:
        with_id = self.capabilities.delivery_ids
        hint = Hint(ticket_id=ticket_id, delivery_id=delivery_id if with_id else None)
        is_new = self.database.run(lambda conn: accept(conn, ACME, hint))
        known = self.known[ticket_id]
        if is_new:  # the ticket is read later, so it shows everything up to now
            known.told = max(known.told or 0, len(known.stood) - 1)
        assert is_new or known.told is not None

    def rows(self, table: Any = tables.ticket) -> list[dict[str, Any]]:
        with self.database.read() as conn:
            return [dict(row._mapping) for row in conn.execute(select(table))]

    def everything(self) -> dict[str, list[Any]]:
        """Every row of every table."""
        with self.database.read() as conn:
            return {
                table.name: [
                    tuple(row)
                    for row in conn.execute(select(table).order_by(*table.primary_key.columns))
                ]
                for table in tables.metadata.sorted_tables
            }


@pytest.fixture
def watched(database_url: str) -> Iterator[tuple[Clock, Sequence[Watched]]]:
    """The same database as each of three processes has it: the test's own and two workers."""
    clock = Clock(at=START)
    databases = [Watched(database_url, clock) for _ in range(3)]
    upgrade(databases[0])
    yield clock, databases
    for one in databases:
        one.dispose()


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(BULK, id="bulk"),
        pytest.param(SINGLE, id="single"),
    ],
)
def test_the_lane_keeps_its_promises_whatever_happens(
    how: Capabilities,
    watched: tuple[Clock, Sequence[Watched]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane, "SINGLE_CALLS", 1)  # one after the other: in the same order each time
    clock, databases = watched
    story = type(
        "Story", (LaneModel,), {"capabilities": how, "databases": databases, "clock": clock}
    )
    with capture_logs():
        run_state_machine_as_test(
            story,
            settings=settings(
                max_examples=ASKED or EXAMPLES,
                stateful_step_count=STEPS,
                derandomize=not ASKED,
                phases=set(Phase) if SHRINKS else {Phase.generate},
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
