"""The brakes: nothing is written again and again against something that undoes it each time."""

from sqlalchemy import Connection, desc, select

from connector.engine import evidence
from connector.store.database import now
from connector.store.tables import evidence as evidence_table

WRITTEN_AT_MOST = 3  # times the same values, each time found changed
WITHIN_SECONDS = 3600.0
CONCEDED = "conceded"


def concede(conn: Connection, account: str, ticket_id: str, fingerprint: str) -> bool:
    """Whether these values are given up on this ticket until they change; says so once."""
    columns = evidence_table.c
    rows = conn.execute(
        select(columns.kind, columns.body)
        .where(
            columns.account == account,
            columns.ticket_id == ticket_id,
            columns.kind.in_((evidence.WRITTEN, CONCEDED)),
            columns.at > now(conn) - WITHIN_SECONDS,
        )
        .order_by(desc(columns.id))
        .limit(WRITTEN_AT_MOST)
    ).all()
    same = [kind for kind, body in rows if body.get("fingerprint") == fingerprint]
    if CONCEDED in same:
        return True
    if len(same) < WRITTEN_AT_MOST:
        return False
    evidence.record(conn, account, ticket_id, CONCEDED, {"fingerprint": fingerprint})
    return True
