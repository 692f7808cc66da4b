"""What to do when the database's clock was set back: what waits for an instant moves with it.

Instants by our own clock would otherwise last too long: a hold of a minute, kept while the clock
went back by an hour, would be one of an hour and a minute. Only those that lie in the future are
moved. What has happened stays as it was written down, and so do instants by the helpdesk's clock.
A clock that was set forward needs nothing: what waits is due early, and looking early costs a look.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, Table, select, update

from connector.store import tables
from connector.store.database import now

NOTICED_SECONDS = 2.0  # less is no step but the drift of clocks that are kept right

#: the instants by our own clock that something waits for, or that count from
KEPT: Mapping[Table, tuple[Column[Any], ...]] = {
    tables.account: (
        tables.account.c.held_until,  # no call before
        tables.account.c.lease_until,  # nobody else may drain before
        tables.account.c.clock_checked_at,  # compared again so long after
        tables.account.c.overwritten_at,  # trouble counts for so long after
        tables.account.c.reconciled_at,  # asked for again so long after
    ),
    tables.ticket: (
        tables.ticket.c.look_at,  # no look before
        tables.ticket.c.echo_at,  # a look then, after our own write
        tables.ticket.c.not_before,  # no look before, whoever asks
        tables.ticket.c.hinted_at,  # webhooks are not silent so long after
        tables.ticket.c.timer_at,  # the answer changes then
    ),
    tables.intent: (
        tables.intent.c.settle_at,  # looked at then, if there is no answer
        tables.intent.c.created_at,  # a job is lost so long after
    ),
    tables.notice: (
        tables.notice.c.not_before,  # no try before
        tables.notice.c.created_at,  # given up so long after
    ),
    tables.note: (
        tables.note.c.not_before,  # no try before
        tables.note.c.sending_at,  # taken for interrupted so long after
        tables.note.c.created_at,  # given up so long after
    ),
    tables.observation: (
        tables.observation.c.received_at,  # the instant of a change that did not tell its own
    ),
    tables.sync: (
        tables.sync.c.next_at,  # no page before
        tables.sync.c.started_at,  # compared with when a page was opened
        tables.sync.c.ended_at,  # compared with when writes were sent
    ),
    tables.budget: (
        tables.budget.c.window_ends,  # no more calls are expected before
        tables.budget.c.blocked_until,  # no call before
        tables.budget.c.waiting_until,  # seconds before are not counted twice
        tables.budget.c.updated_at,  # what was used is over so long after
    ),
    tables.secret: (
        tables.secret.c.lease_until,  # nobody else renews it before
    ),
    tables.wake: (
        tables.wake.c.sent_at,  # no second message before so long after
    ),
    tables.heartbeat: (
        tables.heartbeat.c.at,  # alive for so long after; also how we know
    ),
}


def follow(conn: Connection) -> float:
    """Move what waits if the clock was set back since the latest heartbeat; returns the seconds.

    0 where it was not. Once for each step, however many processes call it.
    """
    columns = tables.heartbeat.c
    # locked, so that of several processes the second sees what the first has moved
    ahead = select(columns.at).order_by(columns.name).with_for_update()
    at = now(conn)
    latest = max(conn.scalars(ahead.where(columns.at > at + NOTICED_SECONDS)), default=at)
    back = latest - at
    if not back:
        return 0.0
    _move_offsets(conn, back)
    _move_calls(conn, at, back)
    for table, instants in KEPT.items():
        _move(conn, table, instants, at, back)
    return back


def _move(
    conn: Connection, table: Table, instants: tuple[Column[Any], ...], at: float, back: float
) -> None:
    for instant in instants:
        conn.execute(update(table).where(instant > at).values({instant.name: instant - back}))


def _move_offsets(conn: Connection, back: float) -> None:
    """The helpdesks' clocks are ahead of ours by so much more, and no evaluation may jump."""
    columns = tables.account.c
    query = select(columns.name, columns.clock_samples, columns.contested).order_by(columns.name)
    for row in conn.execute(query.where(columns.clock_checked_at > 0).with_for_update()).all():
        contested = {name: since - back for name, since in (row.contested or {}).items()}
        conn.execute(
            update(tables.account)
            .where(columns.name == row.name)
            .values(
                clock_offset=columns.clock_offset + back,
                clock_samples=[one + back for one in row.clock_samples or ()],
                contested=contested or None,
            )
        )


def _move_calls(conn: Connection, at: float, back: float) -> None:
    """Our calls count as long as the helpdesk counts them."""
    columns = tables.budget.c
    query = select(columns.account, columns.bucket, columns.recent)
    for row in conn.execute(query.where(columns.updated_at > at).with_for_update()).all():
        recent = [[made - back, count] for made, count in row.recent or ()]
        conn.execute(
            update(tables.budget)
            .where(columns.account == row.account, columns.bucket == row.bucket)
            .values(recent=recent)
        )
