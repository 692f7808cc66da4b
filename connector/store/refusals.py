"""What a database's error means: it refuses at the moment, or the statement is to blame."""

import re
import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connector.errors import StoreError


class Busy(StoreError):
    """Another transaction was in the way; the same one may succeed when it is repeated."""


_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE = {
    sqlite3.SQLITE_BUSY: "another process holds the database; the wait of 5 s was not enough",
    sqlite3.SQLITE_LOCKED: "another transaction holds the table",
    sqlite3.SQLITE_READONLY: "the file cannot be written; check the rights of it and its folder",
    sqlite3.SQLITE_PERM: "the file cannot be used; check the rights of it and its folder",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; check the path and the rights",
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database; check DESKCLOCK_DATABASE_URL",
}
_POSTGRESQL_BUSY = {"40001", "40P01", "55P03"}
_POSTGRESQL = {
    "08": "the connection broke",
    "25006": "it takes no writes (read-only, or a standby)",
    "28": "it refuses our user or password; check DESKCLOCK_DATABASE_URL",
    "3D": "there is no such database; create it, or check DESKCLOCK_DATABASE_URL",
    "40": "another transaction was in the way",
    "42501": "our user may not do that; grant it the rights on its schema",
    "42P01": "a table is missing; the migrations have not run",
    "53": "it is out of disk, memory or connections",
    "55P03": "another transaction holds the row; the wait of 5 s was not enough",
    "57": "it is shutting down, or cancelled the statement",
    "58": "its disk reports an error",
}
# psycopg gives no state for a connection that was never made, only what the server said
_AT_CONNECTING = {
    "3D": re.compile(r'database ".*" does not exist'),
    "28": re.compile(
        r'authentication failed|role ".*" does not exist|no password supplied|no pg_hba.conf entry'
    ),
}


def refusal(error: SQLAlchemyError) -> StoreError | None:
    """The refusal behind an error; None when the statement or its values are to blame."""
    if isinstance(error, PoolTimeout):
        return StoreError("the database refuses: all connections are in use")
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    if isinstance(error.orig, sqlite3.Error):
        return of_sqlite(error.orig)
    return _of_postgresql(error, error.orig)


def of_sqlite(cause: sqlite3.Error) -> StoreError | None:
    """The refusal that SQLite itself gave; None when the statement or its values are to blame."""
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the upper bits only refine it
    if str(cause).startswith("no such table"):
        return StoreError(f"the database refuses: {cause}; the migrations have not run")
    if code not in _SQLITE:
        return None
    return (Busy if code in _SQLITE_BUSY else StoreError)(f"the database refuses: {_SQLITE[code]}")


def _of_postgresql(error: DBAPIError, cause: Any) -> StoreError | None:
    state = getattr(cause, "sqlstate", None)
    if state is None:
        if not error.connection_invalidated and type(cause).__name__ != "OperationalError":
            return None
        said = (_POSTGRESQL[key] for key, one in _AT_CONNECTING.items() if one.search(str(cause)))
        return StoreError(f"the database refuses: {next(said, 'PostgreSQL cannot be reached')}")
    reason = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    if reason is None:
        return None
    return (Busy if state in _POSTGRESQL_BUSY else StoreError)(f"the database refuses: {reason}")
