"""The brakes: nothing is written again and again against something that undoes it each time."""

from enum import Enum
from itertools import takewhile

from sqlalchemy import Connection, desc, select

from connector.engine import evidence
from connector.store.database import now
from connector.store.tables import evidence as evidence_table

WRITTEN_AT_MOST = 3  # times the same values, each time found changed
WITHIN_SECONDS = 3600.0
CONCEDED = "conceded"


class Brake(Enum):
    """Whether values are still written to a ticket."""

    OPEN = "open"  #: they are
    CLOSED_NOW = "closed now"  #: they are given up at this look
    CLOSED = "closed"  #: they were given up before, and stay so until they change


def concede(conn: Connection, account: str, ticket_id: str, fingerprint: str) -> Brake:
    """Whether these values are given up on this ticket until they change; recorded once."""
    columns, since = evidence_table.c, now(conn) - WITHIN_SECONDS
    rows = conn.execute(
        select(columns.kind, columns.body, columns.at)
        .where(
            columns.account == account,
            columns.ticket_id == ticket_id,
            columns.kind.in_((evidence.WRITTEN, CONCEDED)),
        )
        .order_by(desc(columns.id))
        .limit(WRITTEN_AT_MOST)
    ).all()
    latest = list(takewhile(lambda row: row.body.get("fingerprint") == fingerprint, rows))
    if any(row.kind == CONCEDED for row in latest):
        return Brake.CLOSED
    if sum(row.at > since for row in latest) < WRITTEN_AT_MOST:
        return Brake.OPEN
    evidence.record(conn, account, ticket_id, CONCEDED, {"fingerprint": fingerprint})
    return Brake.CLOSED_NOW
