"""The record: what was decided and done for a ticket, a line each, and how it stands now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from sqlalchemy import Connection, Double, Text, Update, bindparam, func, select, update

from connector.store.chain import Line, append
from connector.store.database import insert as upsert
from connector.store.tables import history, ticket
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
    append(conn, account, [Line(ticket_id=ticket_id, kind=kind, body=body)])


def record_all(conn: Connection, account: str, lines: Sequence[Line]) -> None:
    """Add lines to the record, in this order."""
    append(conn, account, lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An evaluation that is to be stored, and what is stored beside it."""

    evaluation: Evaluation
    #: what the helpdesk had to have otherwise in this write. None: nothing is written, so that
    #: those of the last write hold on while the answer does
    remarks: Sequence[str] | None
    #: when the answer changes by itself, epoch seconds of the database's clock; None: never
    timer_at: float | None
    #: the ticket was read for it
    is_look: bool = True
    #: the helpdesk's id of the customer; None: not told, so that the one we know stays
    requester_id: str | None = None


def keep_answers(conn: Connection, account: str, answers: Sequence[Answer]) -> frozenset[str]:
    """Store answers in codes and figures, and record those that differ from the ones before.

    Returns the tickets whose answer differs.
    """
    before = _answers_of(conn, account, [one.evaluation.ticket.id for one in answers])
    rows, lines = [], []
    for one in answers:
        ticket_id, new = one.evaluation.ticket.id, as_record(one.evaluation)
        old = before.get(ticket_id)
        is_new = old is None or any(old.get(name) != new[name] for name in ANSWER)
        if is_new:
            body = {name: new[name] for name in ANSWER}
            lines.append(Line(ticket_id=ticket_id, kind=EVALUATED, body=body))
        if one.remarks is not None:
            new["explanation"] += [_as_written(text) for text in one.remarks]
        elif old is not None and not is_new:
            new["explanation"] += [
                said for said in old["explanation"] if said["code"] == AS_WRITTEN
            ]
        rows.append(_row(one, new))
    if rows:
        conn.execute(_store(account), rows)
    append(conn, account, lines)
    return frozenset(line.ticket_id for line in lines)


def _answers_of(conn: Connection, account: str, ids: Sequence[str]) -> dict[str, Any]:
    columns = ticket.c
    query = select(columns.ticket_id, columns.evaluation).where(
        columns.account == account, columns.ticket_id.in_(list(ids))
    )
    return {row.ticket_id: row.evaluation for row in conn.execute(query)}


def _store(account: str) -> Update:
    columns = ticket.c
    return (
        update(ticket)
        .where(columns.account == account, columns.ticket_id == bindparam("of_ticket"))
        .values(
            **{name: bindparam(f"new_{name}") for name in _STORED},
            evaluated_at=func.coalesce(bindparam("looked_at", type_=Double), columns.evaluated_at),
            requester_id=func.coalesce(bindparam("requester", type_=Text), columns.requester_id),
        )
    )


_STORED = (
    "evaluation",
    "state",
    "severity",
    "next_due_at",
    "is_over",
    "timer_at",
)


def is_over(evaluation: Evaluation) -> bool:
    """Whether nothing is promised any more: solved, closed or cancelled."""
    return evaluation.ticket.status in DONE or evaluation.state is State.CANCELLED


def _row(one: Answer, record: Mapping[str, Any]) -> dict[str, Any]:
    found = one.evaluation
    level, due = found.severity.level if found.severity else None, found.next_due_at
    return {
        "of_ticket": found.ticket.id,
        "requester": one.requester_id,
        "new_evaluation": record,
        "looked_at": found.at.timestamp() if one.is_look else None,
        "new_state": record["state"],
        "new_severity": level.id if level else None,
        "new_next_due_at": due.timestamp() if due else None,
        "new_is_over": is_over(found),
        "new_timer_at": one.timer_at,
    }


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


def keep_pasts(conn: Connection, account: str, pasts: Sequence[Mapping[str, Any]]) -> None:
    """Store what is known of tickets: `ticket_id`, its journal as `body`, itself as `ticket`."""
    row = upsert(conn, history)
    values = {"body": row.excluded.body, "ticket": row.excluded.ticket}
    if pasts:
        conn.execute(
            row.on_conflict_do_update(index_elements=["account", "ticket_id"], set_=values),
            [{"account": account, **one} for one in pasts],
        )
