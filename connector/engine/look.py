"""One look at one ticket: what was seen, what it means, what is to be written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from connector.engine import brakes, exceptions, journal, writes
from connector.engine.context import Account
from connector.engine.found import Found
from connector.engine.rank import Rank
from connector.engine.schedule import Claim
from connector.helpdesks.base import Desired, History, Observation, Plan, Reading
from connector.store.tables import history, observation
from mappings.assignment import policy_for
from mappings.entitlement import TicketException
from mappings.evaluate import Evaluation, evaluate
from mappings.ticket import Ticket

SECOND = timedelta(seconds=1)  # "within" ends with the due, "by" a second after it
SKEW_SECONDS = 2.0  # a delivery this long before the update tells of it: two clocks differ
MINUTE = timedelta(seconds=60)  # how exactly a figure in minutes tells an instant
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
    def is_breach(self) -> bool:
        """Whether its next change by itself is a missed target."""
        at = self.evaluation.next_change_at
        return at is not None and any(
            one.outcome.breached_at is None
            and one.outcome.due_at is not None
            and timedelta(0) <= at - one.outcome.due_at <= SECOND
            for one in self.evaluation.metrics
            if one.is_open
        )

    @property
    def ticket_id(self) -> str:
        """The helpdesk's id of the ticket."""
        return self.claim.ticket_id

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
    found: Found | None = None,
    contested: frozenset[str] = frozenset(),
) -> Look:
    """Evaluate a reading. `at` is the database's clock, `offset` the helpdesk's minus it.

    `contested` are the fields that are written nowhere at the moment.
    """
    past = journal.extend(
        memory.past,
        reading,
        told,
        memory.observations,
        untold=_is_untold(claim, found, memory, reading, offset),
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


def _is_untold(
    claim: Claim, found: Found | None, memory: Memory, reading: Reading, offset: float
) -> bool:
    """Whether a value that moved may have done so unheard of, and before "last updated".

    Nothing brought us here that told of the last update; or hooks did that tell of each value that
    moves, so that what they have not told of was told by a delivery that never came; or something
    else has happened too, which may be all that the delivery told of.
    """
    if found is not None and found.told is not True:
        return True
    if claim.rank == Rank.BACKFILL or memory.observations:
        return True
    if memory.past is not None and journal.something_else(memory.past, reading):
        return True
    heard_at = (claim.hinted_at or 0.0) + offset
    return found is None and heard_at < reading.updated_at.timestamp() - SKEW_SECONDS


def untold(
    one: Claim, found: Found | None, memory: Memory, reading: Reading, offset: float
) -> tuple[Observation, ...] | None:
    """What webhooks have said, where a value may have moved that they did not tell of."""
    is_untold = _is_untold(one, found, memory, reading, offset)
    return memory.observations if is_untold else None


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
