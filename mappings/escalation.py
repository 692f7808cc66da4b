"""Escalation: how far up a ticket has come, by tiers that never fall and by ladders of steps."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, cast

from mappings.clock import Course, Outcome, State, moved, shared
from mappings.conditions import Operator, Test
from mappings.policy import Effect, Metric, Policy, Start, Step, Tier
from mappings.severity import ONE_SECOND, SEVERITY, Facts, told_by
from mappings.ticket import CANCELLED, WAITING, Ticket
from mappings.waiting import NAMES as WAITING_NAMES
from mappings.waiting import maps_bounds

TIER = "tier"  #: the mapped input in which an agent sets a tier
RESOLUTION = Metric.RESOLUTION.value  #: as a fact: the state of the resolution
LOWEST = 1
HIGHEST = 3
_LOWERING = "lowering"
_ASKED = "asked of the resolution"
_LATE = frozenset({State.AT_RISK, State.BREACHED, State.OVERDUE})


class Look(Protocol):
    """A ticket as it stood at an instant."""

    @property
    def facts(self) -> Facts:
        """What conditions may ask of it."""

    def resolution_state(self) -> State | None:
        """The state of its resolution; None where none is promised."""


def asks_only_for_lateness(policy: Policy) -> bool:
    """Whether all that a tier asks of the resolution is that it is at risk or worse."""
    return all(
        test.operator in (Operator.IS, Operator.WITHIN) and _LATE.issuperset(test.values)
        for test in _asked_of_resolution(policy)
    )


def may_fall_by_itself(policy: Policy) -> bool:
    """Whether a rule could cease to hold when a resolution that is at risk becomes late."""
    asked = _asked_of_resolution(policy)
    return not asks_only_for_lateness(policy) or any(
        State.AT_RISK in test.values and not _LATE.issubset(test.values) for test in asked
    )


def _asked_of_resolution(policy: Policy) -> tuple[Test, ...]:
    if _ASKED not in policy.remembered:
        conditions = [condition for one in policy.tiers for condition in one.any]
        policy.remembered[_ASKED] = tuple(
            test for one in conditions for test in one.all_tests() if test.fact == RESOLUTION
        )
    return cast("tuple[Test, ...]", policy.remembered[_ASKED])


def tier(
    ticket: Ticket,
    policy: Policy,
    now: datetime,
    look: Callable[[datetime], Look],
    names: frozenset[str] | None = None,
    turns: Iterable[datetime] = (),
) -> tuple[int, Tier | None]:
    """The highest tier reached so far, and the rule that led there (None: the lowest, or an agent).

    `look` gives the ticket as it stood at an instant; `names` are those of `lowering`; at `turns`
    a tier may have stood that fell by itself afterwards.
    """
    best, rule = LOWEST, None
    # where each tier has one rule and no agent sets one, the order of the looks tells nothing, and
    # the last look is the cheapest and the highest
    backwards = names is not None and not ticket.is_mapped(TIER)
    looks = _looks(ticket, now, names, turns)
    for at in sorted(looks, reverse=backwards):
        found, by = _reached(look(at), policy)
        if found > best:
            best, rule = found, by
        if best == HIGHEST:
            break
    return best, rule


def lowering(ticket: Ticket, policy: Policy) -> frozenset[str] | None:
    """The values whose change may bring a tier down, beside solves and reopens.

    None where it may fall without a change, or where several rules lead to one tier.
    """
    if maps_bounds(ticket):
        return None
    if _LOWERING not in policy.remembered:
        policy.remembered[_LOWERING] = _lowering(policy)
    return cast("frozenset[str] | None", policy.remembered[_LOWERING])


def _lowering(policy: Policy) -> frozenset[str] | None:
    targets = [one for one in policy.targets if one.metric is Metric.RESOLUTION]
    conditions = [*(one for tier in policy.tiers for one in tier.any), *(t.when for t in targets)]
    names = frozenset((TIER, CANCELLED)).union(*(one.facts() for one in conditions))
    if SEVERITY in names:
        names |= told_by(policy)
    if (
        "replied" in names
        or any(rule.after_first_reply for rule in policy.severity_rules)
        or any(one.start is not Start.REPORTED for one in targets)
        or any(one.metric is Metric.RESOLUTION for one in policy.fulfilments)
        or len({one.tier for one in policy.tiers}) < len(policy.tiers)
    ):
        return None
    waits = any(one.effect is not Effect.RUN for one in policy.waiting.values())
    return names | WAITING_NAMES if waits or WAITING in names else names


def _looks(
    ticket: Ticket, now: datetime, names: frozenset[str] | None, known: Iterable[datetime] = ()
) -> set[datetime]:
    """Between two changes a tier can only rise, so the ends of these stretches are enough; what
    falls by itself is `known`.

    What is changed after a solve moves no tier: the solve itself is looked at instead.
    """
    done = ticket.done(now)
    turns = {one.at for one in ticket.changes if names is None or one.field in names}
    turns.update(at for one in done for at in (one.start, one.end) if at is not None)
    looks = {now, *(at - ONE_SECOND for at in turns if ticket.reported_at < at <= now)}
    looks.update(at for at in known if ticket.reported_at <= at <= now)
    for solved in done:
        end = solved.end or now + ONE_SECOND
        while_solved = {at for at in looks if solved.start < at < end}
        if while_solved:
            looks = (looks - while_solved) | {solved.start}
    return looks


def _reached(look: Look, policy: Policy) -> tuple[int, Tier | None]:
    facts = look.facts

    def told(name: str) -> str | None:
        return (look.resolution_state() or "") if name == RESOLUTION else facts(name)

    assessed = facts.ticket.value_at(TIER, facts.at) or ""
    best, rule = (int(assessed) if assessed in ("1", "2", "3") else LOWEST), None
    for one in policy.tiers_for(told):
        if one.tier > best:
            best, rule = one.tier, one
    return best, rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Climb:
    """A step of a ladder and the instant at which the ticket reaches it."""

    step: Step
    metric: Metric
    at: datetime


def climbs(
    policy: Policy, metric: Metric, course: Course, outcome: Outcome, facts: Facts
) -> Iterator[Climb]:
    """The steps on one metric's clock, reached or to come; none while the instant is not known."""
    for step in policy.steps:
        if step.metric in (None, metric) and step.when.holds(facts):
            at = _instant(step, course, outcome)
            if at is not None:
                yield Climb(step=step, metric=metric, at=at)


def _instant(step: Step, course: Course, outcome: Outcome) -> datetime | None:
    if step.at_risk:
        return outcome.at_risk_at or outcome.breached_at
    if step.share is not None:
        bound = shared(course, step.share)
        if bound is None or outcome.due_at is None:
            return None
        return moved(bound, outcome.paused, course.schedule) or outcome.breached_at
    if outcome.due_at is None or step.after_due_seconds is None:
        return None
    late = timedelta(0) if course.strict else ONE_SECOND
    return outcome.due_at + max(timedelta(seconds=step.after_due_seconds), late)
