"""Transactions, refusals, and what SQLite and PostgreSQL must agree on."""

import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from connector.errors import SettingsError, StoreError
from connector.store import database as module
from connector.store.database import Database, insert, now, skip_locked
from connector.store.refusals import Busy

things = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text))


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as conn:
        things.create(conn)
        conn.execute(things.insert(), [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}])
    return database


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "deskclock.sqlite3"


def _names(database: Database) -> list[str]:
    with database.read() as conn:
        return list(conn.scalars(select(things.c.name).order_by(things.c.id)))


def test_a_transaction_that_fails_leaves_nothing(filled: Database) -> None:
    def work(conn: module.Connection) -> None:
        conn.execute(things.delete())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        filled.run(work)
    expected = ["one", "two"]
    assert expected == _names(filled)


def test_a_reading_transaction_cannot_write(filled: Database) -> None:
    with pytest.raises((DBAPIError, StoreError)), filled.read() as conn:
        conn.execute(things.delete())
    with filled.write() as conn:
        conn.execute(things.update().values(name="written"))
    expected = ["written", "written"]
    assert expected == _names(filled)


def test_a_wrong_statement_is_no_refusal(filled: Database) -> None:
    with pytest.raises(IntegrityError), filled.write() as conn:
        conn.execute(things.insert().values(id=1))
    with pytest.raises(DBAPIError, match="no_such_column"), filled.write() as conn:
        conn.execute(text("SELECT no_such_column FROM things"))


def test_a_missing_table_is_a_refusal_that_names_the_migrations(database: Database) -> None:
    with pytest.raises(StoreError, match="the migrations have not run"), database.read() as conn:
        conn.execute(select(things))


def test_the_clock_is_the_computers_within_a_minute_and_finer_than_a_second(
    database: Database,
) -> None:
    readings = set()
    with database.read() as conn:
        for _ in range(5):
            readings.add(now(conn) % 1)
            time.sleep(0.002)
        assert abs(now(conn) - time.time()) < 60
    assert len(readings) > 1


def test_an_insert_can_leave_or_change_the_row_that_is_there(filled: Database) -> None:
    with filled.write() as conn:
        row = insert(conn, things).values(id=1, name="new")
        conn.execute(row.on_conflict_do_nothing())
        row = insert(conn, things).values(id=2, name="new")
        changed = row.on_conflict_do_update(index_elements=["id"], set_={"name": row.excluded.name})
        conn.execute(changed)
    expected = ["one", "new"]
    assert expected == _names(filled)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_rows_that_another_transaction_holds_are_left_out(filled: Database) -> None:
    first = skip_locked(select(things.c.id).order_by(things.c.id).limit(1))
    with filled.write() as conn, filled.write() as other:
        expected = (1, 2)
        assert expected == (conn.scalar(first), other.scalar(first))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_on_sqlite_a_claim_is_the_same_statement_without_locks(filled: Database) -> None:
    with filled.write() as conn:
        expected = 1
        assert expected == conn.scalar(skip_locked(select(things.c.id).order_by(things.c.id)))


