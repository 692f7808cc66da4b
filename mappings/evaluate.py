"""evaluate(ticket, policy, now): what was promised, and whether it is kept. The one entrance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mappings.clock import WORST_FIRST, Outcome, State, Wait, judge
from mappings.duties import open_duties
from mappings.escalation import tier as reached_tier
from mappings.explain import Reason
from mappings.policy import Commitment, Effect, Grade, Metric, Policy, Reopening
from mappings.promises import Promise, applicable
from mappings.severity import Decision, Facts
from mappings.tags import SHOWN_STATES, exempt_tag, severity_tag, state_tag
from mappings.ticket import CANCELLED, DONE, MERGED, WAITING, Channel, Stretch, Ticket

HISTORY_MISSING = "history_missing"
MINUTE_PRECISION = "minute_precision"


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricResult:
    """One metric of one ticket at one instant."""

    metric: Metric
    promise: Promise
    outcome: Outcome
    fulfilled_at: datetime | None
    others: tuple[Promise, ...] = ()

    @property
    def state(self) -> State:
        """The one word that is shown."""
        return self.outcome.state

    @property
    def is_open(self) -> bool:
        """Whether the metric still waits for its fulfilment."""
        return self.fulfilled_at is None and self.state is not State.CANCELLED


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The answer for one ticket under one policy at one instant."""

    ticket: Ticket
    policy: Policy
    at: datetime
    severity: Decision | None
    tier: int | None
    #: the worst metric's word; None without metrics
    state: State | None
    metrics: tuple[MetricResult, ...]
    #: sorted, with the account's prefix
    tags: tuple[str, ...]
    next_due_at: datetime | None
    #: the earliest later instant at which the answer differs though nothing happens
    next_change_at: datetime | None
    gaps: tuple[str, ...]
    reasons: tuple[Reason, ...]

    def metric(self, metric: Metric) -> MetricResult | None:
        """The result for one metric; None where the policy promises nothing."""
        return next((one for one in self.metrics if one.metric is metric), None)


def evaluate(ticket: Ticket, policy: Policy, now: datetime) -> Evaluation:
    """What the policy promises for the ticket, judged at `now` by what had happened until then."""
    now = now.replace(microsecond=0)
    return _Case(ticket=ticket.as_of(now), policy=policy, now=now).evaluation()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fulfilment:
    """The event that ended a metric: a reply, or the solve."""

    at: datetime
    sequence: int


