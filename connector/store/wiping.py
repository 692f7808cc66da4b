"""Leaving nothing of what was deleted in SQLite's files. PostgreSQL has its own vacuum."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy import Connection

from connector.errors import StoreError
from connector.store.database import WAIT, Database


@contextmanager
def wiping(conn: Connection) -> Iterator[None]:
    """What is deleted or replaced meanwhile is overwritten with zeros in SQLite's pages."""
    if conn.dialect.name != "sqlite":
        yield
        return
    before = conn.exec_driver_sql("PRAGMA secure_delete").scalar()
    conn.exec_driver_sql("PRAGMA secure_delete = ON")
    try:
        yield
    finally:  # the connection goes back to its pool
        conn.exec_driver_sql(f"PRAGMA secure_delete = {before}")


def empty_log(database: Database) -> bool:
    """Bring what SQLite's log holds into the file and empty it; False when others were reading."""
    if database.path is None:
        return True
    with _alone(database) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def rewrite(database: Database) -> None:
    """Write SQLite's file anew, without the places that earlier versions of rows have left.

    Everybody else waits meanwhile. Raises `StoreError` when others do not let go of it.
    """
    if database.path is None:
        return
    with _alone(database) as connection:
        connection.execute("VACUUM")


@contextmanager
def _alone(database: Database) -> Iterator[sqlite3.Connection]:
    """A connection outside of any transaction, which a `Database` does not give."""
    try:
        with closing(
            sqlite3.connect(str(database.path), timeout=WAIT, isolation_level=None)
        ) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreError(f"{database.path} cannot be rewritten now: {error}") from error