def test_many_writers_that_read_first_all_succeed(filled: Database) -> None:
    def count_up() -> None:
        for _ in range(10):
            with filled.write() as conn:
                query = select(things.c.name).where(things.c.id == 3).with_for_update()
                value = int(conn.scalar(query) or 0)
                conn.execute(things.update().where(things.c.id == 3).values(name=str(value + 1)))

    with filled.write() as conn:
        conn.execute(things.insert().values(id=3, name="0"))
    threads = [threading.Thread(target=count_up) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = ["one", "two", "60"]
    assert expected == _names(filled)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_two_transactions_that_deadlock_are_repeated_until_both_are_done(filled: Database) -> None:
    meet = threading.Barrier(2)
    tries: list[int] = []

    def swap(first: int, second: int) -> None:
        def work(conn: module.Connection) -> None:
            tries.append(first)
            conn.execute(things.update().where(things.c.id == first).values(name="x"))
            if len(tries) <= 2:
                meet.wait(10)
            conn.execute(things.update().where(things.c.id == second).values(name="x"))

        filled.run(work)

    threads = [threading.Thread(target=swap, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = (["x", "x"], 3)
    assert expected == (_names(filled), len(tries))


def test_work_that_never_gets_through_is_given_up(filled: Database) -> None:
    tries = []

    def work(conn: module.Connection) -> None:
        tries.append(conn)
        raise Busy

    with pytest.raises(Busy):
        filled.run(work, tries=3)
    expected = 3
    assert expected == len(tries)


def test_other_errors_are_not_repeated(filled: Database) -> None:
    tries = []

    def work(conn: module.Connection) -> None:
        tries.append(conn)
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="full"):
        filled.run(work)
    expected = 1
    assert expected == len(tries)


def test_after_dispose_it_connects_again(filled: Database) -> None:
    filled.dispose()
    expected = ["one", "two"]
    assert expected == _names(filled)


def test_sqlite_is_set_up_to_be_durable(sqlite_path: Path) -> None:
    database = Database(f"sqlite:///{sqlite_path}")
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    with database.read() as conn:
        found = [conn.scalar(text(f"PRAGMA {name}")) for name in names]
    database.dispose()
    expected = ["wal", 2, 1, 5000]
    assert expected == found


def test_folder_and_files_of_sqlite_are_for_their_owner_alone(sqlite_path: Path) -> None:
    database = Database(f"sqlite:///{sqlite_path}")
    with database.write() as conn:
        things.create(conn)
        rights = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (sqlite_path.parent, *sqlite_path.parent.iterdir())
        }
    database.dispose()
    name = sqlite_path.name
    expected = {"data": 0o700, name: 0o600, f"{name}-wal": 0o600, f"{name}-shm": 0o600}
    assert expected == rights


def test_a_file_that_another_process_holds_is_busy(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT", 0.05)
    database = Database(f"sqlite:///{sqlite_path}")
    with database.write() as conn:
        things.create(conn)
    holder = sqlite3.connect(sqlite_path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match="another process holds the database"), database.write():
        pass
    holder.close()
    database.dispose()


def test_a_full_database_says_so(sqlite_path: Path) -> None:
    database = Database(f"sqlite:///{sqlite_path}")
    with database.write() as conn:
        things.create(conn)
        conn.exec_driver_sql("PRAGMA max_page_count = 3")
    with pytest.raises(StoreError, match="disk is full"), database.write() as conn:
        conn.execute(things.insert().values(id=1, name="x" * 100_000))
    database.dispose()


def test_a_file_that_is_no_database_says_so(sqlite_path: Path) -> None:
    sqlite_path.parent.mkdir()
    sqlite_path.write_bytes(b"a letter, not a database\n" * 100)
    database = Database(f"sqlite:///{sqlite_path}")
    with pytest.raises(StoreError, match="no SQLite database"), database.read():
        pass


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file/data/d\.db cannot be written: .*check the rights"):
        Database(f"sqlite:///{tmp_path}/file/data/d.db")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("nonsense", "is no database address; give one such as sqlite", id="nonsense"),
        pytest.param("mysql://h/d", "names mysql; deskclock stores in SQLite or", id="mysql"),
        pytest.param("oracle+nothing://h/d", "DESKCLOCK_DATABASE_URL ", id="unknown"),
        pytest.param("sqlite://", "must name a plain file", id="memory"),
        pytest.param("sqlite:///:memory:", "must name a plain file", id="memory-by-name"),
        pytest.param("sqlite:///file:x?mode=ro&uri=true", "must name a plain file", id="uri"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_examples(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Database(url)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("address", "message"),
    [
        pytest.param("postgres@127.0.0.1:1/postgres", "cannot be reached", id="port"),
        pytest.param("postgres:pw@127.0.0.1/no_such_name", "refuses", id="name"),
    ],
)
def test_a_postgresql_that_cannot_be_used_is_refused_without_the_password(
    address: str, message: str
) -> None:
    database = Database(f"postgresql://{address}")
    with pytest.raises(StoreError, match=message) as caught, database.read():
        pass
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_sessions_of_postgresql_hold_nobody_up_for_long(database: Database) -> None:
    names = ("transaction_isolation", "lock_timeout", "statement_timeout")
    with database.write() as conn:
        found = [conn.scalar(text(f"SHOW {name}")) for name in names]
    expected = ["read committed", "5s", "30s"]
    assert expected == found
