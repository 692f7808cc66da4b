"""Forgetting: nothing is left in any table, and no worker in the middle of it brings it back."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    Double,
    Integer,
    Table,
    event,
    func,
    insert,
    select,
    update,
)

from connector.engine import accounts, forgetting
from connector.errors import SettingsError
from connector.store import proof, tables
from connector.store.chain import Line, append
from connector.store.database import Database
from connector.store.keys import Keys
from connector.store.migrate import upgrade
from connector.store.traces import ABOUT_TICKETS
from connector.store.wiping import empty_log, rewrite
from tests.engine.conftest import Desk

TICKET, NEIGHBOUR = "987650001", "987650002"
SECRET = "Wintermute"  # stands wherever something of a ticket can stand
OF = {TICKET: SECRET, NEIGHBOUR: "Neuromancer"}


def _value(table: Table, name: str, word: str, number: int) -> Any:
    column = table.c[name]
    if isinstance(column.type, JSON):
        return {"word": word}
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, Integer | Double):
        return number
    return word


def _fill(conn: Connection, account: str, ticket_id: str, number: int) -> None:
    """A row about the ticket in every table that can hold one; new tables are met by themselves."""
    word = OF[ticket_id]
    intent = {"id": number, "account": account, "created_at": 1, "settle_at": 1, "fence": 1}
    conn.execute(insert(tables.intent).values(intent))
    delivery = {"delivery_id": f"delivery {number}", "ticket_id": ticket_id, "received_at": 1.0}
    conn.execute(insert(tables.delivery).values(account=account, **delivery))
    for table in ABOUT_TICKETS:
        values = {name: _value(table, name, word, number) for name in table.c.keys()}  # noqa: SIM118
        values |= {"account": account, "ticket_id": ticket_id}
        conn.execute(insert(table).values(values))
    bucket = f"updates of one ticket:{ticket_id}"
    conn.execute(insert(tables.budget).values(account=account, bucket=bucket))
    lines = [Line(ticket_id=ticket_id, kind="written", body={"word": word}) for _ in range(3)]
    append(conn, account, lines)


def _account(conn: Connection, name: str, number: int) -> None:
    accounts.register(conn, name, "zendesk")
    for ticket_id in OF:
        _fill(conn, name, ticket_id, number)
        number += 1
    failure = f"PUT /api/v2/tickets/{TICKET}.json: no answer"
    conn.execute(update(tables.account).values(last_error=failure))
    feed = {"since": 0.0, "body": {}, "started_at": 0.0, "last_error": failure}
    conn.execute(insert(tables.sync).values(account=name, feed="full", **feed))
    conn.execute(insert(tables.secret).values(account=name, name="oauth", value="x", updated_at=1))


def _everything(database: Database) -> str:
    with database.read() as conn:
        rows = [
            f"{table.name}: {dict(row._mapping)}"
            for table in tables.metadata.sorted_tables
            for row in conn.execute(select(table))
        ]
    return "\n".join(rows)


def _counts(database: Database, account: str) -> dict[str, int]:
    with database.read() as conn:
        return {
            table.name: conn.scalar(
                select(func.count()).select_from(table).where(table.c.account == account)
            )
            or 0
            for table in tables.metadata.sorted_tables
            if "account" in table.c
        }


def test_nothing_is_left_of_a_forgotten_ticket(database: Database, tmp_path: Path) -> None:
    database.run(lambda conn: _account(conn, "acme", 1))
    assert (SECRET in _everything(database), TICKET in _everything(database)) == (True, True)

    gone = forgetting.forget(database, "acme", [TICKET])

    left = _everything(database)
    assert [word for word in (SECRET, TICKET) if word in left] == []
    counts = _counts(database, "acme")
    assert {table.name: counts[table.name] for table in ABOUT_TICKETS} == dict.fromkeys(
        (table.name for table in ABOUT_TICKETS), 1
    )
    assert (gone.lines, gone.deliveries) == (3, 1)
    assert (counts["intent"], counts["delivery"], counts["evidence"]) == (1, 2, 7)
    verdict = proof.verify(database, "acme", Keys("", tmp_path))
    assert (verdict.holds, verdict.forgotten) == (True, 3)
    with database.read() as conn:
        last = conn.execute(select(tables.evidence).order_by(tables.evidence.c.id.desc())).first()
    assert last is not None
    assert (last.kind, last.ticket_id, last.body) == ("forgotten", "", {"lines": 3})
    assert forgetting.forget(database, "acme", [TICKET]) == forgetting.Forgotten()


def test_nothing_is_left_in_the_files_of_sqlite(tmp_path: Path) -> None:
    """Also where SQLite by itself leaves the bytes of what it deletes."""
    path = tmp_path / "own.sqlite3"
    database = Database(f"sqlite:///{path}")
    event.listen(
        database._engine, "connect", lambda conn, _: conn.execute("PRAGMA secure_delete = OFF")
    )
    upgrade(database)
    database.run(lambda conn: _account(conn, "acme", 1))
    for number in range(100):  # versions of the row that no table shows any more
        long = {"word": SECRET * (number + 1)}
        database.run(
            lambda conn, long=long: conn.execute(  # type: ignore[misc]
                update(tables.history).where(tables.history.c.ticket_id == TICKET).values(body=long)
            )
        )

    def bytes_of() -> bytes:
        return b"".join(one.read_bytes() for one in tmp_path.glob("own.sqlite3*"))

    assert SECRET.encode() in bytes_of()
    forgetting.forget(database, "acme", [TICKET])
    rewrite(database)
    assert empty_log(database)
    found = bytes_of()
    assert [word for word in (SECRET, TICKET) if word.encode() in found] == []
    assert OF[NEIGHBOUR].encode() in found
    database.dispose()


def test_an_account_goes_as_a_whole_and_only_once_nobody_drains_it(database: Database) -> None:
    database.run(lambda conn: _account(conn, "acme", 1))
    database.run(lambda conn: _account(conn, "umbrella", 11))
    others = _counts(database, "umbrella")
    lease = database.run(lambda conn: accounts.acquire(conn, "acme", "host:1"))
    assert lease is not None

    with pytest.raises(SettingsError, match="is drained by host:1; stop the worker first"):
        forgetting.forget_account(database, "acme")
    assert _counts(database, "acme") == others

    database.run(lambda conn: accounts.release(conn, lease))
    gone = forgetting.forget_account(database, "acme")
    assert set(_counts(database, "acme").values()) == {0}
    assert gone.rows >= sum(others.values()) - 1  # the rows of an intent go with it
    assert "'acme'" not in _everything(database)
    assert _counts(database, "umbrella") == others


def test_a_customers_tickets_are_known_and_come_back_when_something_tells_of_them(
    desk: Desk,
) -> None:
    first, other, second = (
        desk.create(requester=who) for who in ("sam@x.test", "kim@x.test", "sam@x.test")
    )
    desk.enrich(first, other, second)
    requester = desk.row(first)["requester_id"]
    with desk.database.read() as conn:
        found = forgetting.tickets_of(conn, "acme", requester)
        assert forgetting.without_customer(conn, "acme") == 0

    assert sorted(found) == sorted([first, second])
    forgetting.forget(desk.database, "acme", found)
    assert [row["ticket_id"] for row in desk.rows()] == [other]
    desk.look(first)
    assert desk.right(first)
    assert desk.row(first)["requester_id"] == requester


def test_a_worker_in_the_middle_of_it_stores_nothing_of_it_any_more(desk: Desk) -> None:
    """It is in its write when the ticket is forgotten, and does not give the account back."""
    ticket, other = desk.create(), desk.create(priority="low")
    writes = "write_many" if desk.kind == "zendesk" else "write"

    def forget() -> None:
        forgetting.forget(desk.database, "acme", [ticket], patience=0)

    desk.helpdesk.once(writes, forget, before=True)
    desk.hint(ticket, other)
    desk.drain()  # loses its lease
    left = [row for row in desk.rows() if row["ticket_id"] == ticket]
    assert (left, desk.evidence(ticket)) == ([], [])
    assert [row for row in desk.rows(tables.history) if row["ticket_id"] == ticket] == []

    desk.drain_until_quiet()
    assert [row["ticket_id"] for row in desk.rows()] == [other]
    assert desk.right(other)
    keys = Keys(Fernet.generate_key().decode(), Path("unused"))
    assert proof.verify(desk.database, "acme", keys).holds


def test_whoever_drains_is_waited_for(database: Database) -> None:
    """And gives the account back while somebody waits."""
    database.run(lambda conn: _account(conn, "acme", 1))
    lease = database.run(lambda conn: accounts.acquire(conn, "acme", "host:1"))
    assert lease is not None
    asked: list[float] = []

    def monotonic() -> float:
        asked.append(0.0)
        if len(asked) == 3:
            database.run(lambda conn: accounts.release(conn, lease))
        return 0.0

    forgetting.forget(database, "acme", [TICKET], monotonic=monotonic)
    assert TICKET not in _everything(database)
    with database.read() as conn:
        assert not conn.scalar(select(tables.account.c.lease_holder))
