"""Heartbeats: the processes that say they are alive."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete

from connector.store.database import insert, now
from connector.store.tables import heartbeat

KEPT_SECONDS = 3600.0  # so long it can be seen that a process was there


def beat(conn: Connection, name: str, body: Mapping[str, Any]) -> None:
    """Say that `name` is alive now."""
    row = insert(conn, heartbeat).values(name=name, at=now(conn), body=dict(body))
    conn.execute(
        row.on_conflict_do_update(
            index_elements=["name"], set_={"at": row.excluded.at, "body": row.excluded.body}
        )
    )


def forget_dead(conn: Connection, prefix: str) -> None:
    """Delete the processes so named that have been silent for long; they do not come back."""
    columns = heartbeat.c
    conn.execute(
        delete(heartbeat).where(
            columns.name.startswith(prefix, autoescape=True),
            columns.at < now(conn) - KEPT_SECONDS,
        )
    )
