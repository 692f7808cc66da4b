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
from connector.store.database import Database

_SCRIPTS = Path(__file__).with_name("migrations")
_WAIT = 300  # seconds that one process waits for the migrations of another
_LOCK = 0x6465736B636C6F63  # PostgreSQL's advisory locks are numbers; this one reads "deskcloc"


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, all in one transaction. Safe to call at any time.

    Raises `StoreError`, also when a newer deskclock has migrated the database already.
    """
    if is_current(database):
        return
    with _alone(database), database.write() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SET LOCAL lock_timeout = 0"))
            conn.execute(text("SET LOCAL statement_timeout = 0"))
            conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _refuse_newer(conn)
        config = _config()
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Whether the database has exactly the tables of this version. Raises `StoreError`."""
    with database.read() as conn:
        return _revisions(conn) == {head()}


@cache
def head() -> str:
    """The newest revision that this version knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if newest is None:
        raise StoreError(f"{_SCRIPTS} holds no migrations; install deskclock again")
    return newest


def _revisions(conn: Connection) -> set[str]:
    return set(MigrationContext.configure(conn).get_current_heads())


def _refuse_newer(conn: Connection) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    unknown = _revisions(conn) - known
    if unknown:
        raise StoreError(
            f"the database is at revision {', '.join(sorted(unknown))}, which this deskclock does "
            f"not know (it knows up to {head()}): a newer version has migrated it. Install that "
            "version again, or restore a backup. Nothing was changed."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


@contextmanager
def _alone(database: Database) -> Iterator[None]:
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
