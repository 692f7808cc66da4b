"""evaluate(ticket, policy, now): what was promised, and whether it is kept. The one entrance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mappings.clock import WORST_FIRST, Outcome, State, Wait, judge
from mappings.duties import OpenDuty, open_duties, turns
from mappings.entitlement import ENTITLEMENT_UNKNOWN, Terms, TicketException, terms
from mappings.escalation import (
    Climb,
    Look,
    asks_only_for_lateness,
    climbs,
    lowering,
    may_fall_by_itself,
)
from mappings.escalation import tier as reached_tier
from mappings.policy import (
    Commitment,
    Effect,
    Exemption,
    Gate,
    Metric,
    Policy,
    Reopening,
    Start,
    Tier,
    Unofficial,
)
from mappings.promises import (
    ELAPSED,
    Begun,
    Promise,
    applicable,
    governing,
    in_time_until,
    towards,
)
from mappings.responses import Fulfilled, Responses, complete_at, missing_at
from mappings.severity import ONE_SECOND, Decision, Facts
from mappings.tags import SHOWN_STATES, exempt_tag, severity_tag, state_tag
from mappings.ticket import CANCELLED, DONE, MERGED, STATUS, Stretch, Ticket
from mappings.unmapped import unmapped_gaps
from mappings.waiting import boundaries, tells_bounds, waits_of

HISTORY_MISSING = "history_missing"
MINUTE_PRECISION = "minute_precision"
UNOFFICIAL_CHANNEL = "unofficial_channel"
INFO_MISSING = "info_missing"


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricResult:
    """One metric of one ticket at one instant."""

    metric: Metric
    promise: Promise
    outcome: Outcome
    fulfilled: Fulfilled | None
    others: tuple[Promise, ...] = ()
    #: the waits as this metric's clock takes them
    ledger: tuple[Wait, ...] = ()
    #: the exception that gave the due
    exception: TicketException | None = None

    @property
    def fulfilled_at(self) -> datetime | None:
        """When it was fulfilled; None while it is not."""
        return self.fulfilled.at if self.fulfilled else None

    @property
    def state(self) -> State:
        """The one word that is shown."""
        return self.outcome.state

    @property
    def is_promise(self) -> bool:
        """Whether more than an aim was named: what is only for information has no tags."""
        return self.promise.course.commitment is not Commitment.NONE

    @property
    def is_open(self) -> bool:
        """Whether the metric still waits for its fulfilment."""
        return self.fulfilled is None and self.state is not State.CANCELLED


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The answer for one ticket under one policy at one instant."""

    ticket: Ticket
    #: the published policy with the overlays that hold for this ticket
    policy: Policy
    terms: Terms
    at: datetime
    #: the worst metric's word; None without metrics
    state: State | None
    metrics: tuple[MetricResult, ...]
    #: sorted, with the account's prefix
    tags: tuple[str, ...]
    gaps: tuple[str, ...]
    #: why nothing is promised; None where something is
    exemption: Exemption | None = None
    severity: Decision | None = None
    tier: int | None = None
    #: the rule that led to the tier; None: the lowest, an agent's own, or a step's
    tier_rule: Tier | None = None
    duties: tuple[OpenDuty, ...] = ()
    #: the steps of escalation ladders that were reached
    climbs: tuple[Climb, ...] = ()
    #: what the steps that were reached ask the field of the group to hold
    group: str | None = None
    #: what the request still has to say
    information_missing: tuple[str, ...] = ()
    next_due_at: datetime | None = None
    #: the earliest later instant at which the answer differs though nothing happens
    next_change_at: datetime | None = None

    def metric(self, metric: Metric) -> MetricResult | None:
        """The result for one metric; None where the policy promises nothing."""
        return next((one for one in self.metrics if one.metric is metric), None)


def evaluate(
    ticket: Ticket, policy: Policy, now: datetime, exceptions: Sequence[TicketException] = ()
) -> Evaluation:
    """What the policy promises for the ticket, judged at `now` by what had happened until then.

    `exceptions` are those of this ticket; each holds from when it was written.
    """
    now = now.replace(microsecond=0)
    found = terms(ticket, policy)
    case = _Case(ticket=ticket.as_of(now), terms=found, now=now, exceptions=tuple(exceptions))
    return case.evaluation()


