"""Forgetting: nothing is left of a ticket, of a customer's tickets, or of a whole account.

The helpdesk is never touched. A ticket that is still there comes back when something tells of it.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, or_, select, true, update

from connector.engine import accounts
from connector.engine.accounts import LEASE_SECONDS, Lease
from connector.errors import SettingsError, StoreError
from connector.store import traces
from connector.store.chain import FORGOTTEN, NOBODY, Line, append, redact
from connector.store.database import Database, now
from connector.store.tables import account as account_table
from connector.store.tables import budget, delivery, intent, intent_ticket, metadata, sync, ticket
from connector.store.wiping import wiping
from mappings.explain import utc

BATCH = 100  # tickets of one transaction
ROWS = 1_000  # rows of one transaction, where a whole account goes
PATIENCE_SECONDS = 10.0  # then whoever drains the account loses it, as if he had died
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What is gone."""

    #: rows that were deleted
    rows: int = 0
    #: lines of evidence whose content was taken out
    lines: int = 0
    #: deliveries that no longer say which ticket they were about
    deliveries: int = 0

    def __add__(self, other: "Forgotten") -> "Forgotten":
        return Forgotten(
            rows=self.rows + other.rows,
            lines=self.lines + other.lines,
            deliveries=self.deliveries + other.deliveries,
        )


def tickets_of(conn: Connection, account: str, requester_id: str) -> list[str]:
    """The tickets of a customer, by the helpdesk's id of him."""
    columns = ticket.c
    query = select(columns.ticket_id).where(
        columns.account == account, columns.requester_id == requester_id
    )
    return sorted(conn.scalars(query))


def without_customer(conn: Connection, account: str) -> int:
    """How many tickets do not say whose they are: an older deskclock has looked at them last."""
    columns = ticket.c
    query = select(func.count()).where(
        columns.account == account,
        columns.requester_id.is_(None),
        columns.evaluated_at.is_not(None),
    )
    return int(conn.scalar(query) or 0)


def forget(
    database: Database,
    account: str,
    ticket_ids: Sequence[str],
    *,
    patience: float = PATIENCE_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
) -> Forgotten:
    """Forget tickets. Where it is interrupted, what is left is found when it is asked again."""
    ids, gone = sorted(set(ticket_ids)), Forgotten()
    with _alone(database, account, patience, monotonic) as lease:
        for start in range(0, len(ids), BATCH):
            gone += _forget_some(database, account, ids[start : start + BATCH], lease)
    return gone


def _forget_some(database: Database, account: str, ids: Sequence[str], lease: Lease) -> Forgotten:
    # all deliveries are looked through for these, while others go on writing
    with database.read() as conn:
        told = _deliveries_about(conn, account, ids)

    def work(conn: Connection) -> Forgotten:
        _keep(conn, lease)
        with wiping(conn):
            return _forget(conn, account, ids, told)

    return database.run(work)


def _deliveries_about(conn: Connection, account: str, ids: Sequence[str]) -> list[str]:
    columns = delivery.c
    query = select(columns.delivery_id).where(
        columns.account == account, columns.ticket_id.in_(list(ids))
    )
    return sorted(conn.scalars(query))


def _forget(
    conn: Connection, account: str, ids: Sequence[str], deliveries: Sequence[str]
) -> Forgotten:
    """The tickets' own rows go first: whoever is about to add to the rest waits for them."""
    intents = _intents_of(conn, account, ids)
    gone = Forgotten(
        rows=traces.remove(conn, account, ids) + _forget_limits(conn, account, ids),
        deliveries=_make_nameless(conn, account, deliveries),
        lines=redact(conn, account, ids),
    )
    _close_empty(conn, intents)
    _forget_failures(conn, account, ids)
    if gone.lines:
        append(conn, account, [Line(ticket_id=NOBODY, kind=FORGOTTEN, body={"lines": gone.lines})])
    return gone


def _make_nameless(conn: Connection, account: str, deliveries: Sequence[str]) -> int:
    """Their ids stay, so that one that is sent again is known."""
    one = and_(delivery.c.account == account, delivery.c.delivery_id == bindparam("one"))
    if deliveries:
        nameless = update(delivery).where(one).values(ticket_id=None)
        conn.execute(nameless, [{"one": its_id} for its_id in deliveries])
    return len(deliveries)


def _intents_of(conn: Connection, account: str, ids: Sequence[str]) -> list[int]:
    columns = intent_ticket.c
    query = select(columns.intent_id).where(
        columns.account == account, columns.ticket_id.in_(list(ids))
    )
    return sorted(set(conn.scalars(query)))


