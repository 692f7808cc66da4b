"""The record: what was decided and done for a ticket, a line each, and how it stands now."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from sqlalchemy import Connection, insert, select, update

from connector.store.database import insert as upsert
from connector.store.database import now
from connector.store.tables import evidence, history, ticket
from mappings.answer import as_record, told
from mappings.clock import State
from mappings.evaluate import Evaluation
from mappings.ticket import DONE

EVALUATED = "evaluated"
WRITTEN = "written"
CONFLICT = "conflict"
FAILED = "failed"
PARKED = "parked"
GONE = "gone"
MISSED = "missed"  #: a change that the sync found and no webhook told
CONCEDED = "conceded"
OVERWRITTEN = "overwritten"  #: something else has replaced what we wrote
BLOCKED = "write_blocked"

AS_WRITTEN = "as_written"  #: code of the lines that say what stands otherwise in the helpdesk

# what makes an answer a new one; `at` and the wording of the explanation do not
ANSWER = ("policy", "severity", "class", "tier", "state", "metrics", "tags", "gaps")


def record(conn: Connection, account: str, ticket_id: str, kind: str, body: Any) -> None:
    """Add a line to the record."""
    conn.execute(
        insert(evidence).values(
            account=account, ticket_id=ticket_id, at=now(conn), kind=kind, body=body
        )
    )


def keep_evaluation(
    conn: Connection, account: str, evaluation: Evaluation, remarks: Sequence[str] | None
) -> bool:
    """Store the answer in codes and figures, and record it if it differs from the one before.

    Returns whether it differs.

    `remarks` are what the helpdesk had to have otherwise in this write. None: nothing is written,
    so that those of the last write hold on while the answer does.
    """
    ticket_id, answer = evaluation.ticket.id, as_record(evaluation)
    where = (ticket.c.account == account, ticket.c.ticket_id == ticket_id)
    before = conn.scalar(select(ticket.c.evaluation).where(*where))
    is_new = before is None or any(before.get(name) != answer[name] for name in ANSWER)
    if is_new:
        record(conn, account, ticket_id, EVALUATED, {name: answer[name] for name in ANSWER})
    if remarks is not None:
        answer["explanation"] += [_as_written(text) for text in remarks]
    elif before is not None and not is_new:
        answer["explanation"] += [one for one in before["explanation"] if one["code"] == AS_WRITTEN]
    level = evaluation.severity.level if evaluation.severity else None
    due = evaluation.next_due_at
    conn.execute(
        update(ticket)
        .where(*where)
        .values(
            evaluation=answer,
            evaluated_at=evaluation.at.timestamp(),
            state=answer["state"],
            severity=level.id if level else None,
            next_due_at=due.timestamp() if due else None,
            is_over=_is_over(evaluation),
        )
    )
    return is_new


def _is_over(evaluation: Evaluation) -> bool:
    return evaluation.ticket.status in DONE or evaluation.state is State.CANCELLED


def explained(record: Mapping[str, Any], zone: tzinfo) -> list[dict[str, Any]]:
    """The explanation of a stored answer in sentences, with instants in `zone`.

    Lines that a helpdesk gave in words, and those of the first releases, stand as they are.
    """
    lines: list[dict[str, Any]] = record["explanation"]
    coded = [one for one in lines if "text" not in one]
    sentences = told({**record, "explanation": coded}, zone) if coded else []
    return [*sentences, *(one for one in lines if "text" in one)]


def _as_written(text: str) -> dict[str, Any]:
    return {"code": AS_WRITTEN, "text": text, "source": None}


def keep_history(conn: Connection, account: str, ticket_id: str, body: Any) -> None:
    """Store the journal of a ticket."""
    row = upsert(conn, history).values(account=account, ticket_id=ticket_id, body=body)
    conn.execute(
        row.on_conflict_do_update(
            index_elements=["account", "ticket_id"], set_={"body": row.excluded.body}
        )
    )
