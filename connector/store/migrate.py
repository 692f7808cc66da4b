"""Brings a database to the newest form of the tables, and tells whether it is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock, Timeout
from sqlalchemy import Connection, text

from connector.errors import StoreError
from connector.store.database import Database, without_limits

_SCRIPTS = Path(__file__).with_name("migrations")
_WAIT = 300  # seconds that one process waits for the migrations of another
_LOCK = 0x6465736B636C6F63  # PostgreSQL's advisory locks are numbers; this one reads "deskcloc"


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, all in one transaction. Safe to call at any time.

    Raises `StoreError`, also when a newer deskclock has migrated the database already.
    """
    if is_current(database):
        return
    with alone(database) as conn:
        refuse_newer(conn, "the database")
        migrate(conn, head())


@contextmanager
def alone(database: Database) -> Iterator[Connection]:
    """A transaction that may change the tables, and the only one of all processes that does."""
    with _file_lock(database), database.write() as conn:
        without_limits(conn)
        if conn.dialect.name == "postgresql":
            conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield conn


def migrate(conn: Connection, to: str) -> None:
    """Run the migrations up to a revision."""
    config = _config()
    config.attributes["connection"] = conn
    command.upgrade(config, to)


def is_current(database: Database) -> bool:
    """Whether the database has exactly the tables of this version. Raises `StoreError`."""
    with database.read() as conn:
        return revision(conn) == head()


def is_served(database: Database) -> bool:
    """Whether a process of this version that runs can go on with the tables as they are.

    It can with those of a newer version, which every migration leaves usable for the version before
    it; only a start is refused there. Raises `StoreError`.
    """
    with database.read() as conn:
        found = revision(conn)
    return found is not None and (found == head() or found not in _known())


def revision(conn: Connection) -> str | None:
    """The revision of the tables; None when there are none."""
    return MigrationContext.configure(conn).get_current_revision()


@cache
def head() -> str:
    """The newest revision that this version knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if newest is None:
        raise StoreError(f"{_SCRIPTS} holds no migrations; install deskclock again")
    return newest


@cache
def _known() -> frozenset[str]:
    scripts = ScriptDirectory.from_config(_config())
    return frozenset(script.revision for script in scripts.walk_revisions())


def refuse_newer(conn: Connection, what: str) -> None:
    """Raise `StoreError` when a newer deskclock has made the tables of `what`."""
    found = revision(conn)
    if found is not None and found not in _known():
        raise StoreError(
            f"{what} is at revision {found}, which this deskclock does not know (it knows up to "
            f"{head()}): a newer version has made it. Use that version, or a backup of this one in "
            "an empty database. Nothing was changed."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


@contextmanager
def _file_lock(database: Database) -> Iterator[None]:
    """Keep other processes from migrating the same SQLite file; PostgreSQL has its own lock."""
    if database.path is None:
        yield
        return
    lock = FileLock(database.path.with_name(f"{database.path.name}.migrate.lock"), mode=0o600)
    try:
        lock.acquire(timeout=_WAIT)
    except Timeout:
        raise StoreError(f"another process has been migrating the database for {_WAIT} s") from None
    try:
        yield
    finally:
        lock.release()
