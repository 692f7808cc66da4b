"""After a restore or a move: nobody works yet, and what happened meanwhile is found again."""

from sqlalchemy import Connection, case, delete, func, update

from connector.engine import accounts
from connector.engine.rank import Rank
from connector.engine.sync import CHANGES, OVERLAP_SECONDS
from connector.store.database import now
from connector.store.tables import heartbeat, note, sync, ticket, wake


def nobody_works(conn: Connection) -> None:
    """Forget the processes that worked on the database from which the rows come."""
    accounts.void_leases(conn)
    conn.execute(delete(heartbeat))
    conn.execute(delete(wake))


def look_again(conn: Connection) -> None:
    """The rows are older than the helpdesk: have everything looked at that may have changed since.

    Every open ticket is due, behind all that is fresh, and what changed is read once more from
    before the backup. Looking is harmless: what is right already is not written.
    """
    nobody_works(conn)
    at, columns = now(conn), ticket.c
    is_due = columns.look_at <= at
    conn.execute(
        update(ticket)
        .where(columns.is_over.is_(False), func.coalesce(columns.state, "") != "gone")
        .values(
            look_at=case((is_due, columns.look_at), else_=at),
            rank=case((is_due, columns.rank), else_=int(Rank.BACKFILL)),
        )
    )
    seen_from = func.coalesce(sync.c.position, sync.c.since) - OVERLAP_SECONDS
    conn.execute(
        update(sync).where(sync.c.feed == CHANGES).values(since=seen_from, cursor=None, next_at=at)
    )
    # it may stand in the ticket by now, so it is looked for before it is written
    conn.execute(update(note).where(note.c.state == "due").values(state="sending", sending_at=at))
