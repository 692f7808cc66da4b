"""What should stand in a ticket, and the bulk writes that are on their way there."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, delete, insert, select, update

from connector import telemetry
from connector.engine.accounts import Lease
from connector.engine.context import Account
from connector.helpdesks.base import Desired, Plan
from connector.store.database import now
from connector.store.tables import intent, intent_ticket, ticket
from mappings.answer import one_line
from mappings.clock import State
from mappings.evaluate import Evaluation
from mappings.explain import utc
from mappings.policy import Metric

log = structlog.get_logger()

EMPTY_STATES = frozenset({State.MET, State.PAUSED, State.NOT_STARTED, State.CANCELLED})
UNANSWERED_SECONDS = 15.0  # a write whose answer was lost is settled by looking after this
JOB_LOST_SECONDS = 300.0  # a job that never ends is settled by looking after this


def desired(evaluation: Evaluation, account: Account) -> Desired:
    """The values of interfaces.md, "What stands in the ticket", for an evaluation."""
    policy = evaluation.policy
    due = {metric: _due(evaluation, metric) for metric in Metric}
    fields: dict[str, str | None] = {}
    for metric, at in due.items():
        fields[f"{metric}_due_at"] = utc(at) if at else None
        fields[f"{metric}_due_on"] = at.astimezone(policy.zone).date().isoformat() if at else None
    level = evaluation.severity.level if evaluation.severity else None
    option = f"{policy.prefix}f_"
    fields["state"] = f"{option}state_{evaluation.state}" if evaluation.state else None
    fields["tier"] = f"{option}tier_{evaluation.tier}" if evaluation.tier else None
    fields["severity"] = level.name if level else None
    fields["explanation"] = one_line(evaluation)
    fields["group"] = evaluation.group
    return Desired(
        fields=fields,
        tags=frozenset(evaluation.tags),
        own_tags=account.own_tags,
        first_response_due_at=due[Metric.FIRST_RESPONSE],
        resolution_due_at=due[Metric.RESOLUTION],
    )


def _due(evaluation: Evaluation, metric: Metric) -> datetime | None:
    found = evaluation.metric(metric)
    return None if found is None or found.state in EMPTY_STATES else found.outcome.due_at


def fingerprint(wanted: Desired) -> str:
    """A short name for exactly these values."""
    text = json.dumps({"fields": dict(wanted.fields), "tags": sorted(wanted.tags)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One ticket of a bulk write: what was written and how the ticket goes on after it."""

    plan: Plan
    fingerprint: str
    #: when the answer changes by itself, epoch seconds of the helpdesk's clock; None: never
    next_change: float | None
    #: `ticket.wanted` when it was claimed
    wanted: int
    #: the helpdesk's "last updated" of the reading, epoch seconds
    seen_updated_at: float
    #: that change is a missed target
    is_breach: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenIntent:
    """A bulk write without an outcome yet."""

    id: int
    job_id: str | None
    settle_at: float
    created_at: float
    tickets: Mapping[str, Mapping[str, Any]]


def intend(conn: Connection, lease: Lease, sent: Sequence[Sent]) -> int:
    """Store what is about to be written, before it is; returns the intent's id."""
    at = now(conn)
    row = conn.execute(
        insert(intent)
        .values(
            account=lease.account,
            created_at=at,
            settle_at=at + UNANSWERED_SECONDS,
            fence=lease.fence,
        )
        .returning(intent.c.id)
    ).one()
    conn.execute(
        insert(intent_ticket),
        [
            {
                "intent_id": row[0],
                "account": lease.account,
                "ticket_id": one.plan.ticket_id,
                "fingerprint": one.fingerprint,
                "body": _body(one),
            }
            for one in sent
        ],
    )
    ids = sorted(one.plan.ticket_id for one in sent)
    conn.execute(
        update(ticket)
        .where(ticket.c.account == lease.account, ticket.c.ticket_id.in_(ids))
        .values(open_intent=row[0])
    )
    return int(row[0])


def _body(sent: Sent) -> dict[str, Any]:
    return {
        **written(sent.plan, sent.fingerprint),
        "next_change": sent.next_change,
        "wanted": sent.wanted,
        "seen_updated_at": sent.seen_updated_at,
        "is_breach": sent.is_breach,
    }


def written(plan: Plan, mark: str) -> dict[str, Any]:
    """What a plan writes, for the evidence."""
    return {
        "fields": dict(plan.fields),
        "add_tags": sorted(plan.add_tags),
        "remove_tags": sorted(plan.remove_tags),
        "remarks": list(plan.remarks),
        "fingerprint": mark,
    }


def log_written(account: str, ticket_id: str, body: Mapping[str, Any]) -> None:
    """A line in the log for what was written; `body` as `written` gives it."""
    telemetry.WRITTEN.labels(account).inc()
    log.info(
        "written",
        account=account,
        ticket=ticket_id,
        fields=sorted(body["fields"]),
        add_tags=body["add_tags"],
        remove_tags=body["remove_tags"],
    )


def answered(conn: Connection, intent_id: int, job_id: str) -> None:
    """The helpdesk has taken the bulk write as this job."""
    conn.execute(
        update(intent)
        .where(intent.c.id == intent_id)
        .values(job_id=job_id, settle_at=intent.c.created_at + JOB_LOST_SECONDS)
    )


def open_intents(conn: Connection, account: str) -> list[OpenIntent]:
    """The account's bulk writes without an outcome, the oldest first."""
    rows = conn.execute(
        select(intent.c.id, intent.c.job_id, intent.c.settle_at, intent.c.created_at)
        .where(intent.c.account == account)
        .order_by(intent.c.id)
    ).all()
    if not rows:
        return []
    tickets: dict[int, dict[str, Mapping[str, Any]]] = {row[0]: {} for row in rows}
    for intent_id, ticket_id, body in conn.execute(
        select(intent_ticket.c.intent_id, intent_ticket.c.ticket_id, intent_ticket.c.body).where(
            intent_ticket.c.intent_id.in_(list(tickets))
        )
    ):
        tickets[intent_id][ticket_id] = body
    return [
        OpenIntent(id=row[0], job_id=row[1], settle_at=row[2], created_at=row[3],
                   tickets=tickets[row[0]])
        for row in rows
    ]  # fmt: skip


def close(conn: Connection, account: str, intent_id: int, error: str | None = None) -> None:
    """Forget a bulk write; its tickets can be claimed again. `error`: why it has no outcome."""
    conn.execute(
        update(ticket)
        .where(ticket.c.account == account, ticket.c.open_intent == intent_id)
        .values(open_intent=None, last_error=error)
    )
    conn.execute(delete(intent_ticket).where(intent_ticket.c.intent_id == intent_id))
    conn.execute(delete(intent).where(intent.c.id == intent_id))
