"""Which of a policy's targets apply to a ticket, and which one governs each metric."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from mappings.clock import Course, reach, threshold
from mappings.conditions import Test
from mappings.hours import ALWAYS, Schedule
from mappings.policy import Amount, Commitment, Metric, Policy, Regime, Strategy, Target
from mappings.severity import CHANNEL, SEVERITY, Facts, holds_since
from mappings.ticket import CLASS, PROMISED_UPDATE, Ticket

ELAPSED = "elapsed"
# ties between promises that are due at the same instant are decided in this order
LAYERS = (SEVERITY, CLASS, CHANNEL, "plan")


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """One target as it applies to one ticket."""

    target: Target
    course: Course
    governed_by: str
    #: the length that bounds it, None for an instant that was promised
    amount: Amount | None
    clock: str
    #: for a regime: whether support was open at the report
    was_open: bool | None = None


def applicable(
    ticket: Ticket,
    policy: Policy,
    metric: Metric,
    at: datetime,
    start: datetime,
    facts: Facts | None = None,
) -> list[Promise]:
    """The promises for a metric as the ticket stands at `at`, the governing one first.

    `facts` are those of the ticket at `at`, where they were asked for before.
    """
    facts = facts or Facts(ticket=ticket, policy=policy, at=at)
    found = [
        _promise(target, policy, _start(target, ticket, policy, at, start), start)
        for target in policy.targets_of(metric)
        if target.when.holds(facts)
    ]
    if metric is Metric.NEXT_UPDATE:
        found.extend(_promised(ticket, policy, at, start))
    return sorted(found, key=_governs) if len(found) > 1 else found


def layer_of(target: Target) -> str:
    """What a target hangs on, as in "severity high"."""
    tests = {test.fact: test for test in target.when.tests if isinstance(test, Test)}
    for name in (*LAYERS, *tests):
        if name in tests:
            return f"{name} {' or '.join(tests[name].values)}"
    return str(target.when) or "every ticket"


def _start(
    target: Target, ticket: Ticket, policy: Policy, at: datetime, start: datetime
) -> datetime:
    """A cadence starts no earlier than the change that brought its interval into force."""
    if target.metric is not Metric.NEXT_UPDATE:
        return start
    return max(start, holds_since(target.when, ticket, policy, at) or start)


def _promise(target: Target, policy: Policy, start: datetime, reported: datetime) -> Promise:
    calendar, amount, was_open = target.calendar, target.limit or target.aim, None
    if target.regime is not None:
        was_open = policy.calendars[target.regime.calendar].is_open(reported)
        calendar, amount = _regime(target.regime, policy, start, was_open)
    schedule = _schedule(policy, calendar)
    limit = None if target.limit is None and target.regime is None else amount
    due = None if limit is None else reach(schedule, start, limit, policy.business_day)
    aim = None if target.aim is None else reach(schedule, start, target.aim, policy.business_day)
    if due is None:
        risk = None
    elif aim is not None:
        risk = aim
    else:
        risk = threshold(schedule, start, due, limit, policy.at_risk_at)
    course = Course(
        start=start,
        schedule=schedule,
        aim_at=aim,
        due_at=due,
        at_risk_at=risk,
        strict=target.strict,
        commitment=target.commitment,
    )
    return Promise(
        target=target,
        course=course,
        governed_by=layer_of(target),
        amount=amount,
        clock=calendar or ELAPSED,
        was_open=was_open,
    )


def _regime(
    regime: Regime, policy: Policy, start: datetime, was_open: bool
) -> tuple[str | None, Amount]:
    """The calendar (None: elapsed) and the limit that a regime comes to."""
    if regime.strategy is Strategy.AT_REPORT:
        return None, regime.open if was_open else regime.closed
    if regime.strategy is Strategy.AT_REPORT_BUSINESS:
        return (regime.calendar, regime.open) if was_open else (None, regime.closed)
    inner = reach(policy.calendars[regime.calendar], start, regime.open, policy.business_day)
    outer = reach(ALWAYS, start, regime.closed, policy.business_day)
    return (regime.calendar, regime.open) if inner <= outer else (None, regime.closed)


def _promised(ticket: Ticket, policy: Policy, at: datetime, start: datetime) -> Iterator[Promise]:
    """An update promised for an instant counts when that lies after the last public reply."""
    written = ticket.value_at(PROMISED_UPDATE, at)
    due = parse_instant(written) if written else None
    if due is None or due <= start:
        return
    course = Course(
        start=start,
        schedule=ALWAYS,
        aim_at=None,
        due_at=due,
        at_risk_at=threshold(ALWAYS, start, due, None, policy.at_risk_at),
        strict=False,
        commitment=Commitment.TARGET,
    )
    yield Promise(
        target=Target(metric=Metric.NEXT_UPDATE),
        course=course,
        governed_by="promised update",
        amount=None,
        clock=ELAPSED,
    )


def parse_instant(text: str) -> datetime | None:
    """The UTC instant that a mapped field holds; None when it holds none."""
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return None if found.tzinfo is None else found.astimezone(UTC).replace(microsecond=0)


def _schedule(policy: Policy, calendar: str | None) -> Schedule:
    return ALWAYS if calendar is None else policy.calendars[calendar]


def _governs(promise: Promise) -> tuple[datetime, int]:
    """Earliest limit first; a promise without a limit (informational) comes after all others."""
    layer = promise.governed_by.split(" ", 1)[0]
    order = LAYERS.index(layer) if layer in LAYERS else len(LAYERS)
    return promise.course.due_at or datetime.max.replace(tzinfo=UTC), order
