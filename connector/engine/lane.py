"""The lane: one account is drained by one worker. Claim, read, evaluate, write, record."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection

from connector.engine import accounts, brakes, evidence, schedule, writes
from connector.engine.accounts import Lease
from connector.engine.context import Account
from connector.engine.journal import needs_history
from connector.engine.look import Look, finish, keep, look, recall
from connector.engine.schedule import Claim
from connector.engine.writes import OpenIntent, Sent
from connector.errors import (
    AccountError,
    ConnectorError,
    OutcomeUnknown,
    StoreError,
    TicketError,
    TicketNotFound,
    TicketReadOnly,
    WriteConflict,
    WriteRefused,
)
from connector.helpdesks.base import History, Job, Plan, Reading
from connector.store.database import Database, now

log = structlog.get_logger()
T = TypeVar("T")

SINGLE_BATCH = 16  # tickets of a pass where every ticket is read and written by itself
SINGLE_CALLS = 8  # calls at the same time there
CALL_SECONDS = 10.0  # the longest that one vendor call may take, from connector/http
MOST_JOBS = 28  # of the 30 bulk jobs that Zendesk allows in flight
LINGER_ABOVE_JOBS = 14  # about half of them in flight: wait to fill the batch
LINGER_SECONDS = 2.0
FIRST_JOB_LOOK_SECONDS = 0.15
LONGEST_JOB_LOOK_SECONDS = 2.0
CLOCK_SECONDS = 1.0  # the clock is compared at most so often
BACKGROUND_EVERY = 5  # of ten passes at most eight put fresh tickets first
FRESH_HINT_SECONDS = 300.0  # a ticket that is not there yet may appear within this
STALE_LOOKS = 3  # 2, 4 and 8 s; after that the older reading is what there is
CRASHES_PARK_AT = 4  # looks that began and never ended, the last two in a batch of their own
PATIENT_AFTER = 2  # conflicts in a row, then the ticket waits
PATIENCE_SECONDS = 5.0
SINGLE_AFTER = 4  # conflicts in a row, then the ticket is written singly


class LeaseLost(Exception):
    """Another worker drains the account now; nothing more may be written."""


NOT_THE_TICKET = (AccountError, StoreError, LeaseLost)


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
        self._lease = lease
        self._stop = stop
        self._monotonic = monotonic
        self._renewed = monotonic()
        self._clock_read = float("-inf")
        self._next_job_look = float("-inf")
        self._open_jobs = 0
        self._passes = 0
        self._offset = 0.0
        self._proven = False
        self._guard = threading.RLock()  # of the lease and the clock, where tickets run in threads
        self._conflicts = account.conflicts
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
            self._database.run(lambda conn: accounts.release(conn, self._lease))

    def step(self) -> bool:
        """One pass; False when there is nothing to do. Raises `AccountError` and `LeaseLost`."""
        self._keep_lease()
        jobs = self._open_jobs = self._settle()
        if self._lingers(jobs):
            self._stop.wait(FIRST_JOB_LOOK_SECONDS / 3)
            return True
        claims = self._claim()
        if claims:
            self._process(claims)
            self._prove()
        elif jobs:
            self._stop.wait(FIRST_JOB_LOOK_SECONDS / 3)
        return bool(claims or jobs)

    # --- lease and clock -----------------------------------------------------------------------

    def _left(self) -> float:
        return accounts.LEASE_SECONDS - (self._monotonic() - self._renewed)

    def _keep_lease(self) -> None:
        """Renew the lease when it is time; called between any two calls of a long pass."""
        with self._guard:
            if self._left() > accounts.RENEW_BELOW_SECONDS:
                return
            begun = self._monotonic()
            renewed = self._database.run(lambda conn: accounts.renew(conn, self._lease))
            if renewed is None:
                raise LeaseLost
            self._lease, self._renewed = renewed, begun

    def _before_write(self) -> None:
        """No write is sent that could outlive the lease."""
        self._keep_lease()
        if self._left() <= CALL_SECONDS:
            raise LeaseLost

    def _commit(self, work: Callable[[Connection], T]) -> T:
        """A transaction that counts only while the lease is ours."""

        def fenced(conn: Connection) -> T:
            if not accounts.is_ours(conn, self._lease):
                raise LeaseLost
            return work(conn)

        return self._database.run(fenced)

    def _after_read(self) -> None:
        """Take the helpdesk's clock in; nothing is evaluated by one that was not looked at."""
        with self._guard:
            if self._monotonic() - self._clock_read < CLOCK_SECONDS:
                return
            samples = self._helpdesk.clock_samples()
            self._offset = self._commit(
                lambda conn: accounts.read_clock(conn, self._account, samples, self._monotonic())
            )
            self._clock_read = self._monotonic()

    def _prove(self) -> None:
        """A whole pass went well, its writes too: the account is fine."""
        if not self._proven:
            self._commit(lambda conn: accounts.succeeded(conn, self._account.name))
            self._proven = True

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
        return self._commit(
            lambda conn: schedule.claim(conn, self._account.name, size, background_first=background)
        )

    # --- a pass --------------------------------------------------------------------------------

    def _process(self, claims: Sequence[Claim]) -> None:
        """A batch that fails as a whole is halved down to the ticket that is to blame."""
        for claim in claims:
            if not claim.ended and claim.attempts >= CRASHES_PARK_AT:
                self._park(claim, "the worker ended twice while it looked at this ticket alone")
                return
        try:
            if self._helpdesk.capabilities.read_batch > 1:
                self._bulk(claims)
            else:
                self._singles(claims)
        except (AccountError, StoreError):
            self._commit(lambda conn: schedule.untouched(conn, self._account.name, claims))
            raise
        except LeaseLost:
            raise
        except Exception as error:
            if len(claims) == 1:
                self._ticket_failed(claims[0], error)
                return
            half = len(claims) // 2
            self._process(claims[:half])
            self._process(claims[half:])

    def _bulk(self, claims: Sequence[Claim]) -> None:
        readings = self._read_many([claim.ticket_id for claim in claims])
        self._after_read()
        seen = [(claim, readings[claim.ticket_id]) for claim in claims]
        looks = self._looks([(c, r) for c, r in seen if isinstance(r, Reading)])
        for claim, reading in seen:
            if not isinstance(reading, Reading):
                self._ticket_failed(claim, reading)
        self._finish([one for one in looks if one.plan is None])
        self._write([one for one in looks if one.plan is not None])

    def _singles(self, claims: Sequence[Claim]) -> None:
        """Each ticket by itself, some at the same time; all have ended when this returns."""
        running = [(claim, self._pool.submit(self._single, claim)) for claim in claims]
        failures = [(claim, one.exception()) for claim, one in running]
        for claim, error in failures:
            if isinstance(error, Exception) and not isinstance(error, NOT_THE_TICKET):
                self._failed(claim, error)
        for _, error in failures:
            if isinstance(error, NOT_THE_TICKET) or not isinstance(error, Exception | None):
                raise error

    def _single(self, claim: Claim) -> None:
        """Read, evaluate and write one ticket without a pause, where nothing is done in bulk."""
        reading = self._read(claim.ticket_id)
        self._after_read()
        if not isinstance(reading, Reading):
            self._ticket_failed(claim, reading)
            return
        for one in self._looks([(claim, reading)]):
            if one.plan is None:
                self._finish([one])
            else:
                self._write_one(one, one.plan)

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
            memories = recall(conn, self._account.name, ids, self._offset)
            at = now(conn)
        told = self._histories(
            [one for claim, one in seen if needs_history(memories[claim.ticket_id].past, one)]
        )
        looks = []
        for claim, reading in seen:
            if self._is_stale(claim, reading):
                continue
            self._keep_lease()
            try:
                memory, past = memories[claim.ticket_id], told.get(claim.ticket_id)
                if isinstance(past, Exception):
                    raise past
                seen_now = look(
                    self._account, claim, reading, memory, past, at=at, offset=self._offset
                )
                looks.append(self._unless_conceded(seen_now))
            except NOT_THE_TICKET:
                raise
            except Exception as error:
                self._ticket_failed(claim, error)
        return looks

    def _unless_conceded(self, one: Look) -> Look:
        """The same values written again and again and found changed: somebody else wants others."""
        if one.plan is None or one.fingerprint != one.claim.written_fingerprint:
            return one
        ticket_id = one.claim.ticket_id

        def work(conn: Connection) -> bool:
            return brakes.concede(conn, self._account.name, ticket_id, one.fingerprint)

        if not self._commit(work):
            return one
        log.warning(
            "conceded: our values are changed by something else each time; see the field mapping "
            "or the helpdesk's own rules",
            account=self._account.name,
            ticket=ticket_id,
            fields=sorted(one.plan.fields),
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
        self._commit(
            lambda conn: schedule.again(conn, self._account.name, claim, reason, park=False)
        )
        return True

    def _finish(self, looks: Sequence[Look], *, written: bool = False) -> None:
        if not looks:
            return

        def work(conn: Connection) -> None:
            for one in sorted(looks, key=lambda one: one.claim.ticket_id):
                finish(conn, self._account, one, written=written)

        self._commit(work)
        for one in looks:
            self._conflicts.pop(one.claim.ticket_id, None)

    # --- writing -------------------------------------------------------------------------------

    def _write(self, looks: Sequence[Look]) -> None:
        singly = [
            one for one in looks if self._conflicts.get(one.claim.ticket_id, 0) >= SINGLE_AFTER
        ]
        for one in singly:
            if one.plan is not None:
                self._write_one(one, one.plan)
        most = self._helpdesk.capabilities.write_batch
        bulk = [one for one in looks if one not in singly]
        for start in range(0, len(bulk), most or 1):
            self._write_bulk(bulk[start : start + most])

    def _write_one(self, one: Look, plan: Plan) -> None:
        self._before_write()
        try:
            self._helpdesk.write(plan)
        except TicketError as error:
            self._not_written(one, error)
        else:
            self._finish([one], written=True)
            self._log_written(plan.ticket_id, writes.written(plan, one.fingerprint))

    def _write_bulk(self, looks: Sequence[Look]) -> None:
        self._before_write()
        sent = [
            Sent(
                plan=one.plan,
                fingerprint=one.fingerprint,
                next_change=one.next_change,
                wanted=one.claim.wanted,
                seen_updated_at=one.reading.updated_at.timestamp(),
            )
            for one in looks
            if one.plan is not None
        ]

        def intend(conn: Connection) -> int:
            for one in sorted(looks, key=lambda one: one.claim.ticket_id):
                keep(conn, self._account, one)
            return writes.intend(conn, self._lease, sent)

        intent_id = self._commit(intend)
        try:
            job = self._helpdesk.write_many([one.plan for one in sent])
        except OutcomeUnknown:
            raise  # the intent stays and is settled by looking
        except ConnectorError:
            self._forget(intent_id)
            raise
        self._commit(lambda conn: writes.answered(conn, intent_id, job.id))
        if not self._open_jobs:  # else the jobs before this one are asked for in their turn
            self._next_job_look = self._monotonic() + FIRST_JOB_LOOK_SECONDS

    def _settle(self) -> int:
        """Close the bulk writes that have an outcome; returns how many have none yet."""
        with self._database.read() as conn:
            intents, at = writes.open_intents(conn, self._account.name), now(conn)
        if not intents:
            return 0
        jobs = self._jobs(intents, at)
        left = 0
        for intent in intents:
            job = jobs.get(intent.job_id or "")
            if job is not None and job.done:
                self._close(intent, job)
            elif at >= intent.settle_at:  # no answer: the tickets are still due and are looked at
                self._forget(intent.id, "the helpdesk never said how a bulk write ended")
            else:
                left += 1
        return left

    def _forget(self, intent_id: int, error: str | None = None) -> None:
        self._commit(lambda conn: writes.close(conn, self._account.name, intent_id, error))

    def _jobs(self, intents: Sequence[OpenIntent], at: float) -> dict[str, Job]:
        ids = [intent.job_id for intent in intents if intent.job_id]
        if not ids or self._monotonic() < self._next_job_look:
            return {}
        found = {job.id: job for job in self._helpdesk.jobs(ids)}
        oldest = at - min(intent.created_at for intent in intents)
        pause = min(max(FIRST_JOB_LOOK_SECONDS, oldest / 4), LONGEST_JOB_LOOK_SECONDS)
        self._next_job_look = self._monotonic() + pause
        return found

    def _close(self, intent: OpenIntent, job: Job) -> None:
        silent = WriteRefused("the bulk job ended without a word about this ticket")
        errors: dict[str, Exception | None] = dict.fromkeys(intent.tickets, silent)
        errors |= {row.ticket_id: row.error for row in job.rows if row.ticket_id in errors}

        def work(conn: Connection) -> None:
            writes.close(conn, self._account.name, intent.id)
            for ticket_id, body in sorted(intent.tickets.items()):
                if errors[ticket_id] is None:
                    self._written(conn, ticket_id, body)

        self._commit(work)
        for ticket_id, error in errors.items():
            if error is not None:
                self._row_failed(ticket_id, intent.tickets[ticket_id]["wanted"], error)
            else:
                self._conflicts.pop(ticket_id, None)
                self._log_written(ticket_id, intent.tickets[ticket_id])

    def _written(self, conn: Connection, ticket_id: str, body: Mapping[str, Any]) -> None:
        kept = ("fields", "add_tags", "remove_tags", "remarks", "fingerprint")
        name = self._account.name
        evidence.record(
            conn, name, ticket_id, evidence.WRITTEN, {part: body[part] for part in kept}
        )
        schedule.ended(
            conn, name, ticket_id, wanted=body["wanted"],
            look_at=schedule.by_our_clock(conn, name, body["next_change"]),
            written_fingerprint=body["fingerprint"], seen_updated_at=body["seen_updated_at"],
        )  # fmt: skip

    def _log_written(self, ticket_id: str, body: Mapping[str, Any]) -> None:
        log.info(
            "written",
            account=self._account.name,
            ticket=ticket_id,
            fields=sorted(body["fields"]),
            add_tags=body["add_tags"],
            remove_tags=body["remove_tags"],
        )

    # --- failures of one ticket ----------------------------------------------------------------

    def _row_failed(self, ticket_id: str, wanted: int, error: Exception) -> None:
        with self._database.read() as conn:
            claim = schedule.as_claimed(conn, self._account.name, ticket_id, wanted)
        if claim is not None:
            self._failed(claim, error)

    def _not_written(self, one: Look, error: TicketError) -> None:
        self._commit(lambda conn: keep(conn, self._account, one))
        self._failed(one.claim, error)

    def _ticket_failed(self, claim: Claim, error: Exception) -> None:
        self._failed(claim, error)

    def _failed(self, claim: Claim, error: Exception) -> None:
        name, ticket_id, reason = self._account.name, claim.ticket_id, _reason(error)
        if isinstance(error, WriteConflict):
            self._conflict(claim)
        elif isinstance(error, TicketNotFound):
            self._missing(claim)
        elif isinstance(error, TicketReadOnly):
            self._commit(lambda conn: schedule.left_alone(conn, name, claim, reason))
            log.info("ticket takes no writes", account=name, ticket=ticket_id, reason=reason)
        else:
            parked = self._commit(lambda conn: schedule.again(conn, name, claim, reason))
            kind = evidence.PARKED if parked else evidence.FAILED
            self._commit(lambda conn: evidence.record(conn, name, ticket_id, kind, reason))
            log.warning(
                "ticket failed", account=name, ticket=ticket_id, reason=reason,
                attempts=claim.attempts, parked=bool(parked),
                exc_info=None if isinstance(error, ConnectorError) else error,
            )  # fmt: skip

    def _conflict(self, claim: Claim) -> None:
        """Somebody was faster. Look again; after two in a row wait for the dust to settle."""
        name, count = self._account.name, self._conflicts.get(claim.ticket_id, 0) + 1
        self._conflicts[claim.ticket_id] = count
        pause = PATIENCE_SECONDS if count >= PATIENT_AFTER else 0.0

        def work(conn: Connection) -> None:
            schedule.conflicted(conn, name, claim.ticket_id, pause)
            evidence.record(conn, name, claim.ticket_id, evidence.CONFLICT, {"in_a_row": count})

        self._commit(work)

    def _missing(self, claim: Claim) -> None:
        """A ticket that is not there may still appear; after five minutes it is gone."""
        name, reason = self._account.name, "the helpdesk does not know this ticket"

        def work(conn: Connection) -> bool:
            if now(conn) - claim.due_since < FRESH_HINT_SECONDS:
                schedule.again(conn, name, claim, reason, park=False)
                return False
            schedule.gone(conn, name, claim, reason)
            evidence.record(conn, name, claim.ticket_id, evidence.GONE, reason)
            return True

        is_gone = self._commit(work)
        log.info("ticket not found", account=name, ticket=claim.ticket_id, gone=is_gone)

    def _park(self, claim: Claim, reason: str) -> None:
        name = self._account.name

        def work(conn: Connection) -> None:
            schedule.park(conn, name, claim.ticket_id, reason)
            evidence.record(conn, name, claim.ticket_id, evidence.PARKED, reason)

        self._commit(work)
        log.error("ticket parked", account=name, ticket=claim.ticket_id, reason=reason)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
