"""Exceptions: a due that was promised otherwise for one ticket, written down and taken back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from connector.engine import accounts, evidence
from connector.store.database import now
from connector.store.tables import ticket, ticket_exception
from mappings.entitlement import TicketException
from mappings.policy import Metric

EXCEPTED = "excepted"
WITHDRAWN = "exception_withdrawn"


def helpdesk_now(conn: Connection, account: str) -> datetime:
    """The helpdesk's clock, UTC, cut to the whole second as that of an evaluation is."""
    at = now(conn) + accounts.clock_offset(conn, account)
    return datetime.fromtimestamp(at, UTC).replace(microsecond=0)


def of_tickets(
    conn: Connection, account: str, ticket_ids: Sequence[str]
) -> dict[str, tuple[TicketException, ...]]:
    """The exceptions that stand, of those tickets that have any."""
    columns = ticket_exception.c
    rows = conn.execute(
        select(ticket_exception)
        .where(
            columns.account == account,
            columns.ticket_id.in_(list(ticket_ids)),
            columns.withdrawn_at.is_(None),
        )
        .order_by(columns.id)
    )
    found: dict[str, tuple[TicketException, ...]] = {}
    for row in rows:
        found[row.ticket_id] = (*found.get(row.ticket_id, ()), _exception(row))
    return found


def _exception(row: Any) -> TicketException:
    return TicketException(
        reference=row.reference,
        written_at=datetime.fromtimestamp(row.written_at, UTC),
        until=datetime.fromtimestamp(row.until, UTC),
        metric=Metric(row.metric) if row.metric else None,
    )


def write(
    conn: Connection, account: str, ticket_id: str, exception: TicketException, *, by: str | None
) -> None:
    """Write an exception down."""
    conn.execute(
        insert(ticket_exception).values(
            account=account,
            ticket_id=ticket_id,
            metric=exception.metric,
            until=exception.until.timestamp(),
            reference=exception.reference,
            written_at=exception.written_at.timestamp(),
            written_by=by,
        )
    )
    body = {
        "metric": exception.metric,
        "until": exception.until.isoformat(),
        "reference": exception.reference,
        "written_at": exception.written_at.isoformat(),
        "by": by,
    }
    evidence.record(conn, account, ticket_id, EXCEPTED, body)


def withdraw(
    conn: Connection,
    account: str,
    ticket_id: str,
    reference: str,
    *,
    metric: Metric | None,
    by: str | None,
) -> int:
    """Take back what stands under a reference (None: for every metric); returns how many.

    The rows stay. What they gave counts no longer, for what was fulfilled meanwhile either.
    """
    columns, at = ticket_exception.c, helpdesk_now(conn, account)
    of_metric = [columns.metric == metric] if metric is not None else []
    count = conn.execute(
        update(ticket_exception)
        .where(
            columns.account == account,
            columns.ticket_id == ticket_id,
            columns.reference == reference,
            columns.withdrawn_at.is_(None),
            *of_metric,
        )
        .values(withdrawn_at=at.timestamp(), withdrawn_by=by)
    ).rowcount
    if count:
        body = {"reference": reference, "metric": metric, "at": at.isoformat(), "by": by}
        evidence.record(conn, account, ticket_id, WITHDRAWN, body)
    return count


def references(conn: Connection, account: str, ticket_id: str) -> list[str]:
    """The references of the exceptions of a ticket that stand."""
    found = of_tickets(conn, account, [ticket_id]).get(ticket_id, ())
    return sorted({one.reference for one in found})


def is_seen(conn: Connection, account: str, ticket_id: str) -> bool:
    """Whether deskclock has seen the ticket, so that its id is not a slip."""
    columns = ticket.c
    query = select(columns.evaluated_at).where(
        columns.account == account, columns.ticket_id == ticket_id
    )
    return conn.scalar(query) is not None
