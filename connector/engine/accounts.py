"""Accounts: who may drain one (leases), how it stands (failures), and what its clock says."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from connector.engine.context import Account
from connector.engine.rank import Rank
from connector.errors import (
    AccountError,
    AccountSuspended,
    RateLimited,
    RoleMissing,
    SignInRefused,
)
from connector.helpdesks.base import ClockSample, Identity
from connector.store.database import insert, now
from connector.store.tables import account as account_table
from connector.store.tables import budget, ticket

LEASE_SECONDS = 60.0
RENEW_BELOW_SECONDS = 40.0
HOLD_AFTER = 3  # failures in a row; one or two are weather
FIRST_HOLD_SECONDS = 1.0
LONGEST_HOLD_SECONDS = 300.0
DEFAULT_RETRY_SECONDS = 10.0  # a 429 without Retry-After

OFFSET_SAMPLES = 20
OFFSET_APPLIED_ABOVE_SECONDS = 2.0
STEP_SAMPLES = 3  # so many readings that agree with each other and not with the past are a step

MINUTE_SECONDS = 60.0  # what was used before is over
GENERAL_LIMIT = "account"  # name of the limit in which every call counts, from connector/http

OK = "ok"
HELD = "held"
SIGN_IN_NEEDED = "sign_in_needed"
ROLE_NEEDED = "role_needed"
SUSPENDED = "suspended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to drain an account until `until` (epoch seconds of the database's clock)."""

    account: str
    holder: str
    fence: int
    until: float


def register(conn: Connection, name: str, kind: str) -> None:
    """Make the account's row if there is none."""
    row = insert(conn, account_table).values(name=name, kind=kind)
    conn.execute(row.on_conflict_do_nothing(index_elements=["name"]))


def know_ourselves(conn: Connection, name: str, identity: Identity) -> None:
    """Remember who we are there, so that the echo of our own writes is known."""
    conn.execute(
        update(account_table)
        .where(account_table.c.name == name)
        .values(own_user_id=identity.user_id, vendor_account_id=identity.account_id)
    )


def advise(conn: Connection, name: str, lines: Sequence[str]) -> bool:
    """Store what an admin should know of the set-up; True when it is something new.

    Then what was refused or left out may be taken now: every ticket that is not over is looked at,
    and those that were left alone.
    """
    where = account_table.c.name == name
    before = conn.scalar(select(account_table.c.advice).where(where))
    if before == list(lines):
        return False
    conn.execute(update(account_table).where(where).values(advice=list(lines)))
    if before is not None:
        _try_again(conn, name)
    return True


def _try_again(conn: Connection, name: str) -> None:
    columns = ticket.c
    conn.execute(
        update(ticket)
        .where(
            columns.account == name,
            or_(
                columns.parked.is_not(None),
                columns.write_blocked.is_not(None),
                and_(columns.is_over.is_(False), columns.evaluation.is_not(None)),
            ),
        )
        .values(
            parked=None, write_blocked=None, attempts=0, not_before=0.0, look_at=now(conn),
            rank=Rank.BACKFILL,
        )
    )  # fmt: skip


def clock_offset(conn: Connection, name: str) -> float:
    """The helpdesk's clock minus the database's, seconds, as it is in force."""
    query = select(account_table.c.clock_offset).where(account_table.c.name == name)
    return float(conn.scalar(query) or 0.0)


def clock_is_known(conn: Connection, name: str) -> bool:
    """Whether the helpdesk's clock was read before."""
    query = select(account_table.c.clock_checked_at).where(account_table.c.name == name)
    return bool(conn.scalar(query))


def is_scarce(conn: Connection, name: str) -> bool:
    """Whether more than half of our share of the helpdesk's general limit is used."""
    columns = budget.c
    query = select(columns.used, columns.share, columns.updated_at).where(
        columns.account == name, columns.bucket == GENERAL_LIMIT
    )
    row = conn.execute(query).first()
    if row is None or row.share is None or 2 * row.used <= row.share:
        return False
    return bool(row.updated_at > now(conn) - MINUTE_SECONDS)