@dataclass(kw_only=True, slots=True)
class _Case:
    """One ticket being judged; collects gaps on the way."""

    ticket: Ticket
    terms: Terms
    now: datetime
    exceptions: tuple[TicketException, ...]
    gaps: dict[str, None] = field(default_factory=dict)  # a set that keeps its order
    has_error_gap: bool = False
    #: the states of the metrics that were judged; None where nothing is promised
    seen: dict[Metric, State | None] = field(default_factory=dict)
    #: the facts just before each event that ended a metric
    ends: dict[tuple[datetime, int, int], Facts] = field(default_factory=dict)
    policy: Policy = field(init=False)
    facts: Facts = field(init=False)
    #: the stretches during which the ticket was solved; each ends at a reopen
    done: list[Stretch] = field(init=False)
    responses: Responses = field(init=False)
    #: None when the ticket lives
    cancelled_at: datetime | None = field(init=False)

    def __post_init__(self) -> None:
        self.policy = self.terms.policies[0]
        self.facts = Facts(ticket=self.ticket, policy=self.policy, at=self.now)
        self.done = self.ticket.done(self.now)
        self.cancelled_at = self.cancellation()
        if self.cancelled_at is not None and self.ticket.values[CANCELLED] == MERGED:
            # a merge closes the ticket, and that is no solution
            self.done = [one for one in self.done if one.start < self.cancelled_at]
        self.responses = Responses(
            ticket=self.ticket, policy=self.policy, facts=self.facts, done=self.done, now=self.now
        )

    def cancellation(self) -> datetime | None:
        """Since when the ticket is cancelled; without history since the report."""
        if not self.ticket.values.get(CANCELLED):
            return None
        changes = self.ticket.changes_of(CANCELLED)
        if changes:
            return changes[-1].at
        self.rest_on([HISTORY_MISSING])
        merged = self.ticket.values[CANCELLED] == MERGED and self.done
        return self.done[-1].start if merged else self.ticket.reported_at

    def evaluation(self) -> Evaluation:
        found = self.reading()
        turn = self.next_turn(found)
        return replace(found, next_change_at=turn) if turn else found

    def reading(self) -> Evaluation:
        """The answer; of what will change it only what is certain to."""
        unofficial, exemption = self.exemption()
        if exemption is not None:
            tags = {exempt_tag(exemption.reason)}
            if exemption.unofficial:
                tags.add(UNOFFICIAL_CHANNEL)
            return self.answer(tags, exemption=exemption)
        severity = self.facts.severity()
        if severity.level is not None:
            self.rest_on(severity.gaps)
        self.rest_on_terms()
        metrics = tuple(self.metrics())
        reached = tuple(self.climbs(metrics))
        climbs_tiers = any(one.tier for one in self.policy.steps)
        has_tiers = self.policy.tiers or climbs_tiers
        tier, rule = self.tier(reached, metrics) if has_tiers else (None, None)
        responded = self.responses.first_response()
        responded_at = responded.at if responded else None
        self.rest_on_unmapped()
        missing = self.information_missing()
        duties = tuple(open_duties(self.facts, responded_at))
        tags = set(self.tags(severity, tier, metrics, duties, reached))
        if unofficial:
            tags.add(UNOFFICIAL_CHANNEL)
        if missing and not self.ticket.is_done:
            tags.add(INFO_MISSING)
        return self.answer(
            tags,
            severity=severity,
            tier=tier,
            tier_rule=rule,
            metrics=metrics,
            duties=duties,
            climbs=reached,
            information_missing=missing,
        )

    def rest_on(self, gaps: Sequence[str], policy: Policy | None = None) -> None:
        """The answer rests on these gaps of the policy (None: the first, or only one)."""
        for name in gaps:
            gap = (policy or self.policy).gaps.get(name)
            self.gaps.setdefault(str(gap) if gap else name)
            self.has_error_gap |= gap is not None and gap.is_open_error

    def rest_on_terms(self) -> None:
        if self.terms.is_default:
            self.rest_on([ENTITLEMENT_UNKNOWN])
        for policy in self.terms.policies:
            for layer in policy.layers:
                self.rest_on(layer.gaps, policy)

    def rest_on_unmapped(self) -> None:
        for gap in unmapped_gaps(self.facts):
            self.gaps.setdefault(gap)

    def information_missing(self) -> tuple[str, ...]:
        """What is still to be supplied; what was complete once stays so."""
        if complete_at(self.ticket, self.policy, self.now) is not None:
            return ()
        return missing_at(self.ticket, self.policy, self.now)

    def exemption(self) -> tuple[bool, Exemption | None]:
        """Whether the channel is unofficial and yet computed, and why nothing is promised."""
        unofficial = False
        for one in self.policy.exemptions_for(self.facts):
            self.rest_on(one.gaps)
            if not one.unofficial or self.policy.unofficial is Unofficial.EXEMPT:
                return unofficial, one
            unofficial = True
        return unofficial, None

    def metrics(self) -> Iterator[MetricResult]:
        for metric in Metric:
            found = self.metric(metric)
            self.seen[metric] = found.state if found else None
            if found is not None:
                self.rest_on_metric(found)
                yield found

    def metric(self, metric: Metric) -> MetricResult | None:
        if metric is Metric.FIRST_RESPONSE and self.ticket.outbound:
            return None
        fulfilled = self.responses.of(metric)
        promises = self.promises(metric, fulfilled)
        if not promises:
            self.rest_on(self.policy.absent.get(metric, ()))
            return None
        promise, exception = self.excepted(metric, promises[0], fulfilled)
        fulfilled_at = fulfilled.at if fulfilled else None
        ledger = self.ledger(metric, promise) if exception is None else ()
        if fulfilled_at is None and self.cancelled_at is not None:
            outcome = self.cancelled(promise, ledger, self.cancelled_at)
        else:
            outcome = judge(promise.course, ledger, fulfilled_at, self.now)
        return MetricResult(
            metric=metric,
            promise=promise,
            outcome=outcome,
            fulfilled=fulfilled,
            others=tuple(promises[1:]),
            ledger=ledger,
            exception=exception,
        )

    def promises(self, metric: Metric, fulfilled: Fulfilled | None) -> list[Promise]:
        """An open metric is judged by today's severity, a fulfilled one by that of its end."""
        found: list[Promise] = []
        for policy in self.terms.policies:
            if fulfilled is None:
                begun = self.begun(metric, policy, self.ticket, self.now)
                facts = self.facts if policy is self.policy else None
                found += applicable(self.ticket, policy, metric, self.now, begun, facts)
            else:
                ended = self.ended(fulfilled, policy)
                begun = self.begun(metric, policy, ended.ticket, ended.at)
                if begun.acknowledged is not None and begun.acknowledged >= ended.at:
                    begun = begun._replace(acknowledged=None)  # the solve ends it, and begins none
                found += applicable(ended.ticket, policy, metric, ended.at, begun, ended)
        if len(self.terms.policies) > 1:
            found = governing(found)
        if found and not self.is_known(metric, fulfilled, found[0]):
            self.rest_on([HISTORY_MISSING])
        return found

    def ended(self, event: Fulfilled, policy: Policy) -> Facts:
        """The facts just before an event; one solve may end several metrics."""
        key = (event.at, event.sequence, id(policy))
        if key not in self.ends:
            ticket = self.ticket.just_before(event.at, event.sequence)
            self.ends[key] = Facts(ticket=ticket, policy=policy, at=event.at)
        return self.ends[key]

    def begun(self, metric: Metric, policy: Policy, ticket: Ticket, until: datetime) -> Begun:
        """What may start the metric's clock, as far as it had come `until` then."""
        responded = None
        if metric is not Metric.FIRST_RESPONSE:
            responded = self.responses.first_response()
        complete: datetime | None = ticket.reported_at
        if policy.information.gate is Gate.HOLD_START:
            complete = complete_at(ticket, policy, until)
        return Begun(
            cycle=self.start(metric, until),
            complete=complete,
            acknowledged=responded.at if responded else None,
        )

    def excepted(
        self, metric: Metric, promise: Promise, fulfilled: Fulfilled | None
    ) -> tuple[Promise, TicketException | None]:
        """The promise with the due that was promised in writing for this ticket, if any."""
        until = fulfilled.at if fulfilled else self.now
        course = promise.course
        if not self.exceptions or course.due_at is None:
            return promise, None
        # a cycle that began later, by a reply or a reopen, has a due of its own
        begun = self.start(metric, until)
        held = [
            one
            for one in self.exceptions
            if begun <= one.written_at <= until and one.metric in (None, metric)
        ]
        if not held:
            return promise, None
        exception = max(held, key=lambda one: one.written_at)
        course = towards(exception.until, course.start, self.policy, course.commitment)
        why = f"exception {exception.reference}"
        promise = promise._replace(course=course, amount=None, clock=ELAPSED, governed_by=why)
        return promise, exception

    def is_known(self, metric: Metric, fulfilled: Fulfilled | None, promise: Promise) -> bool:
        """Whether the history reaches back to what the promise rests on."""
        if fulfilled is not None:
            return self.ticket.is_known(fulfilled.at)
        if metric is Metric.NEXT_UPDATE and promise.amount is not None:
            return self.ticket.is_known(max(promise.course.start, self.ticket.created_at))
        return True

    def cancelled(self, promise: Promise, ledger: tuple[Wait, ...], at: datetime) -> Outcome:
        """The clock as it stood when the ticket was cancelled."""
        found = judge(promise.course, ledger, None, min(at, self.now))
        return found._replace(state=State.CANCELLED, next_change_at=None)

    def start(self, metric: Metric, until: datetime) -> datetime:
        """The report, or what began the current cycle of updates."""
        begun = self.ticket.reported_at
        if metric is Metric.NEXT_UPDATE:
            begun = max((begun, *(r.at for r in self.ticket.replies if r.at <= until)))
        restarts = self.policy.on_reopen is Reopening.RESTART
        if self.done and (
            metric is Metric.NEXT_UPDATE or (metric is Metric.RESOLUTION and restarts)
        ):
            ends = [one.end for one in self.done if one.end is not None and one.end <= until]
            begun = max((begun, *ends))
        return begun

    def ledger(self, metric: Metric, promise: Promise) -> tuple[Wait, ...]:
        """The waits; a reopened resolution also leaves out the time it was solved."""
        if promise.target.inherits:
            return ()
        policy = promise.policy
        found = [one for one in self.waits(policy, metric) if one.end != one.start]
        if metric is Metric.RESOLUTION and policy.on_reopen is Reopening.RESUME:
            found += [
                Wait(start=one.start, end=one.end, cause="solved", effect=Effect.PAUSE)
                for one in self.done
                if one.end is not None
            ]
        return tuple(found)

    def waits(self, policy: Policy, metric: Metric) -> Iterator[Wait]:
        for one in waits_of(self.ticket, self.now, policy.zone):
            rule = policy.waiting.get(one.cause)
            effect = rule.effect if rule and metric in (rule.metrics or Metric) else Effect.RUN
            if rule is not None and effect is not Effect.RUN:
                self.rest_on(rule.gaps, policy)
                if one.inferred:
                    self.rest_on([HISTORY_MISSING])
            yield Wait(start=one.start, end=one.end, cause=one.cause, effect=effect)

    def tier(
        self, reached: Sequence[Climb], metrics: Sequence[MetricResult]
    ) -> tuple[int, Tier | None]:
        is_told = not self.exceptions and len(self.terms.policies) == 1
        names = lowering(self.ticket, self.policy) if is_told else None
        turns = set(self.tier_turns(metrics))
        found, rule = reached_tier(self.ticket, self.policy, self.now, self.look, names, turns)
        if rule is not None:
            self.rest_on(rule.gaps)
        climbed = max((one.step.tier for one in reached if one.step.tier), default=0)
        return (climbed, None) if climbed > found else (found, rule)

    def tier_turns(self, metrics: Sequence[MetricResult]) -> Iterator[datetime]:
        """Where a tier may have stood that fell without an event.

        That is when the resolution became at risk, which "overdue" may follow, and the last
        seconds before a stretch of waiting that a field bounds.
        """
        for one in metrics if may_fall_by_itself(self.policy) else ():
            risk = one.outcome.at_risk_at
            is_past = risk is not None and risk <= (one.fulfilled_at or self.now)
            if one.metric is Metric.RESOLUTION and risk is not None and is_past:
                yield risk
        if tells_bounds(self.ticket):
            for wait in waits_of(self.ticket, self.now, self.policy.zone):
                yield from (at - ONE_SECOND for at in (wait.start, wait.end) if at is not None)

    def look(self, at: datetime) -> Look:
        """The case as it stood at an earlier instant."""
        if at == self.now:
            return self
        facts = Facts(ticket=self.ticket, policy=self.policy, at=at)
        state = self.known_state(facts)
        if state is not None:
            return _Earlier(facts=facts, state=state)
        ticket = self.ticket.as_of(at)
        return _Case(ticket=ticket, terms=self.terms, now=at, exceptions=self.exceptions)

    def known_state(self, facts: Facts) -> State | None:
        """The resolution's state at an earlier instant where no whole case is needed to tell it."""
        if self.exceptions or len(self.terms.policies) > 1 or tells_bounds(self.ticket):
            return None
        if self.ticket.value_at(STATUS, facts.at) in DONE:
            solve = self.responses.of(Metric.RESOLUTION)
            is_this = solve is not None and (solve.by, solve.at) == ("solve", facts.at)
            return self.resolution_state() if is_this else None  # kept or missed, it stays so
        until = in_time_until(facts, Metric.RESOLUTION)
        in_time = until is not None and facts.at < until
        return State.RUNNING if in_time and asks_only_for_lateness(self.policy) else None

    def resolution_state(self) -> State | None:
        """The state of the resolution; None where none is promised."""
        if Metric.RESOLUTION not in self.seen:
            found = self.metric(Metric.RESOLUTION)
            self.seen[Metric.RESOLUTION] = found.state if found else None
        return self.seen[Metric.RESOLUTION]

    def climbs(self, metrics: Sequence[MetricResult]) -> Iterator[Climb]:
        """The steps that were reached while their metric and the ticket were open."""
        solved = self.done[-1].start if self.ticket.is_done and self.done else self.now
        for climb, metric in self.all_climbs(metrics):
            if climb.at <= min(metric.fulfilled_at or self.now, solved):
                yield climb

    def all_climbs(self, metrics: Sequence[MetricResult]) -> Iterator[tuple[Climb, MetricResult]]:
        if not self.policy.steps:
            return
        for one in metrics:
            if one.state is State.CANCELLED or one.outcome.due_at is None:
                continue
            course = one.promise.course
            for climb in climbs(self.policy, one.metric, course, one.outcome, self.facts):
                yield climb, one

    def tags(
        self,
        severity: Decision,
        tier: int | None,
        metrics: Sequence[MetricResult],
        duties: Sequence[OpenDuty],
        reached: Sequence[Climb],
    ) -> Iterator[str]:
        if severity.level is not None:
            yield severity_tag(severity.level.id)
        if tier is not None and tier > 1:
            yield f"tier_{tier}"
        if any(one.outcome.excused for one in metrics):
            yield "excused"
        if not self.ticket.values.get(CANCELLED):
            shown = [one for one in metrics if one.state in SHOWN_STATES and one.is_promise]
            yield from (state_tag(one.metric, one.state) for one in shown)
        yield from (one.duty.id for one in duties if one.duty.tag)
        if not self.ticket.is_done:
            yield from self.open_marks(metrics, reached)

    def open_marks(
        self, metrics: Sequence[MetricResult], reached: Sequence[Climb]
    ) -> Iterator[str]:
        """The tags that go at the solve."""
        if any(one.promise.course.commitment is Commitment.BEST_EFFORT for one in metrics):
            yield "best_effort"
        if self.has_error_gap:
            yield "policy_gap"
        for climb in reached:
            yield from climb.step.tags

    def rest_on_metric(self, found: MetricResult) -> None:
        """The gaps that a metric's answer rests on."""
        promise, fulfilled = found.promise, found.fulfilled
        self.rest_on(promise.target.gaps, promise.policy)
        self.rest_on(self.responses.gaps(found.metric))
        if promise.target.start is Start.INFORMATION_COMPLETE and (
            not promise.course.started or promise.course.start > self.ticket.reported_at
        ):
            self.rest_on(promise.policy.information.gaps, promise.policy)
        if fulfilled is not None and fulfilled.reply and not fulfilled.reply.exact:
            self.gaps.setdefault(MINUTE_PRECISION)
        names = {promise.clock}
        if promise.target.regime is not None:
            names.add(promise.target.regime.calendar)
        for name in names:
            self.rest_on(promise.policy.calendar_gaps.get(name, ()), promise.policy)
        if names & promise.policy.zoneless:
            self.gaps.setdefault(f"time zone assumed: {self.policy.zone_name}")
            self.has_error_gap |= not self.policy.zone_is_decided

    def answer(
        self, tags: set[str], metrics: tuple[MetricResult, ...] = (), **parts: Any
    ) -> Evaluation:
        dues = [one.outcome.due_at for one in metrics if one.is_open and one.outcome.due_at]
        climbs = () if self.ticket.is_done else parts.get("climbs", ())
        groups = [one.step.group for one in climbs if one.step.group]
        cancelled = self.ticket.values.get(CANCELLED)
        return Evaluation(
            ticket=self.ticket,
            policy=self.policy,
            terms=self.terms,
            at=self.now,
            state=State.CANCELLED if cancelled else _worst(metrics),
            metrics=metrics,
            group=groups[-1] if groups else None,
            tags=tuple(sorted(self.policy.prefix + tag for tag in tags)),
            next_due_at=min((due for due in dues if due > self.now), default=None),
            gaps=tuple(self.gaps),
            next_change_at=self.next_change(metrics),
            **parts,
        )

    def next_change(self, metrics: Sequence[MetricResult]) -> datetime | None:
        """What is certain to change the answer though nothing happens."""
        certain = (one.outcome.next_change_at for one in metrics)
        return min((at for at in certain if at is not None), default=None)

    def next_turn(self, found: Evaluation) -> datetime | None:
        """The first instant before that which may change the answer, and does."""
        for at in sorted(self.turns(found.metrics)):
            if found.next_change_at is not None and at >= found.next_change_at:
                break
            case = _Case(ticket=self.ticket, terms=self.terms, now=at, exceptions=self.exceptions)
            if _read(case.reading()) != _read(found):
                return at
        return None

    def turns(self, metrics: Sequence[MetricResult]) -> set[datetime]:
        """Later instants that a field, a duty, an exception or a step names."""
        found = {one.written_at for one in self.exceptions if one.written_at > self.now}
        found |= boundaries(self.ticket, self.now, self.policy.zone)
        found |= self.responses.turns()
        if any(duty.after_response for duty in self.policy.duties):
            responded = self.responses.first_response()
            found |= set(turns(self.policy, responded.at if responded else None))
        if not self.ticket.is_done:
            found |= {climb.at for climb, one in self.all_climbs(metrics) if one.is_open}
        return {at for at in found if at > self.now}


@dataclass(kw_only=True, slots=True)
class _Earlier:
    """An earlier instant of which the state is known; that spares a whole case."""

    facts: Facts
    state: State

    def resolution_state(self) -> State:
        """The state of the resolution."""
        return self.state


def _worst(metrics: Sequence[MetricResult]) -> State | None:
    return min((one.state for one in metrics), key=WORST_FIRST.index, default=None)


def _read(found: Evaluation) -> tuple[object, ...]:
    """What makes an answer a different one."""
    metrics = tuple((one.metric, one.state, one.outcome.due_at) for one in found.metrics)
    notified = tuple((one.step.id, one.metric) for one in found.climbs if one.step.notify)
    return found.state, found.tags, found.tier, metrics, found.exemption, found.group, notified
