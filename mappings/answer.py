"""The forms in which an evaluation leaves: the JSON of interfaces.md and one line for a field."""

from collections.abc import Iterator
from datetime import datetime
from textwrap import shorten
from typing import Any

from mappings.clock import State
from mappings.evaluate import Evaluation, MetricResult
from mappings.explain import moment, named, text, utc
from mappings.policy import Metric
from mappings.severity import SEVERITY

LINE_LIMIT = 250  # characters; the shortest limit that a vendor's one-line text field may have


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as interfaces.md shows it; names are only ever added."""
    severity = evaluation.severity
    level = severity.level if severity else None
    return {
        "ticket_id": evaluation.ticket.id,
        "policy": {"id": evaluation.policy.id, "version": evaluation.policy.version},
        "at": utc(evaluation.at),
        "severity": {"id": level.id, "by": severity.by} if severity and level else None,
        "entitlement": None,
        "class": evaluation.ticket.ticket_class.value,
        "channel": evaluation.ticket.channel.value,
        "tier": evaluation.tier,
        "state": evaluation.state.value if evaluation.state else None,
        "metrics": [_metric(one) for one in evaluation.metrics],
        "tags": list(evaluation.tags),
        "next_due_at": _instant(evaluation.next_due_at),
        "next_change_at": _instant(evaluation.next_change_at),
        "gaps": list(evaluation.gaps),
        "explanation": list(_explanation(evaluation)),
    }


def one_line(evaluation: Evaluation) -> str:
    """The answer in one line. It changes only when the answer does: no relative times."""
    if not evaluation.metrics:
        exempt = next((r for r in evaluation.reasons if r.code == "exempt"), None)
        why = text(exempt, evaluation.policy.zone) if exempt else "No service level applies."
        return shorten(f"{evaluation.policy.id}: {why}", LINE_LIMIT, placeholder=" …")
    level = evaluation.severity.level if evaluation.severity else None
    parts = [_brief(one, evaluation) for one in evaluation.metrics]
    head = f"{level.name}: " if level else ""
    tail = f"({evaluation.policy.zone_name}, {evaluation.policy.id})"
    return shorten(f"{head}{'; '.join(parts)} {tail}", LINE_LIMIT, placeholder=" …")


def _brief(result: MetricResult, evaluation: Evaluation) -> str:
    name, state = named(result.metric), named(result.state)
    due, zone = result.outcome.due_at, evaluation.policy.zone
    if result.state in (State.MET, State.CANCELLED) or due is None:
        return f"{name} {state}"
    shown = "" if result.state is State.RUNNING else f"{state}, "
    amount, governed_by = result.promise.amount, result.promise.governed_by
    by_severity = governed_by.startswith(f"{SEVERITY} ")  # the line begins with the severity
    why = ", ".join(str(one) for one in (amount, None if by_severity else governed_by) if one)
    return f"{name} {shown}due {moment(due, zone)} ({why})"


def _metric(result: MetricResult) -> dict[str, Any]:
    outcome, course = result.outcome, result.promise.course
    return {
        "metric": Metric(result.metric).value,
        "state": result.state.value,
        "commitment": course.commitment.value,
        "clock": result.promise.clock,
        "started_at": utc(course.start),
        "aim_at": _instant(outcome.aim_at),
        "at_risk_at": _instant(outcome.at_risk_at),
        "due_at": _instant(outcome.due_at),
        "strict": course.strict,
        "fulfilled_at": _instant(result.fulfilled_at),
        "breached_at": _instant(outcome.breached_at),
        "excused": outcome.excused,
        "paused": [[utc(start), _instant(end)] for start, end in outcome.paused],
        "governed_by": result.promise.governed_by,
    }


def _explanation(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    for reason in evaluation.reasons:
        sentence = text(reason, evaluation.policy.zone)
        source = f"{evaluation.policy.document}#{reason.source}" if reason.source else None
        yield {"code": reason.code, "text": sentence, "source": source}


def _instant(at: datetime | None) -> str | None:
    return utc(at) if at is not None else None
