"""One metric's clock: when it starts, what is taken out, when it is due, whether it was kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from mappings.hours import BusinessDayMode, Schedule
from mappings.policy import Amount, Commitment, Effect


class State(StrEnum):
    """The one word that is shown for a metric (policy-semantics 4), the worst first."""

    BREACHED = "breached"
    OVERDUE = "overdue"
    AT_RISK = "at_risk"
    PAUSED = "paused"
    RUNNING = "running"
    NOT_STARTED = "not_started"
    MET = "met"
    CANCELLED = "cancelled"


WORST_FIRST = tuple(State)
ONE_SECOND = timedelta(seconds=1)  # instants are whole seconds, so this is "just after"


# What is made for every metric of every ticket is a named tuple: a frozen dataclass takes three
# times as long to make.

# [start, end); an end of None has not come yet
Span = tuple[datetime, datetime | None]


class Wait(NamedTuple):
    """A stretch during which somebody else was to act, [start, end); `end` None: it still holds."""

    start: datetime
    end: datetime | None
    cause: str
    effect: Effect


class Course(NamedTuple):
    """A metric's bounds before any wait is taken out."""

    start: datetime
    schedule: Schedule
    aim_at: datetime | None
    due_at: datetime | None
    at_risk_at: datetime | None
    strict: bool
    commitment: Commitment
    #: False while that which starts the clock has not come; then it has no bounds
    started: bool = True


class Outcome(NamedTuple):
    """How a metric stands at an instant."""

    state: State
    aim_at: datetime | None
    at_risk_at: datetime | None
    due_at: datetime | None
    breached_at: datetime | None
    #: the cause that excuses a miss
    excused: str | None
    #: the pauses that were taken into account
    paused: tuple[Span, ...]
    #: the earliest later instant at which it stands differently though nothing happens
    next_change_at: datetime | None = None


def reach(schedule: Schedule, start: datetime, amount: Amount, mode: BusinessDayMode) -> datetime:
    """The instant at which `amount` is used up, counted from `start`."""
    if amount.business_days:
        return schedule.add_business_days(start, amount.business_days, mode)
    return schedule.add(start, amount.seconds)


