"""Tending: old rows go, old evidence is linked, and tickets nobody spoke of are looked at."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from connector.engine import accounts, reconcile, tending
from connector.engine.rank import Rank
from connector.engine.tending import Tending
from connector.settings import Settings
from connector.store import proof, tables
from connector.store.chain import Line, append
from connector.store.database import Database, now
from connector.store.keys import KEY_FILE, Keys
from connector.store.retention import LIMIT
from tests.engine.conftest import Desk

HOUR, DAY = 3600.0, 86_400.0
BLANK = dict.fromkeys(("look_at", "parked", "open_intent", "state"))


def _open(at: float, number: int, **values: Any) -> dict[str, Any]:
    """An open ticket that was looked at so many hours ago, by the helpdesk's clock, and no more."""
    ticket = {"account": "acme", "ticket_id": str(number), "created": 0.0, "is_over": False}
    return ticket | BLANK | {"evaluated_at": at - DAY - number * HOUR, "rank": 0} | values


def _asked(conn: Connection) -> set[int]:
    columns = tables.ticket.c
    query = select(columns.ticket_id).where(
        columns.look_at <= now(conn), columns.rank == int(Rank.BACKFILL)
    )
    return set(map(int, conn.scalars(query)))


def _later(conn: Connection, seconds: float) -> None:
    """As if the last request had been so long ago."""
    conn.execute(update(tables.account).values(reconciled_at=now(conn) - seconds))


def test_open_tickets_are_asked_for_at_a_steady_pace_and_others_are_not(
    database: Database,
) -> None:
    def fill(conn: Connection) -> None:
        at = now(conn)
        accounts.register(conn, "acme", "zendesk")
        conn.execute(update(tables.account).values(clock_offset=-1000.0))
        away: list[dict[str, Any]] = [
            {"is_over": True},
            {"parked": "it fails"},
            {"open_intent": 1},
            {"state": "gone"},
            {"look_at": at + 60},
            {"evaluated_at": at - 1000 - 23 * HOUR},
        ]
        due = [_open(at - 1000, number) for number in range(1, 49)]
        others = [_open(at - 1000, 100 + number, **one) for number, one in enumerate(away)]
        conn.execute(insert(tables.ticket), [*due, *others])

    database.run(fill)
    first = database.run(lambda conn: reconcile.request(conn, "acme"))
    with database.read() as conn:
        # 53 open ones in 24 hours: 3 an hour, those first that waited longest
        assert (first, _asked(conn)) == (3, {48, 47, 46})
    database.run(lambda conn: _later(conn, 59.0))
    assert database.run(lambda conn: reconcile.request(conn, "acme")) == 0
    database.run(lambda conn: _later(conn, 2 * HOUR))
    assert database.run(lambda conn: reconcile.request(conn, "acme")) == 0, "three still wait"

    def looked_at(conn: Connection) -> None:
        seen = now(conn) - 1000
        due = tables.ticket.c.rank == int(Rank.BACKFILL)
        conn.execute(
            update(tables.ticket).where(due).values(look_at=None, rank=0, evaluated_at=seen)
        )

    counts = []
    for _ in range(20):
        database.run(looked_at)
        database.run(lambda conn: _later(conn, 2 * HOUR))
        counts.append(database.run(lambda conn: reconcile.request(conn, "acme")))
    assert counts == [3] * 15 + [0] * 5


def test_a_ticket_that_was_asked_for_is_looked_at(desk: Desk) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    before = desk.row(ticket)["evaluated_at"]
    desk.change(evaluated_at=before - 2 * DAY, look_at=None)
    assert desk.database.run(lambda conn: reconcile.request(conn, "acme")) == 1

    desk.drain()
    assert desk.row(ticket)["evaluated_at"] >= before
    assert desk.right(ticket)


class Clock:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at

    def run(self, one: Tending, seconds: float) -> int:
        """Rounds until so much time has passed; returns how many."""
        rounds, end = 0, self.at + seconds
        while self.at < end:
            self.at += one.tend()
            rounds += 1
            assert rounds < 1_000
        return rounds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _fill(conn: Connection) -> None:
    at = now(conn)
    accounts.register(conn, "acme", "zendesk")
    delivery = {"account": "acme", "ticket_id": "1", "received_at": at - 15 * DAY}
    conn.execute(
        insert(tables.delivery),
        [delivery | {"delivery_id": str(number)} for number in range(LIMIT + 1)],
    )
    unlinked = {"account": "acme", "ticket_id": "1", "kind": "written", "body": {}}
    conn.execute(insert(tables.evidence), [unlinked | {"at": at - 500 * DAY}] * 3)
    append(conn, "acme", [Line(ticket_id="1", kind="written", body={})])


def _tending(database: Database, folder: Path, clock: Clock, **settings: Any) -> Tending:
    given = Settings(data_dir=folder, **settings)
    return Tending(database, {}, Keys("", folder), given, clock)


def _count(database: Database, table: Any) -> int:
    with database.read() as conn:
        return conn.scalar(select(func.count()).select_from(table)) or 0


def test_an_hour_brings_all_of_it_and_a_start_is_left_alone(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    database.run(_fill)
    one = _tending(database, tmp_path, clock)
    assert one.tend() == tending.BUSY_SECONDS, "there is evidence to be linked"
    assert one.tend() == tending.ROUND_SECONDS
    assert _count(database, tables.delivery) == LIMIT + 1

    rounds = clock.run(one, 2 * HOUR)
    assert _count(database, tables.delivery) == 0
    # the old lines were linked behind a younger one, so that they are no prefix
    assert _count(database, tables.evidence) == 4
    assert proof.verify(database, "acme", Keys("", tmp_path)).lines == 4
    assert rounds < 2 * 60 + 60


def test_without_its_key_evidence_stays_and_all_else_goes_on(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    def work(conn: Connection) -> None:
        _fill(conn)
        conn.execute(update(tables.evidence).values(number=None))
        conn.execute(update(tables.chain).values(number=0, hash=None))

    database.run(work)  # now all four are linked in their order, the old ones first
    clock.run(_tending(database, tmp_path, clock), HOUR)
    assert _count(database, tables.evidence) == 1
    assert proof.verify(database, "acme", Keys("", tmp_path)).holds

    (tmp_path / KEY_FILE).unlink()
    database.run(lambda conn: conn.execute(update(tables.evidence).values(at=1.0)))
    delivery = {"account": "acme", "delivery_id": "1", "received_at": 1.0}
    database.run(lambda conn: conn.execute(insert(tables.delivery).values(delivery)))
    clock.run(_tending(database, tmp_path, clock), HOUR)
    assert (_count(database, tables.evidence), _count(database, tables.delivery)) == (1, 0)


def test_every_account_is_asked_for_but_those_that_want_none(desk: Desk, clock: Clock) -> None:
    ticket = desk.create()
    desk.enrich(ticket)
    desk.change(evaluated_at=1.0, look_at=None)
    settings, folder = Settings(), Path("unused")
    for hours, expected in ((0.0, None), (24.0, Rank.BACKFILL)):
        served = {"acme": replace(desk.account, reconcile_hours=hours)}
        one = Tending(desk.database, served, Keys("", folder), settings, clock)
        one.tend()
        row = desk.row(ticket)
        assert (row["rank"] if row["look_at"] else None) == expected
