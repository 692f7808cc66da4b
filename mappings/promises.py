"""Which of a policy's targets apply to a ticket, and which one governs each metric."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from mappings.clock import Course, reach, threshold
from mappings.conditions import Condition
from mappings.hours import ALWAYS, BusinessDayMode, Schedule
from mappings.policy import (
    Amount,
    Commitment,
    Metric,
    Policy,
    Regime,
    SeverityChange,
    Start,
    Strategy,
    Target,
)
from mappings.severity import CHANNEL, PLAN, SEVERITY, Facts, changed_at, decide, holds_since
from mappings.ticket import CLASS, PROMISED_UPDATE, Ticket
from mappings.written import instant_in

ELAPSED = "elapsed"
# ties between promises that are due at the same instant are decided in this order
LAYERS = (SEVERITY, CLASS, CHANNEL, PLAN)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Promise(NamedTuple):
    """One target as it applies to one ticket."""

    target: Target
    course: Course
    governed_by: str
    #: the policy that it stands in
    policy: Policy
    #: the length that bounds it, None for an instant that was promised or inherited
    amount: Amount | None
    clock: str
    #: for a regime: whether support was open at the report
    was_open: bool | None = None
    #: the change of severity after which grace moved the due, or at which the clock was restarted
    moved_by_change_at: datetime | None = None


class Begun(NamedTuple):
    """The instants at which the clocks of one metric may start; None: not come yet."""

    #: the report, or what began the current cycle
    cycle: datetime
    #: the required information was supplied
    complete: datetime | None
    #: the first response was made
    acknowledged: datetime | None


def applicable(
    ticket: Ticket,
    policy: Policy,
    metric: Metric,
    at: datetime,
    begun: Begun,
    facts: Facts | None = None,
) -> list[Promise]:
    """The promises for a metric as the ticket stands at `at`, the governing one first.

    `facts` are those of the ticket at `at`, where they were asked for before.
    """
    facts = facts or Facts(ticket=ticket, policy=policy, at=at)
    if policy.on_severity_change is SeverityChange.KEEP:
        facts = _kept(facts, begun.cycle)
    found = []
    for target in policy.targets_for(metric, facts):
        promise = _applied(target, ticket, policy, at, begun)
        if promise is not None:
            found.append(promise)
    if metric is Metric.NEXT_UPDATE:
        found.extend(_promised(ticket, policy, at, begun.cycle))
    return sorted(found, key=_governs) if len(found) > 1 else found


def in_time_until(facts: Facts, metric: Metric) -> datetime | None:
    """Before this instant no promise for an open metric can be at risk or late; None: not known.

    A clock starts at the report or later, and what waits do to it only moves its bounds on.
    """
    policy, reported = facts.policy, facts.ticket.reported_at
    targets = policy.targets_for(metric, facts)
    if policy.on_severity_change is SeverityChange.KEEP:
        return None
    if any(one.inherits or one.regime is not None for one in targets):
        return None
    courses = [_promise(one, policy, reported, reported).course for one in targets]
    bounds = [bound for one in courses for bound in (one.at_risk_at, one.due_at)]
    return min((bound for bound in bounds if bound is not None), default=_NEVER)


def governing(promises: list[Promise]) -> list[Promise]:
    """Promises from several policies in one order, each once, the governing one first."""
    found: list[Promise] = []
    for promise in promises:
        if not any((one.target, one.course) == (promise.target, promise.course) for one in found):
            found.append(promise)
    return sorted(found, key=_governs)


def layer_of(target: Target) -> str:
    """What a target hangs on, as in "severity high"."""
    return _layer_of(target.when)


@lru_cache(maxsize=4096)
def _layer_of(when: Condition) -> str:
    tests = {test.fact: test for test in reversed(list(when.all_tests()))}
    for name in (*LAYERS, *tests):
        if name in tests:
            return str(tests[name])
    return "every ticket"


@lru_cache(maxsize=4096)
def _asks_severity(when: Condition) -> bool:
    return SEVERITY in when.facts()


def _kept(facts: Facts, since: datetime) -> Facts:
    """The facts with the severity that held when the clock started."""
    level = decide(facts.ticket, facts.policy, since).level
    kept = level.id if level else ""
    return replace(facts, extra={**facts.extra, SEVERITY: lambda: kept})


def _applied(
    target: Target, ticket: Ticket, policy: Policy, at: datetime, begun: Begun
) -> Promise | None:
    """The target as a promise to this ticket; None while it promises nothing yet."""
    if target.inherits:
        return _inherited(target, ticket, policy, begun.cycle)
    start = begun.cycle
    if target.start is Start.INFORMATION_COMPLETE:
        if begun.complete is None:
            return _unstarted(target, policy, start)
        start = max(start, begun.complete)
    elif target.start is Start.ACKNOWLEDGED:
        if begun.acknowledged is None:
            return None
        start = _review_start(target, policy, begun)
    elif target.metric is Metric.NEXT_UPDATE:
        # a cadence starts no earlier than the change that brought its interval into force
        start = max(start, holds_since(target.when, ticket, policy, at) or start)
    return _after_changes(target, ticket, policy, at, start, begun.cycle)


def _after_changes(
    target: Target,
    ticket: Ticket,
    policy: Policy,
    at: datetime,
    start: datetime,
    reported: datetime,
) -> Promise:
    """The promise as a change of severity has left it."""
    mode = policy.on_severity_change
    if mode in (SeverityChange.RESTATE, SeverityChange.KEEP) or not _asks_severity(target.when):
        return _promise(target, policy, start, reported)
    changed = changed_at(ticket, policy, at)
    if changed is None or changed <= start:
        return _promise(target, policy, start, reported)
    if mode is SeverityChange.RESTART:
        restarted = _promise(target, policy, changed, changed)
        return restarted._replace(moved_by_change_at=changed)
    return _with_grace(_promise(target, policy, start, reported), changed)


def _review_start(target: Target, policy: Policy, begun: Begun) -> datetime:
    """The first cycle counts from the acknowledgement, whatever was written before its end."""
    first = begun.acknowledged or begun.cycle
    end = reach(
        _schedule(policy, target.calendar), first, target.limit or Amount(), policy.business_day
    )
    return begun.cycle if begun.cycle >= end else first


def _promise(target: Target, policy: Policy, start: datetime, reported: datetime) -> Promise:
    calendar, amount, was_open = target.calendar, target.limit or target.aim, None
    if target.regime is not None:
        hours = policy.calendars[target.regime.calendar]
        was_open = hours.is_open(reported)
        counts, amount = bound_of(target.regime, hours, policy.business_day, start, was_open)
        calendar = target.regime.calendar if counts else None
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
        policy=policy,
        amount=amount,
        clock=calendar or ELAPSED,
        was_open=was_open,
    )


def _with_grace(promise: Promise, changed: datetime) -> Promise:
    """Never due earlier than the change of severity plus the new target."""
    course, policy, target = promise.course, promise.policy, promise.target
    if course.due_at is None or promise.amount is None:
        return promise
    due = max(course.due_at, reach(course.schedule, changed, promise.amount, policy.business_day))
    if due == course.due_at:
        return promise
    aim = course.aim_at
    if aim is not None and target.aim is not None:
        aim = max(aim, reach(course.schedule, changed, target.aim, policy.business_day))
    risk = aim or threshold(course.schedule, course.start, due, None, policy.at_risk_at)
    return promise._replace(
        course=course._replace(due_at=due, aim_at=aim, at_risk_at=risk),
        moved_by_change_at=changed,
    )


def _unstarted(target: Target, policy: Policy, start: datetime) -> Promise:
    course = Course(
        start=start,
        schedule=_schedule(policy, target.calendar),
        aim_at=None,
        due_at=None,
        at_risk_at=None,
        strict=target.strict,
        commitment=target.commitment,
        started=False,
    )
    return Promise(
        target=target,
        course=course,
        governed_by=layer_of(target),
        policy=policy,
        amount=target.limit or target.aim,
        clock=target.calendar or ELAPSED,
    )


def _inherited(target: Target, ticket: Ticket, policy: Policy, start: datetime) -> Promise | None:
    due = ticket.own_dues.get(target.metric)
    if due is None:
        return None
    return _given(target, policy, start, due, "the helpdesk's own date")


def _promised(ticket: Ticket, policy: Policy, at: datetime, start: datetime) -> Iterator[Promise]:
    """An update promised for an instant counts when that lies after the last public reply."""
    written = ticket.value_at(PROMISED_UPDATE, at)
    due = instant_in(written, policy.zone, end_of_day=True) if written else None
    if due is not None and due > start:
        yield _given(Target(metric=Metric.NEXT_UPDATE), policy, start, due, "promised update")


def _given(target: Target, policy: Policy, start: datetime, due: datetime, why: str) -> Promise:
    """A plain target of which the due is an instant and no length."""
    course = towards(due, start, policy, Commitment.TARGET)
    return Promise(
        target=target, course=course, governed_by=why, policy=policy, amount=None, clock=ELAPSED
    )


def towards(due: datetime, start: datetime, policy: Policy, commitment: Commitment) -> Course:
    """The course to a due that is an instant: within it, on elapsed time, without an aim."""
    return Course(
        start=start,
        schedule=ALWAYS,
        aim_at=None,
        due_at=due,
        at_risk_at=threshold(ALWAYS, start, due, None, policy.at_risk_at),
        strict=False,
        commitment=commitment,
    )


def bound_of(
    regime: Regime, schedule: Schedule, mode: BusinessDayMode, start: datetime, was_open: bool
) -> tuple[bool, Amount]:
    """Whether a regime's limit counts on its calendar (else every second does), and the limit."""
    if regime.strategy is Strategy.AT_REPORT:
        return False, regime.open if was_open else regime.closed
    if regime.strategy is Strategy.AT_REPORT_BUSINESS:
        return (True, regime.open) if was_open else (False, regime.closed)
    inner = reach(schedule, start, regime.open, mode)
    outer = reach(ALWAYS, start, regime.closed, mode)
    return (True, regime.open) if inner <= outer else (False, regime.closed)


def _schedule(policy: Policy, calendar: str | None) -> Schedule:
    return ALWAYS if calendar is None else policy.calendars[calendar]


def _governs(promise: Promise) -> tuple[datetime, int]:
    """Earliest limit first; a promise without a limit (informational) comes after all others."""
    layer = promise.governed_by.split(" ", 1)[0]
    order = LAYERS.index(layer) if layer in LAYERS else len(LAYERS)
    return promise.course.due_at or _NEVER, order
