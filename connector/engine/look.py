"""One look at one ticket: what was seen, what it means, what is to be written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select

from connector.engine import evidence, exceptions, journal, notices, schedule, writes
from connector.engine.context import Account
from connector.engine.schedule import Claim
from connector.helpdesks.base import Desired, History, Observation, Plan, Reading
from connector.store.tables import history, observation
from mappings.assignment import policy_for
from mappings.entitlement import TicketException
from mappings.evaluate import Evaluation, evaluate
from mappings.ticket import Ticket

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

    @property
    def fingerprint(self) -> str:
        """A short name for the desired values."""
        return writes.fingerprint(self.wanted)


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
) -> Look:
    """Evaluate a reading. `at` is the database's clock, `offset` the helpdesk's minus it."""
    past = journal.extend(memory.past, reading, told, memory.observations)
    ticket = journal.complete(reading.ticket, past)
    now = max(datetime.fromtimestamp(at + offset, UTC), _latest(ticket))
    policy = policy_for(ticket, account.assignments, now)
    evaluation = evaluate(ticket, policy, now, memory.exceptions)
    wanted = writes.desired(evaluation, account)
    writable = account.writes and reading.read_only is None
    change = evaluation.next_change_at if reading.read_only is None else None
    return Look(
        claim=claim,
        reading=reading,
        past=past,
        newest=memory.newest,
        evaluation=evaluation,
        wanted=wanted,
        plan=account.helpdesk.plan(reading, wanted) if writable else None,
        next_change=_next_look(evaluation, change, reading, now),
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


def keep(conn: Connection, account: Account, done: Look) -> None:
    """Store what a look has shown."""
    ticket_id = done.claim.ticket_id
    evidence.keep_history(conn, account.name, ticket_id, journal.to_body(done.past))
    remarks = done.plan.remarks if done.plan is not None else None
    evidence.keep_evaluation(conn, account.name, done.evaluation, remarks)
    notices.take_down(conn, account, done.evaluation)
    if done.newest:
        conn.execute(
            delete(observation).where(
                observation.c.account == account.name,
                observation.c.ticket_id == ticket_id,
                observation.c.id <= done.newest,
            )
        )


def finish(conn: Connection, account: Account, done: Look, *, written: bool) -> None:
    """A look ended well: store it and say when the next one is."""
    keep(conn, account, done)
    if written and done.plan is not None:
        body = writes.written(done.plan, done.fingerprint)
        evidence.record(conn, account.name, done.claim.ticket_id, evidence.WRITTEN, body)
    schedule.ended(
        conn,
        account.name,
        done.claim.ticket_id,
        wanted=done.claim.wanted,
        look_at=schedule.by_our_clock(conn, account.name, done.next_change),
        seen_updated_at=done.reading.updated_at.timestamp(),
        written_fingerprint=done.fingerprint if written else done.claim.written_fingerprint,
    )
