"""Visits: what one process does each time that an account's turn has come."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Literal

import structlog
from sqlalchemy import Connection, or_, select, update

from connector import tracing
from connector.engine import accounts, schedule, sync
from connector.engine.accounts import Lease
from connector.engine.context import Account
from connector.engine.lane import TURN_SECONDS, Lane
from connector.errors import AccountError, StoreError, loggable
from connector.store.database import Database, now
from connector.store.tables import account as account_table

log = structlog.get_logger()

FIELDS_SECONDS = 600.0  # fields may be deleted or retyped behind our back
CLOCK_WARN_SECONDS = 300.0
FAILURE_PAUSE_SECONDS = 1.0

Need = Literal["drain", "check"]


class Visits:
    """Visits accounts, and remembers of each what this process knows. For many threads."""

    def __init__(
        self,
        database: Database,
        served: Mapping[str, Account],
        *,
        holder: str,
        stop: threading.Event,
        clock_check_seconds: float,
        greets: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`greets`: each account is visited at the start, so that what it refuses is seen at once.

        Otherwise one that another process has visited lately is not.
        """
        self.served = served
        self._database = database
        self._holder = holder
        self._stop = stop
        self._clock_check_seconds = clock_check_seconds
        self._greets = greets
        self._monotonic = monotonic
        self._fields_read: dict[str, float] = {}
        self._checked: dict[str, float] = {}
        self._told_of_clock: set[str] = set()
        self._held: dict[str, Lease] = {}
        self._changed = threading.Condition()

    @property
    def draining(self) -> list[str]:
        """The accounts that this process holds at the moment."""
        with self._changed:
            return sorted(self._held)

    def forget_clocks(self) -> None:
        """A clock was set: every account's is to be compared with ours at once.

        Raises `StoreError`.
        """
        self._checked = {}
        columns = account_table.c

        def work(conn: Connection) -> None:
            long_ago = now(conn) - self._clock_check_seconds
            conn.execute(
                update(account_table)
                .where(columns.name.in_(sorted(self.served)), columns.clock_checked_at > long_ago)
                .values(clock_checked_at=long_ago)
            )

        self._database.run(work)

    def needed(self, names: Sequence[str]) -> dict[str, Need]:
        """Which of the accounts need a visit now, and what for. Raises `StoreError`."""
        with self._database.read() as conn:
            due = schedule.accounts_to_drain(conn, names)
            found: dict[str, Need] = dict.fromkeys(due, "drain")
            for name in self._to_prove_themselves(conn, [one for one in names if one not in found]):
                found[name] = "check"
        return found

    def visit(self, account: Account, need: Need) -> bool:
        """One visit; True when its turn was over before all was done. Raises nothing."""
        if self._stop.is_set():
            return False
        with tracing.about(account=account.name):
            try:
                return self._enter(account, need == "drain")
            except StoreError as error:
                log.warning("database refuses", reason=str(error))
            except Exception as error:
                log.error("lane failed", reason=loggable(error))
                self._stop.wait(FAILURE_PAUSE_SECONDS)
        return False

    def end(self, seconds: float) -> bool:
        """Wait for the visits under way; after so long their accounts are given back, and False.

        What is under way there then finds that its lease is lost, and nobody else waits for it.
        """
        with self._changed:
            has_ended = self._changed.wait_for(lambda: not self._held, seconds)
            held = dict(self._held)
        for name, lease in held.items():
            log.warning("account given back while a call to it is under way", account=name)
            with suppress(StoreError):
                self._release(lease)
        return has_ended

    def _enter(self, account: Account, due: bool) -> bool:
        """Take the lease, make sure of who we are there, drain."""
        lease = self._database.run(lambda conn: accounts.acquire(conn, account.name, self._holder))
        if lease is None:
            return False
        self._note(account.name, lease)
        try:
            known = self._known(account, lease, due)
            if known is None or not due:
                return False
            lane = Lane(self._database, account, known, self._stop, self._monotonic)
            return lane.drain(TURN_SECONDS)
        finally:
            try:
                self._release(lease)
            finally:
                self._note(account.name, None)

    def _note(self, name: str, lease: Lease | None) -> None:
        """Remember that an account is held, or that it is not any more."""
        with self._changed:
            if lease is None:
                self._held.pop(name, None)
            else:
                self._held[name] = lease
            self._changed.notify_all()

    def _release(self, lease: Lease) -> None:
        self._database.run(lambda conn: accounts.release(conn, lease))

    def _known(self, account: Account, lease: Lease, due: bool) -> Lease | None:
        """The lease for an account that has just proved itself; None where it is of no use."""
        checked = self._monotonic()
        if not self._is_to_prove_itself(account):
            return lease
        if not self._introduce(account, due):
            return None
        self._checked[account.name] = checked
        # the calls took time; what follows counts on a lease of full length
        return self._database.run(lambda conn: accounts.renew(conn, lease))

    def _is_to_prove_itself(self, account: Account) -> bool:
        if account.recheck.is_set() or self._needs_fields(account.name):
            return True
        with self._database.read() as conn:
            return account.name in self._unchecked(conn, [account.name])

    def _to_prove_themselves(self, conn: Connection, names: Sequence[str]) -> set[str]:
        """Those of the accounts that are to be asked who we are there, and can be."""
        found = self._unchecked(conn, names)
        found |= {one for one in names if self.served[one].recheck.is_set()}
        if not found:
            return found
        columns, at = account_table.c, now(conn)
        query = select(columns.name).where(
            columns.name.in_(sorted(found)),
            columns.held_until <= at,
            or_(columns.lease_holder.is_(None), columns.lease_until <= at),
        )
        return set(conn.scalars(query))

    def _unchecked(self, conn: Connection, names: Sequence[str]) -> set[str]:
        """The accounts whose clock is to be compared: nobody did for a while, or they are new."""
        before = self._monotonic() - self._clock_check_seconds
        stale = {one for one in names if self._checked.get(one, float("-inf")) <= before}
        new = stale - self._checked.keys() if self._greets else set()
        known = sorted(stale - new)
        if not known:
            return new
        columns = account_table.c
        query = select(columns.name).where(
            columns.name.in_(known),
            columns.clock_checked_at <= now(conn) - self._clock_check_seconds,
        )
        return new | set(conn.scalars(query))

    def _introduce(self, account: Account, due: bool) -> bool:
        """Prove the credentials, read the fields once, compare the clocks; False if it failed."""
        try:
            identity = account.helpdesk.identify()
            advice = self._advice(account)
        except AccountError as error:
            seconds = self._failed(account, error)
            log.warning(
                "account not usable", account=account.name, reason=loggable(error),
                again_in_seconds=round(seconds, 1),
            )  # fmt: skip
            return False
        samples = account.helpdesk.clock_samples()

        def work(conn: Connection) -> bool:
            if not due:  # otherwise a whole pass must go well: who may read may not write yet
                accounts.succeeded(conn, account.name)
            accounts.know_ourselves(conn, account.name, identity)
            offset = accounts.read_clock(conn, account, samples, self._monotonic())
            sync.begin(conn, account.name)
            self._tell_of_clock(account.name, offset)
            return advice is not None and accounts.advise(conn, account.name, advice)

        if self._database.run(work):
            for line in advice or ():
                log.warning("account set-up", account=account.name, advice=line)
        return True

    def _tell_of_clock(self, name: str, offset: float) -> None:
        """Once: it is no fault of the account, whose dates follow the helpdesk's clock."""
        if abs(offset) > CLOCK_WARN_SECONDS and name not in self._told_of_clock:
            self._told_of_clock.add(name)
            log.info("the helpdesk's clock differs from ours", account=name, seconds=round(offset))

    def _needs_fields(self, name: str) -> bool:
        return self._monotonic() - self._fields_read.get(name, float("-inf")) >= FIELDS_SECONDS

    def _advice(self, account: Account) -> tuple[str, ...] | None:
        """What the account's fields make an admin know; None while they need not be read anew."""
        if not self._needs_fields(account.name) and not account.recheck.is_set():
            return None
        account.recheck.clear()
        advice = account.helpdesk.prepare()
        self._fields_read[account.name] = self._monotonic()
        return advice

    def _failed(self, account: Account, error: AccountError) -> float:
        return self._database.run(lambda conn: accounts.failed(conn, account.name, error))