def own_user_id(conn: Connection, name: str) -> str | None:
    """The helpdesk's id of the user that we are there; None before the first call."""
    query = select(account_table.c.own_user_id).where(account_table.c.name == name)
    return conn.scalar(query)


def acquire(conn: Connection, name: str, holder: str) -> Lease | None:
    """The lease, if nobody else holds a live one and the account is not held."""
    at = now(conn)
    free = or_(account_table.c.lease_holder.is_(None), account_table.c.lease_until <= at)
    row = conn.execute(
        update(account_table)
        .where(account_table.c.name == name, free, account_table.c.held_until <= at)
        .values(
            lease_holder=holder,
            lease_fence=account_table.c.lease_fence + 1,
            lease_until=at + LEASE_SECONDS,
        )
        .returning(account_table.c.lease_fence)
    ).first()
    if row is None:
        return None
    return Lease(account=name, holder=holder, fence=row[0], until=at + LEASE_SECONDS)


def renew(conn: Connection, lease: Lease) -> Lease | None:
    """The lease with its full length again; None when it was lost."""
    until = now(conn) + LEASE_SECONDS
    changed = conn.execute(
        update(account_table).where(_is_ours(lease)).values(lease_until=until)
    ).rowcount
    if not changed:
        return None
    return Lease(account=lease.account, holder=lease.holder, fence=lease.fence, until=until)


def seconds_left(conn: Connection, lease: Lease) -> float:
    """How long the lease lasts yet; 0 or less when it is over, or somebody else's."""
    until = conn.scalar(select(account_table.c.lease_until).where(_is_ours(lease)))
    return float(until) - now(conn) if until is not None else 0.0


def is_ours(conn: Connection, lease: Lease) -> bool:
    """Whether the lease still stands; asked inside each transaction that rests on it."""
    query = select(account_table.c.name).where(_is_ours(lease)).with_for_update(read=True)
    return conn.execute(query).first() is not None


def release(conn: Connection, lease: Lease) -> None:
    """Give the lease back."""
    conn.execute(
        update(account_table).where(_is_ours(lease)).values(lease_holder=None, lease_until=0)
    )


def void_leases(conn: Connection) -> None:
    """Free every lease. Only for a process that knows to be the only one (embedded)."""
    conn.execute(update(account_table).values(lease_holder=None, lease_until=0))


def _is_ours(lease: Lease) -> Any:
    columns = account_table.c
    return and_(
        columns.name == lease.account,
        columns.lease_holder == lease.holder,
        columns.lease_fence == lease.fence,
    )


def succeeded(conn: Connection, name: str) -> None:
    """A call went through: the account is fine."""
    conn.execute(
        update(account_table)
        .where(
            account_table.c.name == name,
            or_(account_table.c.state != OK, account_table.c.failures > 0),
        )
        .values(state=OK, failures=0, held_until=0, last_error=None)
    )


def failures(conn: Connection, name: str) -> int:
    """How often in a row the account could not be used."""
    query = select(account_table.c.failures).where(account_table.c.name == name)
    return conn.scalar(query) or 0


def failed(conn: Connection, name: str, error: AccountError) -> float:
    """The account cannot be used; returns the seconds for which it is held now."""
    count = 1 + failures(conn, name)
    seconds = _hold(error, count)
    conn.execute(
        update(account_table)
        .where(account_table.c.name == name)
        .values(
            failures=count,
            state=_state(error, count),
            held_until=now(conn) + seconds,
            last_error=str(error),
        )
    )
    return seconds


def waits(conn: Connection, name: str, seconds: float) -> None:
    """Our share of the rate limit is used up: no call for so long. Nothing has failed."""
    conn.execute(
        update(account_table)
        .where(account_table.c.name == name)
        .values(held_until=now(conn) + seconds)
    )