def _close_empty(conn: Connection, intents: Sequence[int]) -> None:
    """A bulk write of nothing but these tickets: nobody has to know any more how it ended."""
    if intents:
        rest = select(intent_ticket.c.intent_id).where(intent_ticket.c.intent_id.in_(intents))
        conn.execute(delete(intent).where(intent.c.id.in_(intents), intent.c.id.not_in(rest)))


def _forget_limits(conn: Connection, account: str, ids: Sequence[str]) -> int:
    """A limit that each ticket has for itself names the ticket."""
    mine = [budget.c.bucket.endswith(f":{one}", autoescape=True) for one in ids]
    return conn.execute(delete(budget).where(budget.c.account == account, or_(*mine))).rowcount


def _forget_failures(conn: Connection, account: str, ids: Sequence[str]) -> None:
    """What last went wrong may name the ticket with which it did."""
    some = "|".join(map(re.escape, ids))
    whole = re.compile(rf"(?<![^\W_])(?:{some})(?![^\W_])")  # not 1 in 210
    for table, name in ((account_table, account_table.c.name), (sync, sync.c.account)):
        error = table.c.last_error
        texts = conn.scalars(select(error).where(name == account, error.is_not(None)))
        told = [one for one in texts if whole.search(one)]
        if told:
            mine = and_(name == account, error.in_(told))
            conn.execute(update(table).where(mine).values(last_error=None))


def forget_account(database: Database, account: str) -> Forgotten:
    """Forget everything about an account, its secrets too.

    Raises `SettingsError` while somebody drains it.
    """
    lease = database.run(lambda conn: _take(conn, account, by_force=False))
    if lease is None:
        raise SettingsError(_drained(database, account))
    tables = [one for one in reversed(metadata.sorted_tables) if "account" in one.c]
    rows = sum(_empty(database, one, account, lease) for one in tables)

    def work(conn: Connection) -> int:
        _keep(conn, lease)
        with wiping(conn):
            mine = account_table.c.name == account
            return conn.execute(delete(account_table).where(mine)).rowcount

    return Forgotten(rows=rows + database.run(work))


def _empty(database: Database, table: Table, account: str, lease: Lease) -> int:
    """Delete an account's rows of a table, some at a time, so that others are not held up."""
    keys, deleted = list(table.primary_key.columns), 0
    names = [f"its_{column.name}" for column in keys]
    one = and_(*(key == bindparam(name) for key, name in zip(keys, names, strict=True)))

    def work(conn: Connection) -> int:
        _keep(conn, lease)
        rows = conn.execute(select(*keys).where(table.c.account == account).limit(ROWS)).all()
        if rows:
            with wiping(conn):
                values = [dict(zip(names, row, strict=True)) for row in sorted(rows)]
                conn.execute(delete(table).where(one), values)
        return len(rows)

    while count := database.run(work):
        deleted += count
    return deleted


@contextmanager
def _alone(
    database: Database, account: str, patience: float, monotonic: Callable[[], float]
) -> Iterator[Lease]:
    """The account's lease: a worker in the middle of a ticket would store it once more.

    One that does not give it back in time loses it, and can commit nothing any more.
    """
    end = monotonic() + patience
    while True:
        force = monotonic() >= end
        lease = database.run(lambda conn, force=force: _take(conn, account, by_force=force))  # type: ignore[misc]
        if lease is not None:
            break
        time.sleep(PAUSE_SECONDS)
    try:
        yield lease
    finally:
        database.run(lambda conn: accounts.release(conn, lease))


def _take(conn: Connection, account: str, *, by_force: bool) -> Lease | None:
    """The lease, of a held account too: no call is made."""
    at, columns, holder = now(conn), account_table.c, f"forget:{uuid4().hex}"
    free = or_(columns.lease_holder.is_(None), columns.lease_until <= at)
    until = at + LEASE_SECONDS
    row = conn.execute(
        update(account_table)
        .where(columns.name == account, true() if by_force else free)
        .values(lease_holder=holder, lease_fence=columns.lease_fence + 1, lease_until=until)
        .returning(columns.lease_fence)
    ).first()
    if row is None:
        return None
    return Lease(account=account, holder=holder, fence=row.lease_fence, until=until)


def _keep(conn: Connection, lease: Lease) -> None:
    if accounts.renew(conn, lease) is None:
        raise StoreError(f"account {lease.account} was taken over meanwhile; do it again")


def _drained(database: Database, account: str) -> str:
    columns = account_table.c
    with database.read() as conn:
        row = conn.execute(
            select(columns.lease_holder, columns.lease_until).where(columns.name == account)
        ).first()
    if row is None:
        return f"account '{account}' is not in the database"
    until = utc(datetime.fromtimestamp(row.lease_until, UTC))
    return (
        f"account '{account}' is drained by {row.lease_holder}; stop the worker first (one that "
        f"died lets go of it at {until})"
    )
