"""Notices: somebody is to be told, once, that a ticket has reached a step of a ladder."""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from connector.engine import evidence
from connector.engine.context import Account
from connector.store.database import now
from connector.store.tables import notice
from mappings.answer import as_record
from mappings.escalation import Climb
from mappings.evaluate import Evaluation, MetricResult
from mappings.explain import utc

DUE = "due"
SENT = "sent"
WITHHELD = "withheld"
GIVEN_UP = "given_up"

NOTICED = "noticed"  #: kind of the line in the record
TYPE = "escalation.step"
# a step that was reached before that is no news; deskclock may have been down over a long weekend
NEWS_SECONDS = 7 * 86_400.0
# what is over already is told only to those who would have been told a moment ago
NEWS_OF_THE_FULFILLED_SECONDS = 3_600.0
# lines of the explanation that are about the ticket as a whole and hold no text of it
GENERAL = frozenset({"severity", "tier", "contract", "plan"})

_Key = tuple[str, str, float]  # step, metric, start of the metric's clock


def take_down(conn: Connection, account: Account, evaluation: Evaluation) -> None:
    """Store a notice for every step that is reached now and was not before.

    A step is told once for each cycle of its metric's clock. It is told again only where it had
    ceased to be reached in between, since the due was moved, and is reached at a new instant.
    """
    if not any(step.notify for step in evaluation.policy.steps):
        return
    known = _known(conn, account.name, evaluation.ticket.id)
    reached = {key: climb for key, climb in _reached(evaluation)}
    for key, climb in reached.items():
        rows = known.get(key, [])
        if any(row.stands for row in rows):
            continue
        told = next((row for row in rows if row.reached_at == climb.at.timestamp()), None)
        if told is not None:
            _mark(conn, told.id, stands=True)
        else:
            _insert(conn, account, evaluation, key, climb)
    for row in _ceased(known, reached, evaluation):
        _mark(conn, row.id, stands=False)


def _known(conn: Connection, account: str, ticket_id: str) -> dict[_Key, list[Any]]:
    columns, found = notice.c, dict[_Key, list[Any]]()
    query = select(
        columns.id, columns.step, columns.metric, columns.started_at, columns.reached_at,
        columns.stands,
    ).where(columns.account == account, columns.ticket_id == ticket_id)  # fmt: skip
    for row in conn.execute(query):
        found.setdefault((row.step, row.metric, row.started_at), []).append(row)
    return found


def _reached(evaluation: Evaluation) -> Iterator[tuple[_Key, Climb]]:
    for climb in evaluation.climbs:
        result = evaluation.metric(climb.metric)
        if climb.step.notify and result is not None:
            started = result.promise.course.start.timestamp()
            yield (climb.step.id, climb.metric.value, started), climb


def _ceased(
    known: dict[_Key, list[Any]], reached: dict[_Key, Climb], evaluation: Evaluation
) -> Iterator[Any]:
    """What is no longer reached. While a clock is paused nothing is known of its steps."""
    running = {
        (one.metric.value, one.promise.course.start.timestamp())
        for one in evaluation.metrics
        if one.outcome.due_at is not None
    }
    for key, rows in known.items():
        if key not in reached and key[1:] in running:
            yield from (row for row in rows if row.stands)


def _mark(conn: Connection, row: int, *, stands: bool) -> None:
    conn.execute(update(notice).where(notice.c.id == row).values(stands=stands))


def _insert(
    conn: Connection, account: Account, evaluation: Evaluation, key: _Key, climb: Climb
) -> None:
    result = evaluation.metric(climb.metric)
    if result is None:
        return
    why = _why_withheld(account, evaluation, result, climb)
    state = WITHHELD if why else DUE
    conn.execute(
        insert(notice).values(
            account=account.name,
            ticket_id=evaluation.ticket.id,
            step=key[0],
            metric=key[1],
            started_at=key[2],
            reached_at=climb.at.timestamp(),
            stands=True,
            state=state,
            message_id=f"msg_{uuid.uuid4().hex}",
            body=json.dumps(_message(account, evaluation, result, climb), ensure_ascii=False),
            last_error=why,
            created_at=now(conn),
        )
    )
    line = {"step": key[0], "metric": key[1], "reached_at": utc(climb.at), "state": state}
    evidence.record(conn, account.name, evaluation.ticket.id, NOTICED, line | {"why": why})


def _why_withheld(
    account: Account, evaluation: Evaluation, result: MetricResult, climb: Climb
) -> str | None:
    """Why nobody is told, though the step is on record; None where somebody is."""
    if not account.writes:
        return "the account is in shadow mode"
    if not account.notifies:
        return "no receiver is configured"
    age = (evaluation.at - climb.at).total_seconds()
    if age > NEWS_SECONDS:
        return "it was reached too long ago when deskclock saw the ticket"
    if result.fulfilled is not None and age > NEWS_OF_THE_FULFILLED_SECONDS:
        return "the metric was fulfilled long before deskclock saw it"
    return None


def _message(
    account: Account, evaluation: Evaluation, result: MetricResult, climb: Climb
) -> dict[str, Any]:
    """What is sent. It holds no text of the ticket."""
    record = as_record(evaluation)
    return {
        "type": TYPE,
        "timestamp": utc(climb.at),
        "data": {
            "account": account.name,
            "helpdesk": account.kind,
            "ticket_id": evaluation.ticket.id,
            "step": climb.step.id,
            "metric": climb.metric.value,
            "state": result.state.value,
            "reached_at": utc(climb.at),
            "due_at": _instant(result.outcome.due_at),
            "policy": record["policy"],
            "severity": record["severity"]["id"] if record["severity"] else None,
            "tier": evaluation.tier,
            "group": climb.step.group or evaluation.group,
            "reasons": _reasons(record, evaluation, climb),
        },
    }


def _reasons(record: dict[str, Any], evaluation: Evaluation, climb: Climb) -> Sequence[str]:
    lines = [
        one
        for one in record["explanation"]
        if one["code"] in GENERAL or one["values"].get("metric") == climb.metric.value
    ]
    told = evidence.explained({**record, "explanation": lines}, evaluation.policy.zone)
    return [str(one["text"]) for one in told]


def _instant(at: datetime | None) -> str | None:
    return utc(at) if at is not None else None
