"""A batch of claimed tickets: read, evaluate, write, record."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import structlog
from sqlalchemy import Connection

from connector import telemetry, tracing
from connector.engine import brakes, lag, schedule, writes
from connector.engine.failures import Failures
from connector.engine.found import Found
from connector.engine.holding import NOT_THE_TICKET, Holding, LeaseLost
from connector.engine.jobs import Jobs
from connector.engine.journal import needs_history
from connector.engine.keeping import finish, keep, tally_of
from connector.engine.look import Look, Memory, is_unsure, look, recall, untold
from connector.engine.schedule import Claim
from connector.errors import (
    DatesRefused,
    RateLimited,
    RoleMissing,
    SignInRefused,
    StoreError,
    TicketError,
    TicketNotFound,
    WriteRefused,
    loggable,
)
from connector.helpdesks.base import Desired, History, Plan, Reading
from connector.store.database import now
from mappings.ticket import DONE

log = structlog.get_logger()

FRESH_READ_SECONDS = 2.0  # what replaces a list of tags must not rest on an older read
STALE_LOOKS = 3  # 2, 4 and 8 s; after that the older reading is what there is
SINGLE_AFTER = 4  # conflicts in a row, then the ticket is written singly


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """A claimed ticket, and what is known of it before it is looked at."""

    claim: Claim
    #: as a page of changes showed it; None: it is to be read
    reading: Reading | None = None
    found: Found | None = None


class Batch:
    """What is done with the batches of one account; `pool` makes its calls side by side."""

    def __init__(
        self, holding: Holding, failures: Failures, jobs: Jobs, pool: ThreadPoolExecutor
    ) -> None:
        self._database = holding.database
        self._account = holding.account
        self._helpdesk = holding.account.helpdesk
        self._holding = holding
        self._failures = failures
        self._jobs = jobs
        self._pool = pool

    def run(self, sights: Sequence[Sight]) -> None:
        """Bring all of them through. Raises what is no single ticket's doing."""
        name = self._account.name
        telemetry.BATCH_TICKETS.labels(name, "look").observe(len(sights))
        with (
            telemetry.PASS_SECONDS.labels(name).time(),
            tracing.span("look at tickets", account=name, tickets=len(sights)),
        ):
            self._bring_through(sights)

    def _bring_through(self, sights: Sequence[Sight]) -> None:
        shown = [one for one in sights if one.reading is not None]
        if shown:
            self._shown(shown)
        claims = [one.claim for one in sights if one.reading is None]
        if claims and self._helpdesk.capabilities.read_batch > 1:
            self._bulk(claims)
        elif claims:
            self._side_by_side([(claim, partial(self._single, claim)) for claim in claims])

    def _shown(self, sights: Sequence[Sight]) -> None:
        """A page of changes has shown them already; nothing is read a second time."""
        self._holding.read_clock()
        looks = self._looks(sights)
        self._finish([one for one in looks if one.plan is None])
        different = [one for one in looks if one.plan is not None]
        if self._helpdesk.capabilities.write_batch:
            self._write(different)
        else:
            self._side_by_side([(one.claim, partial(self._settle, one)) for one in different])

    def _bulk(self, claims: Sequence[Claim]) -> None:
        readings = self._read_many([claim.ticket_id for claim in claims])
        self._holding.read_clock()
        seen = [(claim, readings[claim.ticket_id]) for claim in claims]
        looks = self._looks(
            [Sight(claim=claim, reading=it) for claim, it in seen if isinstance(it, Reading)]
        )
        for claim, reading in seen:
            if not isinstance(reading, Reading):
                self._failures.ticket(claim, reading)
        self._finish([one for one in looks if one.plan is None])
        self._write([one for one in looks if one.plan is not None])

    def _side_by_side(self, work: Sequence[tuple[Claim, Callable[[], None]]]) -> None:
        """Each ticket by itself, some at the same time; all have ended when this returns."""
        running = [(claim, self._pool.submit(_alone, claim, task)) for claim, task in work]
        failures = [(claim, one.exception()) for claim, one in running]
        failed: list[BaseException] = []
        answers = any(error is None for _, error in failures)
        # where others were read and written in the same moment, the account is fine
        innocent = (
            (RateLimited, SignInRefused, StoreError, LeaseLost) if answers else NOT_THE_TICKET
        )
        blamed = (RoleMissing,) if answers else ()
        for claim, error in failures:
            is_innocent = isinstance(error, innocent) and not isinstance(error, blamed)
            if isinstance(error, Exception) and not is_innocent:
                self._failures.ticket(claim, error)
            elif error is not None:
                failed.append(error)
        for error in failed:
            raise error

    def _single(self, claim: Claim) -> None:
        """Read, evaluate and write one ticket without a pause, where nothing is done in bulk."""
        begun, reading = self._holding.monotonic(), self._read(claim.ticket_id)
        self._holding.read_clock()
        if not isinstance(reading, Reading):
            self._failures.ticket(claim, reading)
            return
        for one in self._looks([Sight(claim=claim, reading=reading)]):
            is_old = self._holding.monotonic() - begun > FRESH_READ_SECONDS
            self._settle(one, again=is_old)

    def _settle(self, one: Look, *, again: bool = False) -> None:
        """Write what differs; read the ticket once more where the plan asks for a fresh read."""
        plan = one.plan
        if plan is not None and (again or plan.needs_single_read):
            plan = self._helpdesk.plan(self._helpdesk.refresh(one.reading), one.wanted)
        if plan is None:
            self._finish([replace(one, plan=None)])
        else:
            self._write_one(replace(one, plan=plan), plan)

    def _read(self, ticket_id: str) -> Reading | TicketError:
        try:
            return self._helpdesk.read(ticket_id)
        except TicketError as error:
            return error

    def _read_left_out(self, ticket_id: str) -> Reading | TicketError | RoleMissing:
        """A ticket that the bulk read left out; we may not be allowed to see just this one."""
        try:
            return self._read(ticket_id)
        except RoleMissing as error:
            return error

    def _read_many(self, ids: Sequence[str]) -> dict[str, Reading | TicketError | RoleMissing]:
        found: dict[str, Reading | TicketError | RoleMissing] = {
            reading.ticket.id: reading for reading in self._helpdesk.read_many(ids)
        }
        for ticket_id in ids:  # a bulk read may lag behind; the single one decides
            if ticket_id not in found:
                found[ticket_id] = self._read_left_out(ticket_id)
        return found

    # --- looking -------------------------------------------------------------------------------

    def _looks(self, sights: Sequence[Sight]) -> list[Look]:
        """Evaluate what was read. A ticket that cannot be understood fails alone."""
        with self._database.read() as conn:
            ids = [one.claim.ticket_id for one in sights]
            memories = recall(conn, self._account.name, ids, self._holding.offset)
            at, contested = now(conn), brakes.contested(conn, self._account.name)
        lag.note_timers(self._account.name, [one.claim.timer_at for one in sights], at)
        asked = [one for one in sights if self._needs_history(one, memories)]
        told = self._histories(asked)
        looks = []
        for one in sights:
            if one.reading is None or self._is_stale(one.claim, one.reading):
                continue
            self._holding.keep()
            try:
                past = told.get(one.claim.ticket_id)
                if isinstance(past, Exception):
                    raise past
                memory = memories[one.claim.ticket_id]
                looked = self._look(one, one.reading, memory, past, at=at, contested=contested)
                if not self._lags(looked):
                    looks.append(self._unless_fought_over(looked))
            except NOT_THE_TICKET:
                raise
            except Exception as error:
                self._failures.ticket(one.claim, error)
        return looks

    def _look(
        self, one: Sight, reading: Reading, memory: Memory, past: History | None, *, at: float,
        contested: frozenset[str],
    ) -> Look:  # fmt: skip
        def looked(past: History | None) -> Look:
            return look(
                self._account, one.claim, reading, memory, past, at=at,
                offset=self._holding.offset, found=one.found, contested=contested,
            )  # fmt: skip

        first = looked(past)
        if past is not None or not is_unsure(first):
            return first
        exact = self._history(one)
        if isinstance(exact, Exception):
            raise exact
        return first if exact is None else looked(exact)

    def _needs_history(self, one: Sight, memories: Mapping[str, Memory]) -> bool:
        """Solved tickets of a backfill get none: nothing is promised there any more."""
        reading = one.reading
        if reading is None or (one.claim.was_over and reading.ticket.status in DONE):
            return False
        memory = memories[one.claim.ticket_id]
        tells = self._helpdesk.capabilities.keeps_changes
        return needs_history(
            memory.past,
            reading,
            needed=self._account.needs_past,
            untold=untold(one.claim, one.found, memory, reading, self._holding.offset)
            if tells
            else None,
            observations=memory.observations if tells else None,
        )

    def _histories(self, sights: Sequence[Sight]) -> dict[str, History | Exception | None]:
        """What the helpdesk tells of the past; several tickets are asked for at the same time."""
        # where tickets are done side by side, this is one of those threads: it must not wait for
        # another of them
        ask = self._pool.map if len(sights) > 1 else map
        return {
            one.claim.ticket_id: found
            for one, found in zip(sights, ask(self._history, sights), strict=True)
        }

    def _history(self, one: Sight) -> History | Exception | None:
        if one.reading is None:
            return None
        rows = one.found.rows if one.found is not None else None
        try:
            return self._helpdesk.history(one.reading, rows)
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
        return self._again(claim, "the helpdesk showed an older state than before")

    def _lags(self, one: Look) -> bool:
        """What we wrote a moment ago is not shown, and nothing has changed since before it."""
        claim, seen = one.claim, one.reading.updated_at.timestamp()
        if one.plan is None or one.fingerprint != claim.written_fingerprint:
            return False
        if claim.seen_updated_at is None or seen > claim.seen_updated_at:
            return False
        with self._database.read() as conn:
            if not brakes.is_young(conn, self._account.name, claim.ticket_id):
                return False
        return self._again(claim, "the helpdesk does not show yet what was written")

    def _again(self, claim: Claim, reason: str) -> bool:
        """Look again soon; False when it was done often enough."""
        if claim.attempts > STALE_LOOKS:
            return False
        self._holding.commit(
            lambda conn: schedule.again(conn, self._account.name, claim, reason, park=False)
        )
        return True

    def _unless_fought_over(self, one: Look) -> Look:
        """The same values written again and again and found changed: somebody else wants others."""
        plan, name = one.plan, self._account.name
        if plan is None or one.fingerprint != one.claim.written_fingerprint:
            return one

        def work(conn: Connection) -> tuple[frozenset[str], frozenset[str]]:
            brakes.overwritten(conn, name, plan)
            fought = brakes.fought_over(conn, name, plan, one.fingerprint)
            values = {field: brakes.value_of(one.wanted, field) for field in fought}
            why = "written three times within an hour and found changed each time"
            if not values:
                return fought, frozenset()
            return fought, brakes.concede(conn, name, plan.ticket_id, values, why)

        fought, contested = self._holding.commit(work)
        if not fought:
            return one
        log.warning(
            "conceded: our values are changed by something else each time; see the helpdesk's own "
            "rules, or use mode own_fields",
            account=name, ticket=plan.ticket_id, fields=sorted(fought),
        )  # fmt: skip
        if contested:
            log.error(
                "contested: these fields were conceded on ten tickets within an hour and are not "
                "written for an hour; switch off what else writes them",
                account=name, fields=sorted(contested),
            )  # fmt: skip
        return self._relinquish(one, fought)

    def _relinquish(self, one: Look, fields: frozenset[str]) -> Look:
        values = {field: brakes.value_of(one.wanted, field) for field in fields}
        wanted: Desired = brakes.without(one.wanted, one.reading, fields)
        return replace(
            one,
            wanted=wanted,
            plan=self._helpdesk.plan(one.reading, wanted),
            conceded={**one.conceded, **values},
        )

    def _finish(self, looks: Sequence[Look], *, written: bool = False) -> None:
        if not looks:
            return

        def work(conn: Connection) -> tuple[list[Look], float]:
            return finish(conn, self._account, looks, written=written), now(conn)

        new, at = self._holding.commit(work)
        tally_of(looks, new, written=written)
        if written:
            lag.note_written(self._account.name, [lag.hinted(one.claim) for one in looks], at)
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
            self._jobs.write(bulk[start : start + most])

    def _write_one(self, one: Look, plan: Plan) -> None:
        self._holding.before_write()
        try:
            self._helpdesk.write(plan)
        except TicketError as error:
            self._holding.commit(lambda conn: keep(conn, self._account, [one]))
            self._refused(one, error)
        else:
            self._finish([one], written=True)
            writes.log_written(
                self._account.name, plan.ticket_id, writes.written(plan, one.fingerprint)
            )

    def _refused(self, one: Look, error: TicketError) -> None:
        if isinstance(error, WriteRefused):  # a field may be gone, or be another one now
            self._account.recheck.set()
        if not isinstance(error, DatesRefused):
            seen = one.reading.updated_at.timestamp()
            self._failures.ticket(one.claim, error, seen=seen)
            return
        name, ticket_id = self._account.name, one.claim.ticket_id
        values = {brakes.NATIVE: brakes.value_of(one.wanted, brakes.NATIVE)}

        def work(conn: Connection) -> None:
            brakes.concede(conn, name, ticket_id, values, str(error))
            schedule.conflicted(conn, name, ticket_id, 0.0)

        self._holding.commit(work)
        log.warning(
            "the helpdesk refuses our dates; they go to fields of our own on this ticket",
            account=name, ticket=ticket_id, reason=loggable(error),
        )  # fmt: skip


def _alone(claim: Claim, task: Callable[[], None]) -> None:
    """One ticket's task in a thread of its own: each of its log lines names the ticket."""
    with tracing.about(ticket=claim.ticket_id):
        task()
