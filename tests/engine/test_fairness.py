"""A backlog of many thousand tickets delays neither other accounts nor its own fresh tickets.

What is counted are calls to the helpdesk, not time: each takes a quarter of a second by the clock
of the test, which the worker and the database go by.
"""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from sqlalchemy import insert

from connector.engine import accounts
from connector.engine.context import Account
from connector.engine.intake import accept
from connector.engine.lane import BACKGROUND_EVERY, SINGLE_BATCH, TURN_SECONDS, Lane
from connector.engine.rank import Rank
from connector.helpdesks.base import Capabilities, Hint
from connector.runners.embedded import Worker
from connector.store import tables
from connector.store.migrate import upgrade
from mappings.assignment import Assignment, Version
from mappings.tags import own_tags
from tests.builders import a_policy
from tests.engine.in_memory import BULK, EVER, SINGLE, Client, Clock, Vendor
from tests.engine.watched import Watched

BACKLOG = 100_000  # tickets that are due
FEWER = 5_000
THERE = 2_000  # as many of them as could be reached here
START = 1_800_000_000.0
CALL_SECONDS = 0.25
CALLS_OF_A_TURN = int(TURN_SECONDS / CALL_SECONDS)
LAST_PASS = (
    2 * SINGLE_BATCH + 4
)  # calls: each ticket is read and written; feeds, the first greeting
PATIENCE = 60.0  # seconds; only a failure takes that long
POLICY = a_policy(
    text="""
policy: fair
title: Fair
document: fair.txt
severity: {levels: [{id: high, name: High}], rules: [{severity: high}]}
targets: {resolution: [{limit: 8h, clock: elapsed}]}
"""
)


class Town:
    """Accounts of one worker, on SQLite and by one clock."""

    def __init__(self, url: str) -> None:
        self.clock = Clock(at=START)
        self.database = Watched(url, self.clock)
        upgrade(self.database)
        self.vendors: dict[str, Vendor] = {}
        self.served: dict[str, Account] = {}
        #: every call to any helpdesk: the account and the call
        self.calls: list[tuple[str, str]] = []

    def settle(self, name: str, how: Capabilities) -> None:
        """A new account."""
        vendor = self.vendors[name] = Vendor(self.clock, call_seconds=CALL_SECONDS)

        def meet(edge: str, call: str) -> None:
            if edge == "before":
                self.calls.append((name, call))

        client = Client(vendor, how, meet, lambda: self.clock.at - START)
        self.served[name] = Account(
            name=name,
            kind="in_memory",
            helpdesk=client,
            assignments=(Assignment(versions=(Version(policy=POLICY, in_force_from=EVER),)),),
            mode="own_fields",
            own_tags=own_tags([POLICY], "sla_"),
        )
        with self.database.write() as conn:
            accounts.register(conn, name, "in_memory")

    def pile_up(self, name: str, count: int) -> None:
        """A backfill has found more than can be done in an hour."""
        for _ in range(THERE):
            self.vendors[name].create("2")
        rows = [
            {"account": name, "ticket_id": str(number), "look_at": START + number / count}
            | {"rank": int(Rank.BACKFILL), "created": START, "wanted": 1}
            for number in range(1, count + 1)
        ]
        with self.database.write() as conn:
            conn.execute(insert(tables.ticket), rows)
        self.vendors[name].changed.clear()  # they are known already
        self.clock.move(1.0)

    def hint(self, name: str) -> str:
        """Somebody writes a new ticket, and a webhook tells of it."""
        ticket = str(BACKLOG + len(self.calls) + 1)
        vendor = self.vendors[name]
        card = vendor.create("2")
        vendor.cards[ticket] = vendor.cards.pop(card.id)
        card.id = vendor.changed[-1] = ticket
        self.database.run(lambda conn: accept(conn, name, Hint(ticket_id=ticket)))
        return ticket

    def is_written(self, name: str, ticket: str) -> bool:
        return "sla_sev_high" in self.vendors[name].cards[ticket].tags


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(f"sqlite:///{tmp_path_factory.mktemp('town') / 'deskclock.sqlite3'}")
    yield made
    made.database.dispose()


@pytest.mark.parametrize("how", [BULK, SINGLE], ids=["bulk", "single"])
def test_a_backlog_does_not_delay_the_fresh_tickets_of_its_account(
    town: Town, how: Capabilities
) -> None:
    """Two passes are enough: of several in a row only one puts the backlog first."""
    town.settle("acme", how)
    town.pile_up("acme", BACKLOG if how is BULK else FEWER)
    lease = town.database.run(lambda conn: accounts.acquire(conn, "acme", "test"))
    assert lease is not None
    lane = Lane(
        town.database, town.served["acme"], lease, threading.Event(),
        lambda: town.clock.at - START,
    )  # fmt: skip
    passes: list[int] = []
    for _ in range(BACKGROUND_EVERY):
        ticket, begun = town.hint("acme"), len(passes)
        while not town.is_written("acme", ticket):
            assert lane.step()
            passes.append(len(town.calls))
        assert len(passes) - begun <= 2
    lane.drain(seconds=0)
    done = sum(bool(card.tags) for card in town.vendors["acme"].cards.values())

    assert done > BACKGROUND_EVERY + SINGLE_BATCH  # and the backlog went on meanwhile


def test_accounts_with_a_backlog_delay_no_other_though_threads_are_few(town: Town) -> None:
    """Two accounts could keep the only thread busy for hours; a third has its turn after one."""
    for name in ("busy", "busier", "calm"):
        town.settle(name, SINGLE)
    for name in ("busy", "busier"):
        town.pile_up(name, FEWER)
    worker = Worker(
        town.database, town.served, threads=1, poll_seconds=0.005, clock_check_seconds=1e9,
        monotonic=lambda: town.clock.at - START,
    )  # fmt: skip
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        delays = [_delay(town, "calm") for _ in range(2)]
    finally:
        worker.stop()
        thread.join()

    # the turn that is under way, and one more if that was given just before the hint came in
    assert max(delays) <= 2 * (CALLS_OF_A_TURN + LAST_PASS), delays


def _delay(town: Town, name: str) -> int:
    """How many calls the other accounts make between a hint and the write that it leads to."""
    before = _turns(town)
    _until(lambda: _turns(town) > before + 1)
    begun, ticket = len(town.calls), town.hint(name)
    _until(lambda: town.is_written(name, ticket))
    return sum(other != name for other, _ in town.calls[begun:])


def _turns(town: Town) -> int:
    """How often another account had its turn."""
    names = [name for name, _ in town.calls]
    return sum(one != other for one, other in pairwise(names))


def _until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < end
        time.sleep(0.005)
