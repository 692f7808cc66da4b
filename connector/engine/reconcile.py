"""Reconciliation: open tickets that nobody has spoken of for long are looked at all the same.

The feed of changes finds what no webhook told. This finds what neither told, such as a field of
ours that was changed without an update of the ticket. The looks come behind all others, and as
many at a time as make a round of all open tickets in the time that is set, so that none pile up.
"""

from math import ceil

from sqlalchemy import Connection, func, or_, select, update

from connector.engine import accounts
from connector.engine.rank import Rank
from connector.store.database import now, skip_locked
from connector.store.retention import GONE
from connector.store.tables import account as account_table
from connector.store.tables import ticket

HOURS = 24.0
HOUR = 3600.0  # seconds
PAUSE_SECONDS = 60.0  # between two requests for one account, whoever makes them
MOST = 500  # tickets of one request
SOON_SECONDS = 3600.0  # a look that comes by itself within this serves as well, and keeps its rank


def request(conn: Connection, account: str, hours: float = HOURS) -> int:
    """Have open tickets looked at that were not for so long; returns how many are asked for.

    It does nothing within a minute of the last time, and while looks that were asked for wait.
    """
    pause = _take_turn(conn, account)
    if pause is None or _is_busy(conn, account):
        return 0
    at, columns = now(conn), ticket.c
    is_open = (columns.account == account, columns.is_over.is_(False))
    count = int(conn.scalar(select(func.count()).where(*is_open)) or 0)
    pace = ceil(count * min(pause, HOUR) / (hours * HOUR))
    last = at + accounts.clock_offset(conn, account) - hours * HOUR
    forgotten = (
        select(columns.ticket_id)
        .where(
            *is_open,
            columns.evaluated_at < last,
            columns.parked.is_(None),
            columns.open_intent.is_(None),
            or_(columns.state.is_(None), columns.state != GONE),
            or_(columns.look_at.is_(None), columns.look_at > at + SOON_SECONDS),
        )
        .order_by(columns.evaluated_at)
        .limit(min(pace, MOST))
    )
    ids = sorted(conn.scalars(skip_locked(forgotten)))
    if ids:
        conn.execute(
            update(ticket)
            .where(columns.account == account, columns.ticket_id.in_(ids))
            .values(look_at=at, rank=int(Rank.BACKFILL))
        )
    return len(ids)


def _take_turn(conn: Connection, account: str) -> float | None:
    """The seconds since the last request; None when another worker has just made one."""
    at, columns = now(conn), account_table.c
    row = conn.execute(
        select(columns.reconciled_at)
        .where(columns.name == account, columns.reconciled_at <= at - PAUSE_SECONDS)
        .with_for_update()
    ).first()
    if row is None:
        return None
    conn.execute(update(account_table).where(columns.name == account).values(reconciled_at=at))
    return at - float(row.reconciled_at)


def _is_busy(conn: Connection, account: str) -> bool:
    columns = ticket.c
    waiting = select(columns.ticket_id).where(
        columns.account == account,
        columns.rank == int(Rank.BACKFILL),
        columns.look_at <= now(conn),
        columns.parked.is_(None),
    )
    return conn.execute(waiting.limit(1)).first() is not None
