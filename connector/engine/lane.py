"""The lane: one account is drained by one worker. Claim, read, evaluate, write, record."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from connector.engine import accounts, brakes, schedule, writes
from connector.engine.accounts import Lease
from connector.engine.context import Account
from connector.engine.failures import Failures
from connector.engine.holding import NOT_THE_TICKET, Holding, LeaseLost
from connector.engine.jobs import Jobs
from connector.engine.journal import needs_history
from connector.engine.look import Look, finish, keep, look, recall
from connector.engine.schedule import Claim
from connector.errors import (
    AccountError,
    HelpdeskUnreachable,
    RateLimited,
    SignInRefused,
    StoreError,
    TicketError,
    TicketNotFound,
)
from connector.helpdesks.base import History, Plan, Reading
from connector.store.database import Database, now

log = structlog.get_logger()

SINGLE_BATCH = 16  # tickets of a pass where every ticket is read and written by itself
SINGLE_CALLS = 8  # calls at the same time there
MOST_JOBS = 28  # of the 30 bulk jobs that Zendesk allows in flight
LINGER_ABOVE_JOBS = 14  # about half of them in flight: wait to fill the batch
LINGER_SECONDS = 2.0
JOB_PAUSE_SECONDS = 0.05  # between two looks for what is due while jobs are on their way
BACKGROUND_EVERY = 5  # of ten passes at most eight put fresh tickets first
HOPELESS_AFTER = 9  # failures in a row when a batch of 100 is halved down to one ticket
FRESH_READ_SECONDS = 2.0  # what replaces a list of tags must not rest on an older read
STALE_LOOKS = 3  # 2, 4 and 8 s; after that the older reading is what there is
CRASHES_PARK_AT = 4  # looks that began and never ended, the last two in a batch of their own
SINGLE_AFTER = 4  # conflicts in a row, then the ticket is written singly


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
        self._holding = Holding(database, account, lease, monotonic)
        self._failures = Failures(self._holding)
        self.jobs = Jobs(self._holding, self._failures)
        self._pool = ThreadPoolExecutor(SINGLE_CALLS, thread_name_prefix=account.name)

    def drain(self) -> None:
        """Work until nothing is due, the account fails, the lease is lost or a stop is asked."""
        try:
            while not self._stop.is_set() and self.step():
                pass
        except AccountError as error:
            self._account_failed(error)
        except LeaseLost:
            log.warning("lease lost", account=self._account.name)
        finally:
            self._pool.shutdown()
            self._holding.release()

    def step(self) -> bool:
        """One pass; False when there is nothing to do. Raises `AccountError` and `LeaseLost`."""
        self._holding.keep()
        jobs = self.jobs.settle()
        if self._lingers(jobs):
            self._stop.wait(JOB_PAUSE_SECONDS)
            return True
        claims = self._claim()
        if claims:
            self._process(claims)
            self._holding.prove()
        elif jobs:
            self._stop.wait(JOB_PAUSE_SECONDS)
        return bool(claims or jobs)

    def _account_failed(self, error: AccountError) -> None:
        seconds = self._database.run(lambda conn: accounts.failed(conn, self._account.name, error))
        log.warning(
            "account not usable",
            account=self._account.name,
            error=type(error).__name__,
            reason=str(error),
            again_in_seconds=round(seconds, 1),
        )

    # --- claiming ------------------------------------------------------------------------------

    def _lingers(self, jobs: int) -> bool:
        """Whether to let the batch fill, because bulk jobs are scarce at the moment."""
        if jobs >= MOST_JOBS:
            return True
        if jobs < LINGER_ABOVE_JOBS:
            return False
        with self._database.read() as conn:
            count, oldest = schedule.waiting(conn, self._account.name)
        return 0 < count < self._helpdesk.capabilities.write_batch and oldest < LINGER_SECONDS

    def _claim(self) -> list[Claim]:
        self._passes += 1
        size = self._helpdesk.capabilities.read_batch
        size = size if size > 1 else SINGLE_BATCH
        background = self._passes % BACKGROUND_EVERY == 0
        return self._holding.commit(
            lambda conn: schedule.claim(conn, self._account.name, size, background_first=background)
        )

    # --- a pass --------------------------------------------------------------------------------

    def _process(self, claims: Sequence[Claim]) -> None:
        """A batch that fails as a whole is halved down to the ticket that is to blame."""
        for claim in claims:
            if not claim.ended and claim.attempts >= CRASHES_PARK_AT:
                self._failures.park(
                    claim, "the worker ended twice while it looked at this ticket alone"
                )
                return
        try:
            self._attempt(claims)
        except (AccountError, StoreError):
            self._holding.commit(lambda conn: schedule.untouched(conn, self._account.name, claims))
            raise
        except LeaseLost:
            raise
        except Exception as error:
            if len(claims) == 1:
                self._failures.ticket(claims[0], error)
                return
            half = len(claims) // 2
            self._process(claims[:half])
            self._process(claims[half:])

    def _attempt(self, claims: Sequence[Claim]) -> None:
        try:
            self._pass(claims)
        except HelpdeskUnreachable:
            if not self._isolated(claims):
                raise

    def _pass(self, claims: Sequence[Claim]) -> None:
        if self._helpdesk.capabilities.read_batch > 1:
            self._bulk(claims)
        else:
            self._singles(claims)

    def _isolated(self, claims: Sequence[Claim]) -> bool:
        """One ticket can make the helpdesk fail. It is to blame only if others can be read.

        Tried when the account would be held; False when nothing shows that the account is fine.
        """
        if len(claims) < 2 or not self._is_about_to_be_held():
            return False
        blamed: list[tuple[Claim, HelpdeskUnreachable]] = []
        batches, failures, successes = [claims], 0, 0
        while batches and (successes or failures < HOPELESS_AFTER):
            batch = batches.pop()
            try:
                self._pass(batch)
                successes += 1
            except HelpdeskUnreachable as found:
                failures += 1
                if len(batch) == 1:
                    blamed.append((batch[0], found))
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

    def _bulk(self, claims: Sequence[Claim]) -> None:
        readings = self._read_many([claim.ticket_id for claim in claims])
        self._holding.read_clock()
        seen = [(claim, readings[claim.ticket_id]) for claim in claims]
        looks = self._looks([(c, r) for c, r in seen if isinstance(r, Reading)])
        for claim, reading in seen:
            if not isinstance(reading, Reading):
                self._failures.ticket(claim, reading)
        self._finish([one for one in looks if one.plan is None])
        self._write([one for one in looks if one.plan is not None])

    def _singles(self, claims: Sequence[Claim]) -> None:
        """Each ticket by itself, some at the same time; all have ended when this returns."""
        running = [(claim, self._pool.submit(self._single, claim)) for claim in claims]
        failures = [(claim, one.exception()) for claim, one in running]
        answers = any(error is None for _, error in failures)
        # where others were read and written in the same moment, the account is fine
        innocent = (
            (RateLimited, SignInRefused, StoreError, LeaseLost) if answers else NOT_THE_TICKET
        )
        for claim, error in failures:
            if isinstance(error, Exception) and not isinstance(error, innocent):
                self._failures.ticket(claim, error)
        for _, error in failures:
            if isinstance(error, innocent) or not isinstance(error, Exception | None):
                raise error

    def _single(self, claim: Claim) -> None:
        """Read, evaluate and write one ticket without a pause, where nothing is done in bulk."""
        begun, reading = self._holding.monotonic(), self._read(claim.ticket_id)
        self._holding.read_clock()
        if not isinstance(reading, Reading):
            self._failures.ticket(claim, reading)
            return
        for one in self._looks([(claim, reading)]):
            plan = one.plan
            if plan is not None and self._holding.monotonic() - begun > FRESH_READ_SECONDS:
                plan = self._helpdesk.plan(self._helpdesk.read(claim.ticket_id), one.wanted)
            if plan is None:
                self._finish([replace(one, plan=None)])
            else:
                self._write_one(replace(one, plan=plan), plan)

    def _read(self, ticket_id: str) -> Reading | TicketError:
        try:
            return self._helpdesk.read(ticket_id)
        except TicketError as error:
            return error

    def _read_many(self, ids: Sequence[str]) -> dict[str, Reading | TicketError]:
        found: dict[str, Reading | TicketError] = {
            reading.ticket.id: reading for reading in self._helpdesk.read_many(ids)
        }
        for ticket_id in ids:  # a bulk read may lag behind; the single one decides
            if ticket_id not in found:
                found[ticket_id] = self._read(ticket_id)
        return found

    def _looks(self, seen: Sequence[tuple[Claim, Reading]]) -> list[Look]:
        """Evaluate what was read. A ticket that cannot be understood fails alone."""
        with self._database.read() as conn:
            ids = [claim.ticket_id for claim, _ in seen]
            memories = recall(conn, self._account.name, ids, self._holding.offset)
            at = now(conn)
        told = self._histories(
            [one for claim, one in seen if needs_history(memories[claim.ticket_id].past, one)]
        )
        looks = []
        for claim, reading in seen:
            if self._is_stale(claim, reading):
                continue
            self._holding.keep()
            try:
                memory, past = memories[claim.ticket_id], told.get(claim.ticket_id)
                if isinstance(past, Exception):
                    raise past
                seen_now = look(
                    self._account, claim, reading, memory, past, at=at, offset=self._holding.offset
                )
                looks.append(self._unless_conceded(seen_now))
            except NOT_THE_TICKET:
                raise
            except Exception as error:
                self._failures.ticket(claim, error)
        return looks

    def _unless_conceded(self, one: Look) -> Look:
        """The same values written again and again and found changed: somebody else wants others."""
        if one.plan is None or one.fingerprint != one.claim.written_fingerprint:
            return one
        ticket_id = one.claim.ticket_id

        def work(conn: Connection) -> brakes.Brake:
            return brakes.concede(conn, self._account.name, ticket_id, one.fingerprint)

        brake = self._holding.commit(work)
        if brake is brakes.Brake.OPEN:
            return one
        if brake is brakes.Brake.CLOSED_NOW:
            log.warning(
                "conceded: our values are changed by something else each time; see the field "
                "mapping or the helpdesk's own rules",
                account=self._account.name,
                ticket=ticket_id,
                fields=sorted(one.plan.fields),
                tags=sorted(one.plan.add_tags | one.plan.remove_tags),
            )
        return replace(one, plan=None)

    def _histories(self, readings: Sequence[Reading]) -> dict[str, History | Exception | None]:
        """What the helpdesk tells of the past; several tickets are asked for at the same time."""
        ask = self._pool.map if len(readings) > 1 else map
        return {
            reading.ticket.id: found
            for reading, found in zip(readings, ask(self._history, readings), strict=True)
        }

    def _history(self, reading: Reading) -> History | Exception | None:
        try:
            return self._helpdesk.history(reading)
        except TicketNotFound:  # archived or deleted a moment ago; what was read still holds
            return None
        except NOT_THE_TICKET:
            raise
        except Exception as error:
            return error

    def _is_stale(self, claim: Claim, reading: Reading) -> bool:
        """An older state than one we know of is a lagging read: look again in 2, 4, 8 s."""
        newest = claim.seen_updated_at
        if newest is None or reading.updated_at.timestamp() >= newest:
            return False
        if claim.attempts > STALE_LOOKS:
            return False
        reason = "the helpdesk showed an older state than before"
        self._holding.commit(
            lambda conn: schedule.again(conn, self._account.name, claim, reason, park=False)
        )
        return True

    def _finish(self, looks: Sequence[Look], *, written: bool = False) -> None:
        if not looks:
            return

        def work(conn: Connection) -> None:
            for one in sorted(looks, key=lambda one: one.claim.ticket_id):
                finish(conn, self._account, one, written=written)

        self._holding.commit(work)
        for one in looks:
            self._failures.over(one.claim.ticket_id)

    # --- writing -------------------------------------------------------------------------------

    def _write(self, looks: Sequence[Look]) -> None:
        singly = [
            one for one in looks if self._failures.conflicts(one.claim.ticket_id) >= SINGLE_AFTER
        ]
        for one in singly:
            if one.plan is not None:
                self._write_one(one, one.plan)
        most = self._helpdesk.capabilities.write_batch
        bulk = [one for one in looks if one not in singly]
        for start in range(0, len(bulk), most or 1):
            self.jobs.write(bulk[start : start + most])

    def _write_one(self, one: Look, plan: Plan) -> None:
        self._holding.before_write()
        try:
            self._helpdesk.write(plan)
        except TicketError as error:
            self._holding.commit(lambda conn: keep(conn, self._account, one))
            self._failures.ticket(one.claim, error)
        else:
            self._finish([one], written=True)
            writes.log_written(
                self._account.name, plan.ticket_id, writes.written(plan, one.fingerprint)
            )
