"""evaluate(ticket, policy, now): what was promised, and whether it is kept. The one entrance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mappings.clock import WORST_FIRST, Outcome, State, Wait, judge
from mappings.duties import open_duties
from mappings.escalation import tier as reached_tier
from mappings.explain import Reason
from mappings.policy import Commitment, Effect, Grade, Metric, Policy, Reopening
from mappings.promises import Promise, applicable
from mappings.severity import ONE_SECOND, Decision, Facts, decide
from mappings.tags import SHOWN_STATES, exempt_tag, severity_tag, state_tag
from mappings.ticket import CANCELLED, DONE, STATUS, WAITING, Channel, Status, Stretch, Ticket

HISTORY_MISSING = "history_missing"
MINUTE_PRECISION = "minute_precision"
MINUTE = timedelta(seconds=60)


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
        facts = Facts(ticket=self.ticket, policy=self.policy, at=self.now)
        for one in self.policy.exemptions:
            if one.when.holds(facts):
                self.say("exempt", one.source, reason=one.reason, why=str(one.when))
                self.rest_on(one.gaps)
                return one.reason
        return None

    def severity(self) -> Decision:
        found = decide(self.ticket, self.policy, self.now)
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
        fulfilled_at = self.fulfilled_at(metric)
        promises = self.promises(metric, fulfilled_at)
        if not promises:
            return None
        promise, others = promises[0], tuple(promises[1:])
        outcome = judge(promise.course, self.waits(metric), fulfilled_at, self.now)
        if fulfilled_at is None and self.ticket.values.get(CANCELLED):
            outcome = self.cancelled(promise, metric)
        return MetricResult(
            metric=metric,
            promise=promise,
            outcome=outcome,
            fulfilled_at=fulfilled_at,
            others=others,
        )

    def promises(self, metric: Metric, fulfilled_at: datetime | None) -> list[Promise]:
        """An open metric is judged by today's severity, a fulfilled one by that of its end."""
        at = fulfilled_at or self.now
        if metric is Metric.NEXT_UPDATE and fulfilled_at is not None:
            at = fulfilled_at - ONE_SECOND  # the solve itself ends the status that obliged
        if fulfilled_at is not None and not self.ticket.is_known(fulfilled_at):
            self.rest_on([HISTORY_MISSING])
        return applicable(self.ticket, self.policy, metric, at, self.start(metric, fulfilled_at))

    def cancelled(self, promise: Promise, metric: Metric) -> Outcome:
        """The clock as it stood when the ticket was cancelled."""
        changes = self.ticket.changes_of(CANCELLED)
        at = changes[-1].at if changes else self.now
        found = judge(promise.course, self.waits(metric), None, at)
        return Outcome(
            state=State.CANCELLED,
            aim_at=found.aim_at,
            at_risk_at=found.at_risk_at,
            due_at=found.due_at,
            breached_at=found.breached_at,
            excused=found.excused,
            paused=found.paused,
        )

    def start(self, metric: Metric, fulfilled_at: datetime | None) -> datetime:
        until = fulfilled_at or self.now
        if metric is Metric.NEXT_UPDATE:
            replies = [reply.at for reply in self.ticket.replies if reply.at <= until]
            begun = [end for _, end in self.done() if end is not None and end <= until]
            return max([self.ticket.reported_at, *replies[-1:], *begun])
        if metric is Metric.RESOLUTION and self.policy.on_reopen is Reopening.RESTART:
            begun = [end for _, end in self.done() if end is not None]
            return max([self.ticket.reported_at, *begun])
        return self.ticket.reported_at

    def done(self) -> list[tuple[datetime, datetime | None]]:
        """The stretches during which the ticket was solved or closed; the end is the reopen."""
        found: list[tuple[datetime, datetime | None]] = []
        for stretch in self.ticket.stretches(STATUS, self.now):
            if Status(stretch.value or Status.UNKNOWN) not in DONE:
                continue
            if found and found[-1][1] == stretch.start:
                found[-1] = (found[-1][0], stretch.end)
            else:
                found.append((stretch.start, stretch.end))
        return found

    def fulfilled_at(self, metric: Metric) -> datetime | None:
        done = self.done()
        if metric is Metric.FIRST_RESPONSE:
            return self.first_response(done)
        return done[-1][0] if done and done[-1][1] is None else None

    def first_response(self, done: list[tuple[datetime, datetime | None]]) -> datetime | None:
        """The first public reply by a human agent, or the solve where that came first."""
        reply = self.ticket.replies[0] if self.ticket.replies else None
        if done and (reply is None or done[0][0] < reply.at):
            return done[0][0]
        return reply.at if reply else None

    def waits(self, metric: Metric) -> tuple[Wait, ...]:
        """The ledger of waits; a reopened resolution also leaves out the time it was solved."""
        ledger = [
            Wait(
                start=stretch.start,
                end=stretch.end,
                cause=stretch.value,
                effect=self.policy.waiting.get(stretch.value, Effect.RUN),
            )
            for stretch in self.waiting()
            if stretch.value
        ]
        if metric is Metric.RESOLUTION and self.policy.on_reopen is Reopening.RESUME:
            ledger += [
                Wait(start=start, end=end, cause="solved", effect=Effect.PAUSE)
                for start, end in self.done()
                if end is not None
            ]
        return tuple(ledger)

    def waiting(self) -> list[Stretch]:
        return [one for one in self.ticket.stretches(WAITING, self.now) if one.value]

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
        for wait in self.waits(found.metric):
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
            next_change_at=_next_change(metrics, self.now),
            gaps=tuple(self.gaps),
            reasons=tuple(self.reasons),
        )


def _worst(metrics: Sequence[MetricResult]) -> State | None:
    return min((one.state for one in metrics), key=WORST_FIRST.index, default=None)


def _next_change(metrics: Sequence[MetricResult], now: datetime) -> datetime | None:
    """Only the passing of an at-risk instant or of a due changes an answer by itself."""
    candidates = []
    for one in metrics:
        if not one.is_open or one.state is State.PAUSED:
            continue
        outcome, strict = one.outcome, one.promise.course.strict
        if outcome.due_at is not None:
            late_at = outcome.due_at if strict else outcome.due_at + ONE_SECOND
            candidates.append(late_at)
            if outcome.at_risk_at is not None and outcome.at_risk_at < late_at:
                candidates.append(outcome.at_risk_at)
    return min((at for at in candidates if at > now), default=None)
