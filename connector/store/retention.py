"""Retention: what has grown old is deleted, a few rows at a time, so that nobody waits for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    or_,
    select,
)

from connector.store import traces
from connector.store.chain import locked
from connector.store.checkpoint import checkpoint_of, move, refuse_foreign
from connector.store.database import Database, now, skip_locked
from connector.store.keys import Keys
from connector.store.proof import Walk, lines_after
from connector.store.tables import (
    account,
    budget,
    chain,
    delivery,
    evidence,
    heartbeat,
    note,
    notice,
    observation,
    past_event,
    sync,
    ticket,
)

log = structlog.get_logger()

DAY = 86_400.0  # seconds
LIMIT = 200  # rows of one transaction: some milliseconds, in which SQLite takes no webhook
LEFT_OVER_DAYS = 1.0  # what nobody will ask for again
GONE = "gone"  #: state of a ticket that the helpdesk no longer knows
UNDONE = ("due", "sending")  #: states of messages and notes that are still to go out


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """For how many days things are kept; 0: for ever."""

    deliveries: int
    observations: int
    #: messages and notes that have gone out, or never will
    notices: int
    evidence: int
    #: tickets that are over, since the last look
    tickets: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Chore:
    """Something that grows old."""

    name: str
    #: deletes up to `LIMIT` rows, and returns how many there were
    work: Callable[[Connection], int]


def chores(database: Database, terms: Terms, keys: Keys) -> Iterator[Chore]:
    """What is to be done, each until nothing is left of it."""
    if terms.deliveries:
        yield _of(delivery, delivery.c.received_at, terms.deliveries)
    if terms.observations:  # of tickets that nobody looked at
        yield _of(observation, observation.c.received_at, terms.observations)
    if terms.notices:
        for table in (notice, note):
            yield _of(table, table.c.created_at, terms.notices, _is_done(table))
    yield _of(heartbeat, heartbeat.c.at, LEFT_OVER_DAYS)
    # limits that each ticket has for itself
    yield _of(budget, budget.c.updated_at, LEFT_OVER_DAYS, budget.c.bucket.contains(":"))
    yield Chore(name="past_event", work=_delete_past_events)
    with database.read() as conn:
        accounts = list(conn.scalars(select(account.c.name).order_by(account.c.name)))
        chained = list(conn.scalars(select(chain.c.account).order_by(chain.c.account)))
    for name in accounts if terms.tickets else ():
        yield _tickets_of(name, terms.tickets * DAY)
    for name in chained if terms.evidence else ():
        yield _evidence_of(name, terms.evidence * DAY, keys)


def _of(
    table: Table,
    instant: ColumnElement[float],
    days: float,
    more: ColumnElement[bool] | None = None,
) -> Chore:
    def work(conn: Connection) -> int:
        old = instant < now(conn) - days * DAY
        return _delete(conn, table, old if more is None else and_(old, more))

    return Chore(name=table.name, work=work)


def _delete(conn: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    """By key, so that neither database looks through a table for what it has found already."""
    keys = list(table.primary_key.columns)
    rows = conn.execute(skip_locked(select(*keys).where(condition).limit(LIMIT))).all()
    if not rows:
        return 0
    one = and_(*(column == bindparam(f"its_{column.name}") for column in keys))
    names = [f"its_{column.name}" for column in keys]
    conn.execute(
        delete(table).where(one), [dict(zip(names, row, strict=True)) for row in sorted(rows)]
    )
    return len(rows)


def _is_done(table: Table) -> ColumnElement[bool]:
    """Nothing is to go out, and no ticket goes on by which the same could be asked for again."""
    columns = ticket.c
    goes_on = exists().where(
        columns.account == table.c.account,
        columns.ticket_id == table.c.ticket_id,
        columns.is_over.is_(False),
    )
    return and_(table.c.state.not_in(UNDONE), ~goes_on)


def _delete_past_events(conn: Connection) -> int:
    """What a backfill has read and never came to use; none goes on that could."""
    goes_on = exists().where(
        sync.c.account == past_event.c.account,
        or_(sync.c.next_at.is_not(None), sync.c.ended_at >= now(conn) - LEFT_OVER_DAYS * DAY),
        sync.c.feed == "full",
    )
    return _delete(conn, past_event, ~goes_on)


def _tickets_of(name: str, seconds: float) -> Chore:
    """Tickets that are over; one that comes back is met as if for the first time."""

    def work(conn: Connection) -> int:
        offset = account.c.clock_offset
        before = now(conn) - seconds
        judged = before + float(conn.scalar(select(offset).where(account.c.name == name)) or 0.0)
        columns = ticket.c
        found: list[str] = []
        rests = (columns.look_at.is_(None), columns.parked.is_(None), columns.open_intent.is_(None))
        for old in (
            and_(columns.is_over.is_(True), columns.evaluated_at < judged),
            and_(columns.is_over.is_(False), columns.evaluated_at < judged, columns.state == GONE),
            and_(
                columns.is_over.is_(False), columns.evaluated_at.is_(None), columns.state == GONE,
                columns.created < before,
            ),
        ):  # fmt: skip
            query = select(columns.ticket_id).where(columns.account == name, old, *rests)
            found += conn.scalars(skip_locked(query.limit(LIMIT - len(found))))
        if found:
            traces.remove(conn, name, found)
        return len(found)

    return Chore(name="ticket", work=work)


def _evidence_of(name: str, seconds: float, keys: Keys) -> Chore:
    return Chore(name="evidence", work=lambda conn: prune(conn, name, seconds, keys))


def prune(conn: Connection, name: str, seconds: float, keys: Keys, limit: int = LIMIT) -> int:
    """Delete the oldest lines of a chain that are older than so many seconds, and sign up to where.

    Only lines that nothing younger stands before. Returns how many. Raises `SettingsError` where
    there is no key, or where the checkpoint is none of ours.
    """
    checkpoint, before = checkpoint_of(locked(conn, name)), now(conn) - seconds
    walk, first = Walk(name), 1 if checkpoint is None else checkpoint.number + 1
    walk.begin_after(checkpoint)
    rows = lines_after(conn, name, (first, 0), limit)
    for count, row in enumerate(rows):
        if row.at >= before:
            rows = rows[:count]
            break
        walk.take(row)
    if not rows:
        return 0
    if checkpoint is not None:
        refuse_foreign(checkpoint, keys)
    for one in walk.breaks:  # it would never be found any more
        log.error(
            "old evidence is broken; it is deleted for its age all the same",
            account=name, line=one.number, flaw=one.flaw.value, reason=one.why,
        )  # fmt: skip
    newest = rows[-1]
    move(conn, name, newest.number, newest.hash, keys)
    number = evidence.c.number
    deleted = and_(evidence.c.account == name, number >= first, number <= newest.number)
    conn.execute(delete(evidence).where(deleted))
    return len(rows)
