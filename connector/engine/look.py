"""One look at one ticket: what was seen, what it means, what is to be written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select

from connector.engine import brakes, evidence, exceptions, journal, notices, schedule, writes
from connector.engine.context import Account
from connector.engine.found import Found
from connector.engine.rank import Rank
from connector.engine.schedule import Claim
from connector.helpdesks.base import Desired, History, Observation, Plan, Reading
from connector.store.database import now
from connector.store.tables import history, observation
from mappings.assignment import policy_for
from mappings.entitlement import TicketException
from mappings.evaluate import Evaluation, evaluate
from mappings.ticket import Ticket

MINUTE = timedelta(seconds=60)  # how exactly a figure in minutes tells an instant
OSCILLATING = (
    "oscillating: its answer went to and fro between two for minutes; something on the helpdesk "
    "changes what the policy rests on whenever we write"
)
# after an update; seconds are usual, a busy helpdesk takes longer
OWN_DATES_AFTER = (timedelta(seconds=5), timedelta(seconds=20), timedelta(minutes=2))


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What the store knows of a ticket before a look."""

    past: journal.Past | None
    observations: tuple[Observation, ...]
    #: the newest row of `observation` that was read, so that later ones stay
    newest: int
    exceptions: tuple[TicketException, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One ticket of a pass."""

    claim: Claim
    reading: Reading
    past: journal.Past
    newest: int
    evaluation: Evaluation
    wanted: Desired
    plan: Plan | None
    #: when the answer changes by itself, epoch seconds of the helpdesk's clock; None: never
    next_change: float | None
    #: why it is looked at, where a page of changes showed it
    found: Found | None = None
    #: why nothing is written although something differs; stays with the ticket
    write_blocked: str | None = None
    #: what is given up: field -> the value
    conceded: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """A short name for the desired values."""
        return writes.fingerprint(self.wanted)


def tally_of(looks: Sequence[Look], new: Sequence[Look], *, written: bool) -> None:
    """Count what looks came to, once it is stored; `new` are those with another answer."""
    for one in looks:
        if one.found is None:
            continue
        tally, is_new = one.found.tally, one in new
        tally.changed += is_new
        tally.written += written and one.plan is not None
        tally.missed += is_new and one.found.told is False
        tally.told += one.found.told is True


def recall(
    conn: Connection, account: str, ticket_ids: Sequence[str], offset: float
) -> dict[str, Memory]:
    """What the store knows of these tickets; `offset` is the helpdesk's clock minus ours."""
    ids = list(ticket_ids)
    stored = select(history.c.ticket_id, history.c.body).where(
        history.c.account == account, history.c.ticket_id.in_(ids)
    )
    bodies = {row.ticket_id: row.body for row in conn.execute(stored)}
    seen: dict[str, list[Any]] = {}
    for row in conn.execute(
        select(observation)
        .where(observation.c.account == account, observation.c.ticket_id.in_(ids))
        .order_by(observation.c.id)
    ):
        seen.setdefault(row.ticket_id, []).append(row)
    excepted = exceptions.of_tickets(conn, account, ids)
    return {
        one: _memory(bodies.get(one), seen.get(one, []), excepted.get(one, ()), offset)
        for one in ids
    }


def _memory(
    body: Mapping[str, Any] | None,
    rows: Sequence[Any],
    excepted: tuple[TicketException, ...],
    offset: float,
) -> Memory:
    return Memory(
        exceptions=excepted,
        past=journal.from_body(body) if body else None,
        observations=tuple(
            Observation(
                field=row.field,
                before=row.before,
                after=row.after,
                at=_at(row.received_at + offset if row.at is None else row.at),
            )
            for row in rows
        ),
        newest=rows[-1].id if rows else 0,
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=0)


def look(
    account: Account,
    claim: Claim,
    reading: Reading,
    memory: Memory,
    told: History | None,
    *,
    at: float,
    offset: float,
    found: Found | None = None,
    contested: frozenset[str] = frozenset(),
) -> Look:
    """Evaluate a reading. `at` is the database's clock, `offset` the helpdesk's minus it.

    `contested` are the fields that are written nowhere at the moment.
    """
    past = journal.extend(
        memory.past, reading, told, memory.observations, untold=_is_untold(claim, found)
    )
    ticket = journal.complete(reading.ticket, past)
    instant = max(datetime.fromtimestamp(at + offset, UTC), _latest(ticket))
    policy = policy_for(ticket, account.assignments, instant)
    evaluation = evaluate(ticket, policy, instant, memory.exceptions)
    wanted = writes.desired(evaluation, account)
    conceded = brakes.standing(claim.conceded, wanted)
    wanted = brakes.without(wanted, reading, {*conceded, *contested})
    is_left = ticket.is_done and claim.was_over
    writable = account.writes and reading.read_only is None and not is_left
    is_same = reading.updated_at.timestamp() <= (claim.seen_updated_at or 0.0)
    blocked = claim.write_blocked if is_same else None
    change = evaluation.next_change_at if reading.read_only is None else None
    return Look(
        claim=claim,
        reading=reading,
        past=past,
        newest=memory.newest,
        evaluation=evaluation,
        wanted=wanted,
        plan=account.helpdesk.plan(reading, wanted) if writable and not blocked else None,
        next_change=_next_look(evaluation, change, reading, instant),
        found=found,
        write_blocked=blocked,
        conceded=conceded,
    )


def _is_untold(claim: Claim, found: Found | None) -> bool:
    """Whether no webhook told of what this look may find: a page of changes led to it."""
    if found is not None:
        return found.told is not True
    return claim.rank == Rank.BACKFILL


def untold(one: Claim, found: Found | None, memory: Memory) -> tuple[Observation, ...] | None:
    """What webhooks have said where none brought us here; None where one did."""
    return memory.observations if _is_untold(one, found) else None


def is_unsure(one: Look) -> bool:
    """Whether it is known only to the minute if a metric was fulfilled in time."""
    return any(
        metric.fulfilled is not None
        and metric.fulfilled.reply is not None
        and not metric.fulfilled.reply.exact
        and metric.outcome.due_at is not None
        and abs(metric.outcome.due_at - metric.fulfilled.at) <= MINUTE
        for metric in one.evaluation.metrics
    )


def _next_look(
    evaluation: Evaluation, change: datetime | None, reading: Reading, now: datetime
) -> float | None:
    """When to look again, by the helpdesk's clock.

    A helpdesk computes its own dates some time after an update, and tells nobody; a policy that
    takes them over looks again until they can be expected to stand.
    """
    looks = [change]
    if evaluation.policy.inherits and reading.read_only is None:
        again = (reading.updated_at + pause for pause in OWN_DATES_AFTER)
        looks.append(next((at for at in again if at > now), None))
    return min((at.timestamp() for at in looks if at is not None), default=None)


def _latest(ticket: Ticket) -> datetime:
    """No event of a ticket lies in the future, however far two clocks are apart."""
    return max(
        [ticket.created_at]
        + [change.at for change in ticket.changes[-1:]]
        + [reply.at for reply in (*ticket.replies[-1:], *ticket.calls[-1:])]
    )


def keep(conn: Connection, account: Account, done: Look) -> bool:
    """Store what a look has shown; returns whether the answer is a new one."""
    ticket_id = done.claim.ticket_id
    evidence.keep_history(conn, account.name, ticket_id, journal.to_body(done.past))
    remarks = done.plan.remarks if done.plan is not None else None
    is_new = evidence.keep_evaluation(conn, account.name, done.evaluation, remarks)
    claim, was_over = done.claim, done.claim.was_over and done.evaluation.ticket.is_done
    held = (claim.write_blocked, dict(claim.conceded), claim.was_over)
    if held != (done.write_blocked, dict(done.conceded), was_over):
        schedule.hold_back(
            conn, account.name, ticket_id, blocked=done.write_blocked, conceded=done.conceded,
            was_over=was_over,
        )  # fmt: skip
    if is_new and done.found is not None and done.found.told is False:
        evidence.record(conn, account.name, ticket_id, evidence.MISSED, {"feed": done.found.feed})
    if (
        is_new
        and claim.seen_updated_at is not None
        and brakes.oscillates(conn, account.name, ticket_id)
    ):
        schedule.park(conn, account.name, ticket_id, OSCILLATING)
    notices.take_down(conn, account, done.evaluation)
    if done.newest:
        conn.execute(
            delete(observation).where(
                observation.c.account == account.name,
                observation.c.ticket_id == ticket_id,
                observation.c.id <= done.newest,
            )
        )
    return is_new


def finish(conn: Connection, account: Account, done: Look, *, written: bool) -> bool:
    """A look ended well: store it and say when the next one is; whether the answer is new."""
    is_new = keep(conn, account, done)
    if written and done.plan is not None:
        body = writes.written(done.plan, done.fingerprint)
        evidence.record(conn, account.name, done.claim.ticket_id, evidence.WRITTEN, body)
    schedule.ended(
        conn,
        account.name,
        done.claim.ticket_id,
        wanted=done.claim.wanted,
        look_at=_look_at(conn, account.name, done, written),
        seen_updated_at=done.reading.updated_at.timestamp(),
        written_fingerprint=done.fingerprint if written else done.claim.written_fingerprint,
    )
    return is_new


def _look_at(conn: Connection, account: str, done: Look, written: bool) -> float | None:
    """When the answer changes by itself, or sooner if a read must show whether a write stood."""
    change = schedule.by_our_clock(conn, account, done.next_change)
    if not written or done.plan is None or done.plan.verify_after is None:
        return change
    verify = now(conn) + done.plan.verify_after
    return verify if change is None else min(change, verify)
