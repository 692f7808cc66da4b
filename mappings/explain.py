"""Reasons: codes and figures while stored, sentences to be checked by hand when read."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from mappings.clock import Course, Span, Wait
from mappings.evaluate import Evaluation, MetricResult
from mappings.hours import Schedule
from mappings.policy import Contract, Effect, Metric, Start, Tier
from mappings.sentences import SENTENCES, named
from mappings.severity import Facts
from mappings.ticket import CANCELLED, PRIORITY, Channel

SHOWN_SEGMENTS = 6  # enough to follow a week by hand; more would hide the line that matters
POLICY_LAYER = "policy"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class Reason(NamedTuple):
    """One step of the explanation. Values are text, numbers, instants, and lists of those."""

    code: str
    values: Mapping[str, Any]
    #: heading of the document that the rule comes from; None for what is not in the document
    source: str | None = None
    #: the contract whose document that is; None: the policy's
    contract: str | None = None


def text(reason: Reason, zone: tzinfo) -> str:
    """The sentence for a reason, with its instants in `zone`."""
    sentence = SENTENCES.get(reason.code)
    if sentence is None:  # a remark of a helpdesk that was added later
        return f"{named(reason.code)}: {', '.join(map(str, reason.values.values()))}."
    return sentence(reason.values, zone)


@lru_cache(maxsize=4096)  # each instant of an answer stands in several of its places
def utc(at: datetime) -> str:
    """An instant as it stands in JSON and in fields: YYYY-MM-DDTHH:MM:SSZ."""
    at = at if at.tzinfo is UTC else at.astimezone(UTC)  # nearly all of ours are
    return f"{at.isoformat()[:19]}Z"


def stored(reason: Reason) -> dict[str, Any]:
    """A reason as JSON: code and figures, without words."""
    found = {"code": reason.code, "values": _plain(reason.values), "source": reason.source}
    return {**found, "contract": reason.contract} if reason.contract else found


def restored(body: Mapping[str, Any]) -> Reason:
    """A reason as it was stored."""
    return Reason(
        code=body["code"],
        values=_revived(body["values"]),
        source=body.get("source"),
        contract=body.get("contract"),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _revived(value: Any) -> Any:
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return datetime.fromisoformat(value)
    if isinstance(value, Mapping):
        return {name: _revived(one) for name, one in value.items()}
    return [_revived(one) for one in value] if isinstance(value, list) else value


def reasons(evaluation: Evaluation) -> tuple[Reason, ...]:
    """Every step that led to an evaluation, in the order in which a person would check it."""
    return tuple(_all(evaluation))


def _say(code: str, source: str | None = None, **values: Any) -> Reason:
    return Reason(code, values, source)


def _all(found: Evaluation) -> Iterator[Reason]:
    yield _say("class", value=found.ticket.ticket_class.value)
    if found.exemption is not None:
        rule = found.exemption
        facts = Facts(ticket=found.ticket, policy=found.policy, at=found.at)
        why = ", ".join(f"{named(fact)} {facts(fact)}" for fact in sorted(rule.when.facts()))
        yield _say("exempt", rule.source, reason=rule.reason, why=why)
    else:
        yield from _entitlement(found)
        yield from _severity(found)
        if found.ticket.outbound:
            yield _say("outbound")
        yield from _silence(found)
        for metric in found.metrics:
            yield from _metric(found, metric)
        yield from _escalation(found)
        yield from _duties(found)
    yield from _remarks(found)
    for gap in found.gaps:
        name, _, assumed = gap.partition(": ")
        yield _say("assumption", gap=name, value=assumed or named(name))
    yield _say("zone_data", value=found.policy.zone_data, zone=found.policy.zone_name)


def _entitlement(found: Evaluation) -> Iterator[Reason]:
    terms = found.terms
    if terms.is_default:
        yield _say("plan_default", plans=", ".join(terms.plans))
    elif terms.plans:
        yield _say("plan", plans=", ".join(terms.plans))
    for plan in terms.unknown_plans:
        yield _say("plan_unknown", value=plan)
    if terms.contract is not None:
        one = terms.contract
        days = {"begins": one.begins_at, "ends": one.ends_at}
        yield _say("contract", one.source, id=one.id, **days)._replace(contract=one.id)
    for one in terms.passed_over:
        yield _say("contract_passed_over", id=one.id, begins=one.begins_at, ends=one.ends_at)
    for policy in terms.policies:
        for layer in filter(_says_something, policy.layers):
            line = _say("layer", layer.source, id=layer.id, gives=sorted(layer.gives))
            yield line._replace(contract=layer.id)


def _says_something(layer: Contract) -> bool:
    return bool(layer.gives)


def _severity(found: Evaluation) -> Iterator[Reason]:
    decision = found.severity
    if decision is None:
        return
    for what, value in decision.ignored:
        yield _say("severity_unknown", about=what, value=value)
    if decision.refused is not None:
        value, why = decision.refused
        yield _say("severity_refused", value=value, why=why)
    if decision.level is not None:
        yield _say("severity", decision.source, level=decision.level.name, by=decision.by)
    rank = found.ticket.values.get(PRIORITY)
    if found.policy.shows_priority and rank is not None:
        yield _say("priority", rank=rank, governs="priority" in decision.by)


def _silence(found: Evaluation) -> Iterator[Reason]:
    """Metrics for which the document should name a target and does not."""
    for metric in Metric:
        if metric in found.policy.absent and found.metric(metric) is None:
            yield _say("silent", metric=metric.value)


def _metric(found: Evaluation, one: MetricResult) -> Iterator[Reason]:
    promise, metric = one.promise, one.metric.value
    target, course = promise.target, promise.course
    layer = promise.policy.layer_of(f"targets.{target.metric}")
    line = _say(
        "inherited" if target.inherits else "promise",
        target.source,
        metric=metric,
        amount=str(promise.amount) if promise.amount else None,
        aim=str(target.aim) if target.aim else None,
        under=target.strict,
        commitment=course.commitment.value,
        governed_by=promise.governed_by,
        clock=promise.clock,
        was_open=promise.was_open,
        start=course.start if course.started else None,
        due=course.due_at,
        layer=_layer(one, layer),
    )
    yield line._replace(contract=layer.id) if layer else line
    yield from _start(found, one)
    if one.exception is not None:
        exception = one.exception
        yield _say("exception", metric=metric, reference=exception.reference, until=exception.until)
    yield from _counted(one)
    for other in one.others:
        due = other.course.due_at
        yield _say("also", other.target.source, metric=metric, by=other.governed_by, due=due)
    yield from _waits(one)
    yield _say(
        "stands",
        metric=metric,
        state=one.state.value,
        aim=one.outcome.aim_at,
        at_risk=_at_risk(one),
        share=f"{float(promise.policy.at_risk_at):.0%}",
        due=one.outcome.due_at,
        fulfilled=one.fulfilled_at,
        breached=one.outcome.breached_at,
        excused=one.outcome.excused,
    )
    yield from _fulfilment(one)


def _at_risk(one: MetricResult) -> datetime | None:
    """Worth saying while it is open and no aim says the same."""
    at = one.outcome.at_risk_at
    return at if one.is_open and at != one.outcome.aim_at else None


def _layer(one: MetricResult, layer: Contract | None) -> str:
    clock = one.promise.policy.layer_of(f"calendars.{one.promise.clock}")
    names = [found.id for found in (layer, clock) if found is not None]
    return ", ".join(dict.fromkeys(names)) or POLICY_LAYER


def _start(found: Evaluation, one: MetricResult) -> Iterator[Reason]:
    """Why the clock starts when it does, where that is not the report."""
    promise, metric = one.promise, one.metric.value
    if not promise.course.started and one.fulfilled is not None:
        yield _say("fulfilled_early", metric=metric)
    elif not promise.course.started:
        missing = ", ".join(map(named, found.information_missing))
        yield _say("not_started", promise.policy.information.source, metric=metric, missing=missing)
    elif promise.target.start is Start.INFORMATION_COMPLETE:
        reported = found.ticket.reported_at
        if promise.course.start > reported:
            source = promise.policy.information.source
            yield _say(
                "started_late", source, metric=metric, at=promise.course.start, reported=reported
            )
    if promise.moved_by_change_at is not None:
        mode = promise.policy.on_severity_change.value
        yield _say(f"severity_{mode}", metric=metric, at=promise.moved_by_change_at)


def _counted(one: MetricResult) -> Iterator[Reason]:
    """The stretches of open time that a person adds up to come to the due."""
    promise, course, metric = one.promise, one.promise.course, one.metric.value
    end = one.outcome.due_at or course.due_at
    amount = promise.amount
    if end is None or course.schedule.always:
        return
    if amount is not None and amount.business_days:
        yield _say(
            "business_days",
            metric=metric,
            days=amount.business_days,
            mode=promise.policy.business_day.value,
            start=course.start,
            opening=_opening(course.schedule, course.start),
            due=course.due_at,
        )
    segments = [
        [start, stop, int((stop - start).total_seconds())]
        for start, stop in _open(course.schedule, course, end, one.outcome.paused)
    ]
    yield _say(
        "counted",
        metric=metric,
        segments=segments[:SHOWN_SEGMENTS],
        more=max(len(segments) - SHOWN_SEGMENTS, 0),
        seconds=sum(seconds for _, _, seconds in segments),
    )


def _opening(schedule: Schedule, start: datetime) -> datetime | None:
    """The opening of a business day, where counting begins with it: the close of the day before."""
    begun = schedule.next_open(start)
    midnight = begun.astimezone(schedule.zone).replace(hour=0, minute=0, second=0)
    return None if schedule.between(midnight, begun) else begun


def _open(
    schedule: Schedule, course: Course, end: datetime, paused: Sequence[Span]
) -> Iterator[tuple[datetime, datetime]]:
    """The open stretches from the start to `end` that no pause takes out."""
    start = course.start
    for begins, ends in paused:
        if begins >= end:
            break
        yield from schedule.segments(start, begins)
        start = ends or end
    yield from schedule.segments(start, end)


def _waits(one: MetricResult) -> Iterator[Reason]:
    course = one.promise.course
    for wait in one.ledger:
        yield _say(
            f"wait_{wait.effect}",
            metric=one.metric.value,
            cause=wait.cause,
            start=wait.start,
            end=wait.end,
            seconds=_taken_out(wait, course),
        )
    due, moved = course.due_at, one.outcome.due_at
    if due is not None and moved is not None and due != moved:
        yield _say("moved", metric=one.metric.value, before=due, after=moved)


def _taken_out(wait: Wait, course: Course) -> int | None:
    if wait.effect is Effect.RUN or wait.end is None or wait.end <= course.start:
        return None
    return course.schedule.between(max(wait.start, course.start), wait.end)


def _fulfilment(one: MetricResult) -> Iterator[Reason]:
    fulfilled, metric = one.fulfilled, one.metric.value
    if fulfilled is None:
        return
    if fulfilled.by == "solve":
        if one.metric is Metric.FIRST_RESPONSE:
            yield _say("solved_without_reply", at=fulfilled.at)
    elif fulfilled.by == "call":
        yield _say("fulfilled_by_call", metric=metric, at=fulfilled.at)
    elif fulfilled.by != "reply":
        yield _say("fulfilled_by_field", metric=metric, field=fulfilled.by, at=fulfilled.at)


def _escalation(found: Evaluation) -> Iterator[Reason]:
    rule = found.tier_rule
    if rule is not None:
        yield _say("tier", rule.source, tier=found.tier, why=_why_tier(found, rule))
    for climb in found.climbs:
        step = climb.step
        yield _say(
            "step", step.source, id=step.id, metric=climb.metric.value, at=climb.at,
            group=step.group, tier=step.tier,
        )  # fmt: skip


def _why_tier(found: Evaluation, rule: Tier) -> str:
    """The conditions that hold now; where none does any more, all of them, as one held before."""
    facts = Facts(ticket=found.ticket, policy=found.policy, at=found.at)
    resolution = found.metric(Metric.RESOLUTION)

    def told(name: str) -> str | None:
        if name == Metric.RESOLUTION:
            return resolution.state.value if resolution else None
        return facts(name)

    holding = [str(one) for one in rule.any if one.holds(told)]
    return " or ".join(holding) or f"{' or '.join(map(str, rule.any))}, which held before"


def _duties(found: Evaluation) -> Iterator[Reason]:
    if found.information_missing and not found.ticket.is_done:
        missing = ", ".join(map(named, found.information_missing))
        yield _say("information_missing", found.policy.information.source, missing=missing)
    for one in found.duties:
        missing = ", ".join(map(named, one.missing))
        yield _say("duty", one.duty.source, text=one.duty.text, since=one.since, missing=missing)


def _remarks(found: Evaluation) -> Iterator[Reason]:
    for remark in found.ticket.remarks:
        yield _say(remark.code, about=remark.about, value=remark.value)
    if found.ticket.channel is Channel.OTHER:
        yield _say("channel_other")
    cancelled = found.ticket.values.get(CANCELLED)
    if cancelled:
        yield _say("cancelled", reason=cancelled)
