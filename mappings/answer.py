"""The forms in which an evaluation leaves: the JSON of interfaces.md and one line for a field."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from textwrap import shorten
from typing import Any

from mappings.clock import State
from mappings.evaluate import Evaluation, MetricResult
from mappings.explain import Reason, reasons, restored, stored, text, utc
from mappings.policy import Metric
from mappings.sentences import moment, named
from mappings.severity import SEVERITY

LINE_LIMIT = 250  # characters; the shortest limit that a vendor's one-line text field may have


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as interfaces.md shows it; names are only ever added."""
    document, zone = evaluation.policy.document, evaluation.policy.zone
    explanation = [_told(reason, document, zone) for reason in reasons(evaluation)]
    return {**_answer(evaluation), "explanation": explanation}


def as_record(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation for storing: the explanation in codes and figures, without words."""
    return {
        **_answer(evaluation),
        "explanation": [stored(reason) for reason in reasons(evaluation)],
    }


def told(record: Mapping[str, Any], zone: tzinfo) -> list[dict[str, Any]]:
    """The explanation of a record in sentences, with instants in `zone`."""
    document = record["policy"]["document"]
    return [_told(restored(body), document, zone) for body in record["explanation"]]


def _told(reason: Reason, document: str, zone: tzinfo) -> dict[str, Any]:
    document = f"contract {reason.contract}" if reason.contract else document
    source = f"{document}#{reason.source}" if reason.source else None
    return {"code": reason.code, "text": text(reason, zone), "source": source}


def _answer(evaluation: Evaluation) -> dict[str, Any]:
    severity = evaluation.severity
    level = severity.level if severity else None
    return {
        "ticket_id": evaluation.ticket.id,
        "policy": {
            "id": evaluation.policy.id,
            "version": evaluation.policy.version,
            "document": evaluation.policy.document,
        },
        "at": utc(evaluation.at),
        "severity": {"id": level.id, "by": severity.by} if severity and level else None,
        "entitlement": _entitlement(evaluation),
        "class": evaluation.ticket.ticket_class.value,
        "channel": evaluation.ticket.channel.value,
        "tier": evaluation.tier,
        "state": evaluation.state.value if evaluation.state else None,
        "metrics": [_metric(one) for one in evaluation.metrics],
        "tags": list(evaluation.tags),
        "next_due_at": _instant(evaluation.next_due_at),
        "next_change_at": _instant(evaluation.next_change_at),
        "gaps": list(evaluation.gaps),
    }


def _entitlement(evaluation: Evaluation) -> dict[str, Any] | None:
    terms = evaluation.terms
    if not terms.plans and terms.contract is None:
        return None
    return {
        "plan": terms.plans[0] if terms.plans else None,
        "plans": list(terms.plans),
        "contract": terms.contract.id if terms.contract else None,
        "assumed": terms.is_default,
    }


def one_line(evaluation: Evaluation) -> str:
    """The answer in one line. It changes only when the answer does: no relative times."""
    if not evaluation.metrics:
        exempt = next((r for r in reasons(evaluation) if r.code == "exempt"), None)
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


def _instant(at: datetime | None) -> str | None:
    return utc(at) if at is not None else None
