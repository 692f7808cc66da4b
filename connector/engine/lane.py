"""The lane: one account is drained by one worker. Claim, read, evaluate, write, record."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from connector.engine import accounts, schedule
from connector.engine.accounts import Lease
from connector.engine.batch import Batch, Sight
from connector.engine.context import Account
from connector.engine.failures import Failures
from connector.engine.holding import Holding, LeaseLost
from connector.engine.jobs import Jobs
from connector.engine.schedule import Claim
from connector.engine.scribe import Scribe
from connector.engine.sync import Sync
from connector.errors import (
    AccountError,
    BudgetSpent,
    HelpdeskUnreachable,
    RateLimited,
    StoreError,
    loggable,
)
from connector.store.database import Database
from connector.tracing import Threads

log = structlog.get_logger()

SINGLE_BATCH = 16  # tickets of a pass where every ticket is read and written by itself
PAGE_BATCH = 300  # of a page of changes, where much of it needs no write and writes go in bulk
SINGLE_CALLS = 8  # calls at the same time there
MOST_JOBS = 28  # of the 30 bulk jobs that Zendesk allows in flight
LINGER_ABOVE_JOBS = 14  # about half of them in flight: wait to fill the batch
LINGER_SECONDS = 2.0
JOB_PAUSE_SECONDS = 0.05  # between two looks for what is due while jobs are on their way
BACKGROUND_EVERY = 5  # of ten passes at most eight put fresh tickets first
HOPELESS_AFTER = 9  # failures in a row when a batch of 100 is halved down to one ticket
CRASHES_PARK_AT = 4  # looks that began and never ended, the last two in a batch of their own
PATIENCE_SECONDS = 2.0  # a wait for the rate limit that is not worth giving the account back
TURN_SECONDS = 5.0  # of a thread that other accounts wait for


class Lane:
    """Drains one account for as long as it has something to do and the lease holds."""

    def __init__(
        self,
        database: Database,
        account: Account,
        lease: Lease,
        stop: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._account = account
        self._helpdesk = account.helpdesk
        self._stop = stop
        self._passes = 0
        #: the latest pass has found something to do
        self._busy = False
        self._holding = Holding(database, account, lease, monotonic)
        self._failures = Failures(self._holding)
        self.jobs = Jobs(self._holding, self._failures)
        self._sync = Sync(self._holding)
        self._scribe = Scribe(self._holding)
        self._pool = Threads(SINGLE_CALLS, thread_name_prefix=account.name)
        self._batch = Batch(self._holding, self._failures, self.jobs, self._pool)

    def drain(self, seconds: float = float("inf")) -> bool:
        """Work until nothing is due, the account fails, the lease is lost or a stop is asked.

        No pass begins after `seconds`, so that other accounts have their turn; True when there was
        more to do then.
        """
        ends_at = self._holding.monotonic() + seconds
        try:
            return self._work_until(ends_at)
        except LeaseLost:
            log.warning("lease lost", account=self._account.name)
        finally:
            self._pool.shutdown()
            self._holding.release()
        return False

    def _work_until(self, ends_at: float) -> bool:
        try:
            while not self._stop.is_set() and self.step():
                if self._holding.monotonic() >= ends_at:
                    return True
        except BudgetSpent as error:
            self._wait_for_budget(error)
        except AccountError as error:
            self._account_failed(error)
        return False

    def step(self) -> bool:
        """One pass; False when there is nothing to do. Raises `AccountError` and `LeaseLost`."""
        self._holding.keep()
        self._give_back()
        jobs = self.jobs.settle(busy=self._busy)
        self._passes += 1
        in_turn: tuple[Callable[[], bool], ...] = (self._look_at_due, self._follow)
        lingers = self._lingers(jobs)
        if jobs >= MOST_JOBS:
            in_turn = ()
        elif lingers:
            in_turn = (self._follow,)
        elif self._passes % BACKGROUND_EVERY == 0:
            in_turn = (self._follow, self._look_at_due)
        self._busy = any(turn() for turn in in_turn)
        # one beside each batch: notes wait for no backlog, and dates for no more than one note
        noted = self._scribe.write_one()
        if self._busy or noted:
            return True
        if jobs or lingers:
            self._stop.wait(JOB_PAUSE_SECONDS)
        return jobs > 0 or lingers

    def _wait_for_budget(self, error: BudgetSpent) -> None:
        """Our share of the rate limit is used up; no ticket is touched, and nothing has failed."""
        seconds = error.retry_after or accounts.DEFAULT_RETRY_SECONDS
        self._holding.commit(lambda conn: accounts.waits(conn, self._account.name, seconds))
        log.debug("waiting for the rate limit", account=self._account.name, seconds=seconds)

    def _account_failed(self, error: AccountError) -> None:
        seconds = self._holding.commit(
            lambda conn: accounts.failed(conn, self._account.name, error)
        )
        log.warning(
            "account not usable",
            account=self._account.name,
            error=type(error).__name__,
            reason=loggable(error),
            again_in_seconds=round(seconds, 1),
        )

    # --- claiming ------------------------------------------------------------------------------

    def _lingers(self, jobs: int) -> bool:
        """Whether to let the batch fill, because jobs or calls are scarce at the moment."""
        with self._database.read() as conn:
            scarce = jobs >= LINGER_ABOVE_JOBS or accounts.is_scarce(conn, self._account.name)
            if not scarce:
                return False
            count, oldest = schedule.waiting(conn, self._account.name)
        return 0 < count < self._helpdesk.capabilities.write_batch and oldest < LINGER_SECONDS

    def _room(self, size: int) -> int:
        """How many of `size` tickets the rate budget lets through now. Raises `BudgetSpent`."""
        room = self._helpdesk.room()
        if room.tickets <= 0 and room.wait <= PATIENCE_SECONDS:
            self._stop.wait(room.wait)
            room = self._helpdesk.room()
        if room.tickets <= 0:
            raise BudgetSpent("our share of the rate limit is used up", retry_after=room.wait)
        return min(size, room.tickets)

    # --- a pass --------------------------------------------------------------------------------

    def _look_at_due(self) -> bool:
        """A batch of tickets that are due; False when there are none."""
        with self._database.read() as conn:
            if not schedule.is_due(conn, self._account.name):
                return False
        size = self._helpdesk.capabilities.read_batch
        size = self._room(size if size > 1 else SINGLE_BATCH)
        background = self._passes % BACKGROUND_EVERY == 0
        claims = self._holding.commit(
            lambda conn: schedule.claim(conn, self._account.name, size, background_first=background)
        )
        if claims:
            self._sync.looked(one.ticket_id for one in claims)
            self._process([Sight(claim=one) for one in claims])
            self._holding.prove()
        return bool(claims)

    def _follow(self) -> bool:
        """A batch of what a page of changes has shown; False when no page is due."""
        opened = self._sync.page()
        if opened is None:
            return self._sync.went_on
        size = PAGE_BATCH if self._helpdesk.capabilities.write_batch else SINGLE_BATCH
        readings = opened.take(self._room(size)) if opened.rest else []
        try:
            sights = self._sync.sights(opened, readings)
            self._sync.looked((one.claim.ticket_id for one in sights), opened)
            self._process(sights)
        except RateLimited:
            opened.give_back(readings)
            raise
        except BaseException:
            self._sync.forget(opened)
            raise
        if not opened.rest:
            self._sync.done(opened)
            self._holding.prove()
        return True

    def _process(self, sights: Sequence[Sight]) -> None:
        """A batch that fails as a whole is halved down to the ticket that is to blame."""
        if not sights:
            return
        for one in sights:
            if not one.claim.ended and one.claim.attempts >= CRASHES_PARK_AT:
                self._failures.park(
                    one.claim, "the worker ended twice while it looked at this ticket alone"
                )
                return
        try:
            self._attempt(sights)
        except (AccountError, StoreError):
            self._account.owed.extend(one.claim for one in sights)
            self._give_back()
            raise
        except LeaseLost:
            raise
        except Exception as error:
            if len(sights) == 1:
                self._failures.ticket(sights[0].claim, error)
                return
            half = len(sights) // 2
            self._process(sights[:half])
            self._process(sights[half:])

    def _give_back(self) -> None:
        """Their tickets are not to blame; while the database is away, this waits until it is not.

        Raises `StoreError` and `LeaseLost`.
        """
        owed = list(self._account.owed)
        if owed:
            self._holding.commit(lambda conn: schedule.untouched(conn, self._account.name, owed))
            del self._account.owed[: len(owed)]

    def _attempt(self, sights: Sequence[Sight]) -> None:
        try:
            self._batch.run(sights)
        except HelpdeskUnreachable:
            if not self._isolated(sights):
                raise

    def _isolated(self, sights: Sequence[Sight]) -> bool:
        """One ticket can make the helpdesk fail. It is to blame only if others can be read.

        Tried when the account would be held; False when nothing shows that the account is fine.
        """
        if len(sights) < 2 or not self._is_about_to_be_held():
            return False
        blamed: list[tuple[Claim, HelpdeskUnreachable]] = []
        batches, failures, successes = [sights], 0, 0
        while batches and (successes or failures < HOPELESS_AFTER):
            batch = batches.pop()
            try:
                self._batch.run(batch)
                successes += 1
            except HelpdeskUnreachable as found:
                failures += 1
                if len(batch) == 1:
                    blamed.append((batch[0].claim, found))
                else:
                    half = len(batch) // 2
                    batches += [batch[half:], batch[:half]]
        for claim, error in blamed if successes else ():
            self._failures.ticket(claim, error)
        return successes > 0

    def _is_about_to_be_held(self) -> bool:
        """Whether this is the failure that would hold the account, and it answers all the same."""
        with self._database.read() as conn:
            failures = accounts.failures(conn, self._account.name)
        if failures < accounts.HOLD_AFTER - 1:
            return False
        try:
            self._helpdesk.identify()
        except AccountError:
            return False
        return True