def threshold(
    schedule: Schedule, start: datetime, due: datetime, amount: Amount | None, share: Fraction
) -> datetime:
    """The instant at which `share` of a target's time is used, rounded up to the whole second."""
    plain = amount is not None and not amount.business_days
    total = amount.seconds if amount and plain else schedule.between(start, due)
    if total <= 0:  # a due that was inherited or promised may lie before its own start
        return due
    return schedule.add(start, -(-total * share.numerator // share.denominator))


def shared(course: Course, share: Fraction) -> datetime | None:
    """The instant at which `share` of the time between start and due is used."""
    if course.due_at is None:
        return None
    return threshold(course.schedule, course.start, course.due_at, None, share)


def moved(bound: datetime, pauses: Sequence[Span], schedule: Schedule) -> datetime | None:
    """`bound` moved on by the pauses that began before it; None while one of them still holds."""
    for start, end in pauses:
        if start >= bound:
            break
        if end is None:
            return None
        bound = schedule.add(bound, schedule.between(start, end))
    return bound


def stretches(
    waits: Sequence[Wait], effects: Sequence[Effect], start: datetime, end: datetime | None
) -> tuple[Span, ...]:
    """The waits with these effects inside [start, end), merged where they overlap, in order."""
    found: list[Span] = []
    for wait in sorted((w for w in waits if w.effect in effects), key=lambda w: w.start):
        begun, over = max(wait.start, start), wait.end
        if end is not None:
            over = end if over is None else min(over, end)
        if over is not None and over <= begun:
            continue
        if found and (found[-1][1] is None or begun <= found[-1][1]):
            last = found[-1][1]
            found[-1] = (found[-1][0], None if last is None or over is None else max(last, over))
        else:
            found.append((begun, over))
    return tuple(found)


def judge(
    course: Course, waits: Sequence[Wait], fulfilled_at: datetime | None, now: datetime
) -> Outcome:
    """How the metric stands at `now`. A fulfilment ends a pause that holds at that instant."""
    if not course.started:
        return _unstarted(State.NOT_STARTED if fulfilled_at is None else State.MET)
    pauses = stretches(waits, (Effect.PAUSE,), course.start, fulfilled_at) if waits else ()
    judged_at = now if fulfilled_at is None else fulfilled_at
    due = _moved(course.due_at, pauses, course)
    breached_at = due if due is not None and is_late(course, due, judged_at) else None
    excuse = _excuse(course, waits, fulfilled_at, judged_at) if breached_at else None
    holding = fulfilled_at is None and bool(pauses) and pauses[-1][1] is None
    aim = None if holding else _moved(course.aim_at, pauses, course)
    risk = None if holding else _moved(course.at_risk_at, pauses, course)
    lates = [due, excuse.until if excuse else None] if fulfilled_at is None else []
    return Outcome(
        state=_state(course, breached_at, fulfilled_at, holding, risk, now),
        aim_at=aim,
        at_risk_at=risk,
        due_at=breached_at if holding else due,
        breached_at=breached_at,
        excused=excuse.causes if excuse else None,
        paused=pauses,
        next_change_at=_next_change(course, lates, risk, now),
    )


def _unstarted(state: State) -> Outcome:
    return Outcome(
        state=state,
        aim_at=None,
        at_risk_at=None,
        due_at=None,
        breached_at=None,
        excused=None,
        paused=(),
    )


def is_late(course: Course, due: datetime, at: datetime) -> bool:
    """Whether `at` is past a due instant: "within" includes the due itself, "under" does not."""
    return at >= due if course.strict else at > due


def _moved(bound: datetime | None, pauses: Sequence[Span], course: Course) -> datetime | None:
    return moved(bound, pauses, course.schedule) if bound is not None and pauses else bound


@dataclass(frozen=True, kw_only=True, slots=True)
class _Excuse:
    """What excuses a miss, and the due instant up to which it does (None: without end)."""

    causes: str
    until: datetime | None


def _excuse(
    course: Course, waits: Sequence[Wait], fulfilled_at: datetime | None, judged_at: datetime
) -> _Excuse | None:
    """A miss is excused when it would be none had the excusing stretches been pauses."""
    both = stretches(waits, (Effect.PAUSE, Effect.EXCUSE), course.start, fulfilled_at)
    due = _moved(course.due_at, both, course)
    if due is not None and is_late(course, due, judged_at):
        return None
    causes = {
        wait.cause
        for wait in waits
        if wait.effect is Effect.EXCUSE
        and wait.start < (judged_at if due is None else min(due, judged_at))
        and (wait.end is None or wait.end > course.start)
    }
    return _Excuse(causes=", ".join(sorted(causes)), until=due) if causes else None


def _next_change(
    course: Course, lates: Sequence[datetime | None], risk: datetime | None, now: datetime
) -> datetime | None:
    """Only the passing of an at-risk instant or of a due changes anything by itself."""
    second = timedelta(0) if course.strict else ONE_SECOND
    found = [late + second for late in lates if late is not None]
    if risk is not None and found and risk < found[0]:
        found.append(risk)
    return min((at for at in found if at > now), default=None)


def _state(
    course: Course,
    breached_at: datetime | None,
    fulfilled_at: datetime | None,
    paused: bool,
    risk: datetime | None,
    now: datetime,
) -> State:
    if breached_at is not None:
        late_ok = course.commitment is Commitment.BEST_EFFORT
        return State.OVERDUE if late_ok else State.BREACHED
    if fulfilled_at is not None:
        return State.MET
    if paused:
        return State.PAUSED
    return State.AT_RISK if risk is not None and now >= risk else State.RUNNING
