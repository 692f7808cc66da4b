"""A worker that dies at any point leaves nothing that the next one does not put right."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from connector.engine import accounts
from connector.engine.lane import Lane
from connector.store import tables
from connector.store.database import Database
from tests.engine.conftest import KINDS, Desk, Opener, Tapped, blank

T = TypeVar("T")
MORE_THAN_ENOUGH = 200  # points at which a worker can die
ROUNDS = 12


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Strikes at the k-th interaction; nothing that comes later happens either."""

    def __init__(self, at: int) -> None:
        self._left = at
        self._lock = threading.Lock()
        self.struck = False

    def meet(self) -> None:
        with self._lock:
            self._left -= 1
            self.struck = self.struck or self._left == 0
            if self.struck:
                raise Killed


class Mortal(Database):
    """A real database whose commits can be the last thing that the process does, or not do."""

    fate = Fate(0)

    def _once(self, work: Callable[[Connection], T]) -> T:
        def then_die(conn: Connection) -> T:
            result = work(conn)
            self.fate.meet()
            return result

        result = super()._once(then_die)
        self.fate.meet()
        return result


class Scene:
    """Three tickets, one of which a customer changes while the worker is at it."""

    def __init__(self, desk: Desk, mortal: Mortal) -> None:
        self.desk, self.mortal = desk, mortal
        self.tickets = [desk.create(priority=p) for p in ("high", "low", "normal")]
        desk.hint(*self.tickets)

    def interfere(self) -> None:
        ticket = self.tickets[1]
        self.desk.edit(ticket, priority="high")
        self.desk.hint(ticket)

    def die_at(self, point: int) -> bool:
        """Whether the worker died; at a later point than there are, it does not."""
        fate = self.mortal.fate = Fate(point)
        mortal = Tapped(self.desk.helpdesk.real)
        changed: list[bool] = []

        def after(name: str, _: tuple[Any, ...]) -> None:
            if name in ("read", "read_many") and not changed:
                changed.append(True)
                self.interfere()
            fate.meet()

        mortal.before = lambda name, _: fate.meet()
        mortal.after = after
        lease = self.desk.database.run(lambda conn: accounts.acquire(conn, "acme", "first"))
        assert lease is not None
        account = replace(self.desk.account, helpdesk=mortal, conflicts={})
        with suppress(Killed):
            Lane(self.mortal, account, lease, threading.Event()).drain()
        if not changed:
            self.interfere()
        return fate.struck

    def recover(self) -> None:
        """What an embedded worker does at its start, and then until nothing is due."""
        self.desk.wait_for_jobs()  # what was sent is carried out, long before it is settled
        with self.desk.database.write() as conn:
            accounts.void_leases(conn)
        for _ in range(ROUNDS):
            self.desk.hurry()
            self.desk.drain()
            if not any(self._waits(row) for row in self.desk.rows()):
                return
        pytest.fail(f"still not at rest: {self.desk.rows()}")

    def _waits(self, row: dict[str, Any]) -> bool:
        return bool(row["attempts"] or row["open_intent"] or row["last_error"])


def refuse_needless_writes(desk: Desk) -> list[str]:
    """From now on note each ticket that is written though it is right already."""
    needless: list[str] = []

    def before(name: str, arguments: tuple[Any, ...]) -> None:
        if name in ("write", "write_many"):
            plans = arguments[0] if name == "write_many" else [arguments[0]]
            needless.extend(one.ticket_id for one in plans if desk.right(one.ticket_id))

    desk.helpdesk.before = before
    return needless


@pytest.mark.parametrize("kind", KINDS)
def test_wherever_the_worker_dies_every_ticket_ends_right_and_is_left_alone_then(
    kind: str, open_desk: Opener, template: Path, tmp_path: Path
) -> None:
    mortal = blank(template, tmp_path / "mortal.sqlite3", Mortal)
    desk = open_desk(kind, Database(f"sqlite:///{tmp_path / 'mortal.sqlite3'}"))
    memoryless = blank(template, tmp_path / "memoryless.sqlite3")
    needless = refuse_needless_writes(desk)
    for point in range(1, MORE_THAN_ENOUGH):
        scene = Scene(desk, mortal)
        died = scene.die_at(point)
        scene.recover()
        wrong = [one for one in scene.tickets if not desk.right(one, memoryless)]
        assert (wrong, needless) == ([], []), f"the worker died at point {point}"
        rows = [desk.row(one) for one in scene.tickets]
        assert {(row["open_intent"], row["parked"]) for row in rows} == {(None, None)}
        assert desk.rows(tables.intent) == []
        if not died:
            break
    else:
        pytest.fail("the worker never came to the end")
    assert point > 20
    for one in (mortal, memoryless, desk.database):
        one.dispose()
