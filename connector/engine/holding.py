"""Holding an account: the lease while it lasts, and everything that counts only under it."""

import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from connector import telemetry
from connector.engine import accounts
from connector.engine.accounts import Lease
from connector.engine.context import Account
from connector.errors import AccountError, StoreError
from connector.store.database import Database

T = TypeVar("T")

CALL_SECONDS = 10.0  # the longest that one vendor call may take, from connector/http
CLOCK_SECONDS = 1.0  # the clock is compared at most so often


class LeaseLost(Exception):
    """Another worker drains the account now; nothing more may be written."""


# what may go wrong in the middle of a ticket and is not the ticket's doing
NOT_THE_TICKET = (AccountError, StoreError, LeaseLost)


class Holding:
    """One account under a lease. Several threads may use it at the same time."""

    def __init__(
        self, database: Database, account: Account, lease: Lease, monotonic: Callable[[], float]
    ) -> None:
        self.database = database
        self.account = account
        self.lease = lease
        self.monotonic = monotonic
        #: the helpdesk's clock minus the database's, seconds
        self.offset = 0.0
        self._renewed = monotonic()
        self._clock_read = float("-inf")
        self._proven = False
        self._guard = threading.RLock()

    def keep(self) -> None:
        """Renew the lease when it is time; called between any two calls of a long pass."""
        with self._guard:
            if self._left() <= accounts.RENEW_BELOW_SECONDS:
                self._renew()

    def before_write(self) -> None:
        """No write is sent that could outlive the lease. Raises `LeaseLost`.

        The database says how much of it is left: our own clock stands still while a machine sleeps.
        """
        self.keep()
        with self.database.read() as conn:
            left = accounts.seconds_left(conn, self.lease)
        if left <= CALL_SECONDS:
            with self._guard:
                self._renew()

    def _renew(self) -> None:
        begun = self.monotonic()
        renewed = self.database.run(lambda conn: accounts.renew(conn, self.lease))
        if renewed is None:
            raise LeaseLost
        self.lease, self._renewed = renewed, begun

    def commit(self, work: Callable[[Connection], T]) -> T:
        """A transaction that counts only while the lease is ours. Raises `LeaseLost`."""

        def fenced(conn: Connection) -> T:
            if not accounts.is_ours(conn, self.lease):
                raise LeaseLost
            return work(conn)

        done = self.database.run(fenced)
        telemetry.went_on(self.account.name)
        return done

    def read_clock(self) -> None:
        """Take the helpdesk's clock in; nothing is evaluated by one that was not looked at."""
        with self._guard:
            if self.monotonic() - self._clock_read < CLOCK_SECONDS:
                return
            samples = self.account.helpdesk.clock_samples()
            self.offset = self.commit(
                lambda conn: accounts.read_clock(conn, self.account, samples, self.monotonic())
            )
            self._clock_read = self.monotonic()

    def prove(self) -> None:
        """A whole pass went well, its writes too: the account is fine."""
        if not self._proven:
            self.commit(lambda conn: accounts.succeeded(conn, self.account.name))
            self._proven = True

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        self.database.run(lambda conn: accounts.release(conn, self.lease))

    def _left(self) -> float:
        return accounts.LEASE_SECONDS - (self.monotonic() - self._renewed)