def _state(error: AccountError, failures: int) -> str:
    if isinstance(error, AccountSuspended):
        return SUSPENDED
    if isinstance(error, RoleMissing):
        return ROLE_NEEDED
    if isinstance(error, SignInRefused):
        return SIGN_IN_NEEDED
    return HELD if failures >= HOLD_AFTER else OK


def _hold(error: AccountError, failures: int) -> float:
    """1 s doubling to 5 min after three failures; what the helpdesk asks for comes first."""
    if isinstance(error, RateLimited):
        return error.retry_after or DEFAULT_RETRY_SECONDS
    if failures < HOLD_AFTER and not isinstance(error, SignInRefused):
        return error.retry_after or 0.0
    first = 1 if isinstance(error, SignInRefused) else HOLD_AFTER
    doubled = FIRST_HOLD_SECONDS * 2.0 ** min(max(failures - first, 0), 10)
    return max(error.retry_after or 0.0, min(doubled, LONGEST_HOLD_SECONDS))


def read_clock(
    conn: Connection, account: Account, samples: Sequence[ClockSample], monotonic: float
) -> float:
    """Take new readings of the helpdesk's clock in; returns the offset in force, seconds.

    `monotonic` is `time.monotonic()` now. A changed offset moves every timer with it.
    """
    row = conn.execute(
        select(account_table.c.clock_offset, account_table.c.clock_samples).where(
            account_table.c.name == account.name
        )
    ).one()
    before, kept, at = float(row[0]), list(row[1] or []), now(conn)
    if account.clocks.stepped(at, monotonic):
        kept, samples = [], samples[-1:]  # what was measured before says nothing any more
    if not samples:
        return before
    # a Date header is cut to the second, so the clock read half a second more on average
    fresh = [one.shown.timestamp() + 0.5 - (at - (monotonic - one.received)) for one in samples]
    kept = _after_step([*kept, *fresh])[-OFFSET_SAMPLES:]
    measured = median(kept)
    applied = measured if abs(measured) > OFFSET_APPLIED_ABOVE_SECONDS else 0.0
    if abs(applied - before) <= OFFSET_APPLIED_ABOVE_SECONDS and (applied == 0.0) == (
        before == 0.0
    ):
        applied = before
    conn.execute(
        update(account_table)
        .where(account_table.c.name == account.name)
        .values(clock_offset=applied, clock_samples=kept, clock_checked_at=at)
    )
    if applied != before:
        _move_timers(conn, account.name, applied - before, at)
    if applied < before:
        _look_again(conn, account.name, at, at + applied)
    return applied


def _after_step(samples: list[float]) -> list[float]:
    """Forget the past when the latest readings agree with each other and not with it."""
    latest, past = samples[-STEP_SAMPLES:], samples[:-STEP_SAMPLES]
    if len(latest) < STEP_SAMPLES or not past:
        return samples
    agree = max(latest) - min(latest) <= OFFSET_APPLIED_ABOVE_SECONDS
    stepped = abs(median(latest) - median(past)) > OFFSET_APPLIED_ABOVE_SECONDS
    return latest if agree and stepped else samples


def _look_again(conn: Connection, name: str, at: float, helpdesk_now: float) -> None:
    """The clock went back: what was judged by an instant yet to come is judged once more."""
    conn.execute(
        update(ticket)
        .where(
            ticket.c.account == name,
            ticket.c.evaluated_at > helpdesk_now + OFFSET_APPLIED_ABOVE_SECONDS,
            or_(ticket.c.look_at.is_(None), ticket.c.look_at > at),
        )
        .values(look_at=at, rank=Rank.BACKFILL)
    )


def _move_timers(conn: Connection, name: str, seconds: float, at: float) -> None:
    for column in (ticket.c.look_at, ticket.c.timer_at):
        conn.execute(
            update(ticket)
            .where(ticket.c.account == name, column > at)
            .values({column: column - seconds})
        )
