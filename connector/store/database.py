"""The connection to SQLite or PostgreSQL: transactions, refusals, and what differs between both."""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from connector.errors import SettingsError, StoreError
from connector.store.refusals import Busy, refusal

T = TypeVar("T")

WAIT = 5  # seconds for a lock; longer, and a vendor's webhook call would time out first
_OLDEST_SQLITE = (3, 35, 0)  # the first with RETURNING
_EXAMPLES = "such as sqlite:////var/lib/deskclock/deskclock.sqlite3 or postgresql://user@host/name"
_READING = "deskclock_reading"
_ONLY_READING = {_READING: True, "postgresql_readonly": True}


class Database:
    """One database, shared by the threads of one process.

    Nothing is opened before the first transaction, so a `Database` may be made before a fork. One
    that has been used must not cross a fork: call `dispose` before it.
    """

    def __init__(self, url: str) -> None:
        """Take a SQLAlchemy address. Raises `SettingsError`, or `StoreError` for the file."""
        address = _parse(url)
        #: the SQLite file; None on PostgreSQL
        self.path: Path | None = None
        if address.get_backend_name() == "sqlite":
            self.path = _prepare_file(address)
        self._engine = _sqlite(address) if self.path else _postgresql(address)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; a write in it is an error. Raises `StoreError`."""
        with _refusals(), self._engine.connect() as conn:
            conn = conn.execution_options(**_ONLY_READING)
            with conn.begin():
                yield conn

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """As `read`, but for long: all statements see the same moment. Raises `StoreError`."""
        with _refusals(), self._engine.connect() as conn:
            if conn.dialect.name == "postgresql":
                conn = conn.execution_options(isolation_level="REPEATABLE READ")
            conn = conn.execution_options(**_ONLY_READING)
            with conn.begin():
                without_limits(conn)
                yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write, committed durably at the end. Raises `StoreError`.

        Nothing is repeated; `Busy` tells that a repetition may succeed.
        """
        with _refusals(), self._engine.begin() as conn:
            yield conn

    def run(self, work: Callable[[Connection], T], *, tries: int = 5) -> T:
        """`work` in a write transaction, done again when another transaction was in the way.

        `work` may run up to `tries` times, so it must change nothing outside of the database.
        Raises `StoreError`.
        """
        return _repeated(lambda: self._once(work), lambda error: isinstance(error, Busy), tries)

    def _once(self, work: Callable[[Connection], T]) -> T:
        with self.write() as conn:
            return work(conn)

    def dispose(self) -> None:
        """Close all connections; the next transaction opens new ones."""
        self._engine.dispose()


def now(conn: Connection) -> float:
    """The database's clock, epoch seconds, at least to the millisecond."""
    if conn.dialect.name == "sqlite":
        # 'subsec' came with SQLite 3.42; the Julian day holds milliseconds in every version
        julian = conn.scalar(text("SELECT julianday('now')"))
        return round((float(julian) - 2440587.5) * 86400, 3)
    return float(conn.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)


def without_limits(conn: Connection) -> None:
    """Let this transaction take as long as it needs (SQLite sets no limits anyway)."""
    if conn.dialect.name == "postgresql":
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            conn.execute(text(f"SET LOCAL {name} = 0"))


def insert(conn: Connection, table: Table) -> sqlite.Insert:
    """An insert into `table` that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return inserts(conn.dialect.name)(table)


def inserts(dialect: str) -> Callable[[Table], sqlite.Insert]:
    """What makes such inserts for `sqlite` or `postgresql`, for statements that are kept."""
    if dialect == "sqlite":
        return sqlite.insert
    # the two classes have no common base, but these methods with the same arguments
    return postgresql.insert  # type: ignore[return-value]


def skip_locked(query: Select[*tuple[Any, ...]], *tables: Table) -> Select[*tuple[Any, ...]]:
    """`query`, leaving out rows that another transaction holds (SQLite has one writer anyway).

    `tables`: those whose rows are held until the end of the transaction; none: all in the query.
    """
    # SQLAlchemy renders it on PostgreSQL only
    return query.with_for_update(skip_locked=True, of=tables or None)


def _parse(url: str) -> URL:
    try:
        address = make_url(url)
        kind = address.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise _unusable(f"is no database address; give one {_EXAMPLES}") from None
    if kind not in ("sqlite", "postgresql"):
        raise _unusable(f"names {kind}; deskclock stores in SQLite or PostgreSQL, {_EXAMPLES}")
    if kind == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    in_memory = not address.database or address.database == ":memory:"
    if in_memory or str(address.database).startswith("file:"):
        raise _unusable(f"must name a plain file, since several processes use it; {_EXAMPLES}")
    return address.set(drivername="sqlite")


def _unusable(message: str) -> SettingsError:
    return SettingsError(f"DESKCLOCK_DATABASE_URL {message}")


def _prepare_file(address: URL) -> Path:
    """Make the folder and the file for our eyes only; what exists keeps its rights."""
    path = Path(str(address.database)).absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; check the rights") from None
    return path


def _sqlite(address: URL) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise _unusable(f"needs SQLite 3.35 or newer; this Python has {sqlite3.sqlite_version}")
    engine = create_engine(
        address, connect_args={"timeout": WAIT}, pool_size=8, max_overflow=56, pool_timeout=WAIT
    )
    event.listen(engine, "connect", _open_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver opens no transactions; `_begin_sqlite` does
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # of two processes that open a new file at once, SQLite refuses one here without any wait
    _repeated(
        lambda: connection.execute("PRAGMA journal_mode = WAL"),
        lambda error: "locked" in str(error),
        tries=12,
    )


def _repeated(work: Callable[[], T], transient: Callable[[Exception], bool], tries: int) -> T:
    """`work` up to `tries` times; the pause in between doubles up to half a second."""
    for turn in range(tries):
        try:
            return work()
        except Exception as error:
            if turn == tries - 1 or not transient(error):
                raise
            time.sleep(random.uniform(0.005, min(0.01 * 2**turn, 0.5)))  # noqa: S311 - no secret
    raise AssertionError("unreachable: the last turn returns or raises")


def _begin_sqlite(conn: Connection) -> None:
    # a write that begins deferred fails at once when another one came between; immediate waits
    reading = conn.get_execution_options().get(_READING, False)
    conn.exec_driver_sql(f"PRAGMA query_only = {'ON' if reading else 'OFF'}")
    conn.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _postgresql(address: URL) -> Engine:
    try:
        engine = create_engine(
            address,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=56,
            pool_timeout=WAIT,
            connect_args={"connect_timeout": WAIT},
        )
    except ModuleNotFoundError:
        raise _unusable("names PostgreSQL; for it run: pip install 'deskclock[postgres]'") from None
    event.listen(engine, "connect", _open_postgresql)
    return engine


def _open_postgresql(connection: Any, _record: object) -> None:
    # no session may hold others up for long; statements, since poolers refuse start-up options
    connection.execute(f"SET lock_timeout = '{WAIT}s'")
    connection.execute("SET statement_timeout = '30s'")
    connection.execute("SET idle_in_transaction_session_timeout = '60s'")
    # by this name others see who we are and which tables we use
    name = "concat_ws(' ', 'deskclock', current_schema())"
    connection.execute(f"SELECT set_config('application_name', {name}, false)")
    connection.commit()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        refused = refusal(error)
        if refused is None:
            raise
        raise refused from error
