"""Which other processes use the database, for what must not be done beside them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text

from connector.errors import StoreError
from connector.store.database import Database, now
from connector.store.tables import heartbeat

SILENT_SECONDS = 15.0  # a process that has said nothing for so long is dead


def refuse_company(database: Database) -> None:
    """Raise `StoreError` when another process uses the database."""
    found = _others_of_file(database) if database.path else _others_of_server(database)
    if found:
        raise StoreError(
            f"the database is in use: {'; '.join(found)}. Stop web and worker on every machine, "
            "and try again. Nothing was changed."
        )


def _others_of_file(database: Database) -> list[str]:
    database.dispose()  # our own connections would be in the way
    path: Path = database.path or Path()
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            # refused while any other connection is open, even one that does nothing
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return [f"another process has {path} open"]
    return []


def _others_of_server(database: Database) -> list[str]:
    with database.read() as conn:
        return [*_beating(conn), *_connected(conn)]


def _beating(conn: Connection) -> list[str]:
    if not inspect(conn).has_table(heartbeat.name):
        return []
    at = now(conn)
    query = select(heartbeat.c.name, heartbeat.c.at).where(heartbeat.c.at > at - SILENT_SECONDS)
    return [
        f"{row.name} was heard of {max(0.0, at - row.at):.0f} s ago" for row in conn.execute(query)
    ]


def _connected(conn: Connection) -> list[str]:
    query = text(
        "SELECT host(client_addr) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database()"
        " AND application_name = current_setting('application_name')"
    )
    hosts = sorted({row[0] or "this machine" for row in conn.execute(query)})
    return [f"a deskclock process on {host} is connected" for host in hosts]
