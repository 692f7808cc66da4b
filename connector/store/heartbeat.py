"""Heartbeats: the processes that say they are alive."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from connector.store.database import insert, now
from connector.store.tables import heartbeat


def beat(conn: Connection, name: str, body: Mapping[str, Any]) -> None:
    """Say that `name` is alive now."""
    row = insert(conn, heartbeat).values(name=name, at=now(conn), body=dict(body))
    conn.execute(
        row.on_conflict_do_update(
            index_elements=["name"], set_={"at": row.excluded.at, "body": row.excluded.body}
        )
    )