@dataclass(kw_only=True, slots=True)
class _Case:
    """One ticket being judged; collects reasons and gaps on the way."""

    ticket: Ticket
    policy: Policy
    now: datetime
    reasons: list[Reason] = field(default_factory=list)
    gaps: dict[str, None] = field(default_factory=dict)  # a set that keeps its order
    has_error_gap: bool = False
    seen: dict[Metric, State] = field(default_factory=dict)
    facts: Facts = field(init=False)
    #: the stretches during which the ticket was solved; each ends at a reopen
    done: list[Stretch] = field(init=False)
    waits: tuple[Wait, ...] = field(init=False)
    #: None when the ticket lives
    cancelled_at: datetime | None = field(init=False)

    def __post_init__(self) -> None:
        self.facts = Facts(ticket=self.ticket, policy=self.policy, at=self.now)
        self.done = self.ticket.done(self.now)
        self.waits = tuple(self.waiting())
        self.cancelled_at = self.cancellation()
        if self.cancelled_at is not None and self.ticket.values[CANCELLED] == MERGED:
            # a merge closes the ticket, and that is no solution
            self.done = [one for one in self.done if one.start < self.cancelled_at]

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
        self.say("class", value=self.ticket.ticket_class.value)
        exemption = self.exemption()
        if exemption is not None:
            return self.answer(None, None, (), {exempt_tag(exemption)})
        severity = self.severity()
        metrics = tuple(self.metrics())
        tier = self.tier() if self.policy.tiers else None
        return self.answer(severity, tier, metrics, set(self.tags(severity, tier, metrics)))

    def say(self, code: str, source: str | None = None, **values: object) -> None:
        self.reasons.append(Reason(code=code, values=values, source=source))

    def rest_on(self, gaps: Sequence[str]) -> None:
        """The answer rests on these gaps of the policy."""
        for name in gaps:
            gap = self.policy.gaps.get(name)
            self.gaps.setdefault(str(gap) if gap else name)
            self.has_error_gap |= gap is not None and gap.grade is Grade.ERROR

    def exemption(self) -> str | None:
        for one in self.policy.exemptions:
            if one.when.holds(self.facts):
                self.say("exempt", one.source, reason=one.reason, why=str(one.when))
                self.rest_on(one.gaps)
                return one.reason
        return None

    def severity(self) -> Decision:
        found = self.facts.severity()
        if found.ignored:
            self.say("severity_unknown", value=found.ignored)
        if found.level is not None:
            self.say("severity", found.source, level=found.level.name, by=found.by)
            self.rest_on(found.gaps)
        return found

    def metrics(self) -> Iterator[MetricResult]:
        for metric in Metric:
            found = self.metric(metric)
            if found is not None:
                self.explain(found)
                self.seen[metric] = found.state
                yield found

    def metric(self, metric: Metric) -> MetricResult | None:
        if metric is Metric.FIRST_RESPONSE and self.ticket.outbound:
            self.say("outbound")
            return None
        fulfilment = self.fulfilment(metric)
        promises = self.promises(metric, fulfilment)
        if not promises:
            return None
        fulfilled_at = fulfilment.at if fulfilment else None
        if fulfilled_at is None and self.cancelled_at is not None:
            outcome = self.cancelled(promises[0], metric, self.cancelled_at)
        else:
            outcome = judge(promises[0].course, self.ledger(metric), fulfilled_at, self.now)
        return MetricResult(
            metric=metric,
            promise=promises[0],
            outcome=outcome,
            fulfilled_at=fulfilled_at,
            others=tuple(promises[1:]),
        )

    def promises(self, metric: Metric, fulfilment: _Fulfilment | None) -> list[Promise]:
        """An open metric is judged by today's severity, a fulfilled one by that of its end."""
        start = self.start(metric, fulfilment)
        if fulfilment is None:
            found = applicable(self.ticket, self.policy, metric, self.now, start, self.facts)
        else:
            ended = self.ticket.just_before(fulfilment.at, fulfilment.sequence)
            found = applicable(ended, self.policy, metric, fulfilment.at, start)
        if found and not self.is_known(metric, fulfilment, found[0]):
            self.rest_on([HISTORY_MISSING])
        return found

    def is_known(self, metric: Metric, fulfilment: _Fulfilment | None, promise: Promise) -> bool:
        """Whether the history reaches back to what the promise rests on."""
        if fulfilment is not None:
            return self.ticket.is_known(fulfilment.at)
        if metric is Metric.NEXT_UPDATE and promise.amount is not None:
            return self.ticket.is_known(max(promise.course.start, self.ticket.created_at))
        return True

    def cancelled(self, promise: Promise, metric: Metric, at: datetime) -> Outcome:
        """The clock as it stood when the ticket was cancelled."""
        found = judge(promise.course, self.ledger(metric), None, min(at, self.now))
        return replace(found, state=State.CANCELLED, next_change_at=None)

    def start(self, metric: Metric, fulfilment: _Fulfilment | None) -> datetime:
        until = fulfilment.at if fulfilment else self.now
        begun = [self.ticket.reported_at]
        if metric is Metric.NEXT_UPDATE:
            begun += [reply.at for reply in self.ticket.replies if reply.at <= until]
        restarts = self.policy.on_reopen is Reopening.RESTART
        if metric is Metric.NEXT_UPDATE or (metric is Metric.RESOLUTION and restarts):
            begun += [one.end for one in self.done if one.end is not None and one.end <= until]
        return max(begun)

    def fulfilment(self, metric: Metric) -> _Fulfilment | None:
        if metric is Metric.FIRST_RESPONSE:
            return self.first_response()
        if self.done and self.done[-1].end is None:
            return _Fulfilment(at=self.done[-1].start, sequence=self.done[-1].sequence)
        return None

    def first_response(self) -> _Fulfilment | None:
        """The first public reply by a human agent, or the solve where that came first."""
        reply = next(iter(self.ticket.replies), None)
        solve = next(iter(self.done), None)
        if solve is not None and (reply is None or solve.start < reply.at):
            return _Fulfilment(at=solve.start, sequence=solve.sequence)
        return _Fulfilment(at=reply.at, sequence=reply.sequence) if reply else None

    def ledger(self, metric: Metric) -> tuple[Wait, ...]:
        """The waits; a reopened resolution also leaves out the time it was solved."""
        if metric is not Metric.RESOLUTION or self.policy.on_reopen is not Reopening.RESUME:
            return self.waits
        return self.waits + tuple(
            Wait(start=one.start, end=one.end, cause="solved", effect=Effect.PAUSE)
            for one in self.done
            if one.end is not None
        )

    def waiting(self) -> Iterator[Wait]:
        for one in self.ticket.stretches(WAITING, self.now):
            if not one.value:
                continue
            effect = self.policy.waiting.get(one.value, Effect.RUN)
            if one.inferred and effect is not Effect.RUN:
                self.rest_on([HISTORY_MISSING])
            yield Wait(start=one.start, end=one.end, cause=one.value, effect=effect)

    def tier(self) -> int:
        found, rule = reached_tier(self.ticket, self.policy, self.now, self.resolution_state)
        if rule is not None:
            why = " or ".join(str(condition) for condition in rule.any)
            self.say("tier", rule.source, tier=found, why=why)
            self.rest_on(rule.gaps)
        return found

    def resolution_state(self, ticket: Ticket, at: datetime) -> State | None:
        """The resolution's state at an earlier instant."""
        if ticket is self.ticket and at == self.now:
            return self.seen.get(Metric.RESOLUTION)
        found = _Case(ticket=ticket, policy=self.policy, now=at).metric(Metric.RESOLUTION)
        return found.state if found else None

    def tags(
        self, severity: Decision, tier: int | None, metrics: Sequence[MetricResult]
    ) -> Iterator[str]:
        if severity.level is not None:
            yield severity_tag(severity.level.id)
        if tier is not None and tier > 1:
            yield f"tier_{tier}"
        if any(one.outcome.excused for one in metrics):
            yield "excused"
        if not self.ticket.values.get(CANCELLED):
            shown = [one for one in metrics if one.state in SHOWN_STATES]
            yield from (state_tag(one.metric, one.state) for one in shown)
        if self.ticket.status not in DONE:
            yield from self.open_marks(metrics)

    def open_marks(self, metrics: Sequence[MetricResult]) -> Iterator[str]:
        """The tags that go at the solve."""
        for duty, since in open_duties(self.ticket, self.policy, self.now):
            self.say("duty", duty.source, text=duty.text, since=since)
            if duty.tag:
                yield duty.id
        if any(one.promise.course.commitment is Commitment.BEST_EFFORT for one in metrics):
            yield "best_effort"
        if self.has_error_gap:
            yield "policy_gap"

    def explain(self, found: MetricResult) -> None:
        """Say how a date came about, and note what it rests on."""
        promise, metric = found.promise, found.metric.value
        self.say(
            "promise",
            promise.target.source,
            metric=metric,
            amount=promise.amount,
            aim=promise.target.aim,
            governed_by=promise.governed_by,
            clock=promise.clock,
            was_open=promise.was_open,
            start=promise.course.start,
        )
        if not promise.course.schedule.always and promise.course.due_at is not None:
            self.say("counted", metric=metric, course=promise.course)
        for other in found.others:
            self.say(
                "also", other.target.source, metric=metric, governed_by=other.governed_by,
                due=other.course.due_at,
            )  # fmt: skip
        for wait in self.ledger(found.metric):
            self.say(f"wait_{wait.effect}", metric=metric, cause=wait.cause, wait=wait)
        self.say(
            "stands", metric=metric, state=found.state.value, due=found.outcome.due_at,
            aim=found.outcome.aim_at, fulfilled=found.fulfilled_at,
            breached=found.outcome.breached_at, excused=found.outcome.excused,
        )  # fmt: skip
        self.explain_fulfilment(found)
        self.rest_on(promise.target.gaps)
        self.rest_on_zone(promise)

    def explain_fulfilment(self, found: MetricResult) -> None:
        if found.metric is not Metric.FIRST_RESPONSE or found.fulfilled_at is None:
            return
        reply = next((r for r in self.ticket.replies if r.at == found.fulfilled_at), None)
        if reply is None:
            self.say("solved_without_reply", at=found.fulfilled_at)
        elif not reply.exact:
            self.gaps.setdefault(MINUTE_PRECISION)

    def rest_on_zone(self, promise: Promise) -> None:
        names = {promise.clock}
        if promise.target.regime is not None:
            names.add(promise.target.regime.calendar)
        if not names & self.policy.zoneless:
            return
        self.gaps.setdefault(f"time zone assumed: {self.policy.zone_name}")
        self.has_error_gap |= not self.policy.zone_is_decided

    def answer(
        self,
        severity: Decision | None,
        tier: int | None,
        metrics: tuple[MetricResult, ...],
        tags: set[str],
    ) -> Evaluation:
        for remark in self.ticket.remarks:
            self.say(remark.code, about=remark.about, value=remark.value)
        if self.ticket.channel is Channel.OTHER:
            self.say("channel_other")
        cancelled = self.ticket.values.get(CANCELLED)
        if cancelled:
            self.say("cancelled", reason=cancelled)
        dues = [one.outcome.due_at for one in metrics if one.is_open and one.outcome.due_at]
        return Evaluation(
            ticket=self.ticket,
            policy=self.policy,
            at=self.now,
            severity=severity,
            tier=tier,
            state=State.CANCELLED if cancelled else _worst(metrics),
            metrics=metrics,
            tags=tuple(sorted(self.policy.prefix + tag for tag in tags)),
            next_due_at=min((due for due in dues if due > self.now), default=None),
            next_change_at=min(
                (one.outcome.next_change_at for one in metrics if one.outcome.next_change_at),
                default=None,
            ),
            gaps=tuple(self.gaps),
            reasons=tuple(self.reasons),
        )


def _worst(metrics: Sequence[MetricResult]) -> State | None:
    return min((one.state for one in metrics), key=WORST_FIRST.index, default=None)
