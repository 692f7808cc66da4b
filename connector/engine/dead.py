"""Dead letters: tickets for which nothing is done or written any more, and trying them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, or_, select, update

from connector.engine import evidence
from connector.engine.intake import request_look
from connector.engine.rank import Rank
from connector.store.tables import account as account_table
from connector.store.tables import evidence as evidence_table
from connector.store.tables import ticket

LATEST_EVENTS = 10


class Kind(StrEnum):
    """How a ticket is dead. One that is both counts as parked."""

    PARKED = "parked"  #: it is not looked at, because that failed again and again
    WRITE_BLOCKED = "write_blocked"  #: it is judged; the helpdesk refuses every write as it stands


@dataclass(frozen=True, kw_only=True, slots=True)
class Dead:
    """A ticket that is left alone, and why."""

    account: str
    ticket_id: str
    kind: Kind
    reason: str
    #: since when, UTC by the database's clock; None: the record no longer tells
    since: datetime | None
    #: looks begun since the last that ended well
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A line of the record of a ticket."""

    at: datetime
    kind: str
    body: Any


def accounts_known(conn: Connection) -> list[str]:
    """The names of the accounts that the store has seen."""
    columns = account_table.c
    return list(conn.scalars(select(columns.name).order_by(columns.name)))


def dead_of(
    conn: Connection, account: str | None, ticket_ids: Sequence[str] | None = None
) -> list[Dead]:
    """The dead tickets of one account or of all; only these where `ticket_ids` are given."""
    columns = ticket.c
    query = _dead()
    if account is not None:
        query = query.where(columns.account == account)
    if ticket_ids is not None:
        query = query.where(columns.ticket_id.in_(list(ticket_ids)))
    # both helpdesks count their tickets, so that the shorter number is the lower one
    query = query.order_by(columns.account, func.length(columns.ticket_id), columns.ticket_id)
    return [_as_dead(row) for row in conn.execute(query)]


def seen(conn: Connection, account: str, ticket_ids: Sequence[str]) -> set[str]:
    """Which of these tickets the store knows."""
    columns = ticket.c
    query = select(columns.ticket_id).where(
        columns.account == account, columns.ticket_id.in_(list(ticket_ids))
    )
    return set(conn.scalars(query))


def latest_events(conn: Connection, account: str, ticket_id: str) -> list[Event]:
    """What was last recorded of a ticket, the oldest first."""
    columns = evidence_table.c
    rows = conn.execute(
        select(columns.at, columns.kind, columns.body)
        .where(columns.account == account, columns.ticket_id == ticket_id)
        .order_by(columns.id.desc())
        .limit(LATEST_EVENTS)
    ).all()
    return [Event(at=_instant(row.at), kind=row.kind, body=row.body) for row in reversed(rows)]


def retry(conn: Connection, account: str, ticket_ids: Sequence[str]) -> None:
    """Have dead tickets looked at now, and written; one that fails again is dead again at once."""
    columns, ids = ticket.c, sorted(set(ticket_ids))
    request_look(conn, account, ids, Rank.HINT, unpark=True)
    one = (columns.account == account, columns.ticket_id == bindparam("one"))
    if ids:
        conn.execute(
            update(ticket).where(*one).values(write_blocked=None, not_before=0.0),
            [{"one": ticket_id} for ticket_id in ids],
        )


def _dead() -> Select[Any]:
    columns, record = ticket.c, evidence_table.c
    recorded = select(func.max(record.at)).where(
        record.account == columns.account, record.ticket_id == columns.ticket_id
    )
    return select(
        columns.account,
        columns.ticket_id,
        columns.parked,
        columns.write_blocked,
        columns.attempts,
        recorded.where(record.kind == evidence.PARKED).scalar_subquery().label("parked_at"),
        recorded.where(record.kind == evidence.BLOCKED).scalar_subquery().label("blocked_at"),
    ).where(or_(columns.parked.is_not(None), columns.write_blocked.is_not(None)))


def _as_dead(row: Row[Any]) -> Dead:
    is_parked = row.parked is not None
    at = row.parked_at if is_parked else row.blocked_at
    return Dead(
        account=row.account,
        ticket_id=row.ticket_id,
        kind=Kind.PARKED if is_parked else Kind.WRITE_BLOCKED,
        reason=row.parked if is_parked else row.write_blocked,
        since=None if at is None else _instant(at),
        attempts=row.attempts,
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
