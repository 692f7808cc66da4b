"""Storing what looks have shown: many tickets in a few statements, under one lease."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete

from connector.engine import accounts, brakes, evidence, notes, notices, schedule, writes
from connector.engine.context import Account
from connector.engine.evidence import Answer
from connector.engine.journal import to_body
from connector.engine.look import Look
from connector.engine.schedule import Ending
from connector.engine.stored_ticket import as_body
from connector.store.chain import Line
from connector.store.database import now
from connector.store.tables import observation

OSCILLATING = (
    "oscillating: its answer went to and fro between two for minutes; something on the helpdesk "
    "changes what the policy rests on whenever we write"
)


def keep(conn: Connection, account: Account, looks: Sequence[Look]) -> list[Look]:
    """Store what looks have shown; returns those whose answer is a new one."""
    ordered, name = _in_order(looks), account.name
    evidence.keep_pasts(conn, name, [_past(one) for one in ordered])
    offset = accounts.clock_offset(conn, name)
    notes.take_down(conn, account, [one.evaluation for one in ordered])
    changed = evidence.keep_answers(conn, name, [_answer(one, offset) for one in ordered])
    new = [one for one in ordered if one.ticket_id in changed]
    evidence.record_all(
        conn,
        name,
        [
            _missed(one.ticket_id, one.found.feed)
            for one in new
            if one.found and one.found.told is False
        ],
    )
    for one in ordered:
        _hold_back(conn, name, one)
        notices.take_down(conn, account, one.evaluation)
    seen = [one.ticket_id for one in new if one.claim.seen_updated_at is not None]
    for ticket_id in brakes.oscillating(conn, name, seen):
        schedule.park(conn, name, ticket_id, OSCILLATING)
        evidence.record(conn, name, ticket_id, evidence.PARKED, OSCILLATING)
    _forget_observations(conn, name, ordered)
    return new


def finish(
    conn: Connection, account: Account, looks: Sequence[Look], *, written: bool
) -> list[Look]:
    """Looks ended well: store them and when the next ones are; those whose answer is new."""
    ordered, name = _in_order(looks), account.name
    new = keep(conn, account, ordered)
    if written:
        evidence.record_all(conn, name, [_written(one) for one in ordered if one.plan is not None])
    at, offset = now(conn), accounts.clock_offset(conn, name)
    endings = [
        Ending(
            ticket_id=one.ticket_id,
            wanted=one.claim.wanted,
            look_at=_look_at(one, at, offset, written),
            is_breach=one.is_breach,
            seen_updated_at=one.reading.updated_at.timestamp(),
            written_fingerprint=one.fingerprint if written else one.claim.written_fingerprint,
        )
        for one in ordered
    ]
    schedule.ended(conn, name, endings)
    return new


def tally_of(looks: Sequence[Look], new: Sequence[Look], *, written: bool) -> None:
    """Count what looks came to, once it is stored; `new` are those with another answer."""
    for one in looks:
        if one.found is None:
            continue
        tally, is_new = one.found.tally, one in new
        tally.changed += is_new
        tally.written += written and one.plan is not None
        tally.missed += is_new and one.found.told is False
        tally.told += one.found.told is True


def _in_order(looks: Sequence[Look]) -> list[Look]:
    """By ticket, so that two transactions cannot wait for each other."""
    return sorted(looks, key=lambda one: one.ticket_id)


def _past(one: Look) -> dict[str, Any]:
    seen = None if evidence.is_over(one.evaluation) else as_body(one.reading.ticket)
    return {"ticket_id": one.ticket_id, "body": to_body(one.past), "ticket": seen}


def _answer(one: Look, offset: float) -> Answer:
    change = one.evaluation.next_change_at
    return Answer(
        evaluation=one.evaluation,
        remarks=one.plan.remarks if one.plan is not None else None,
        timer_at=None if change is None else change.timestamp() - offset,
        requester_id=one.reading.requester_id,
    )


def _missed(ticket_id: str, feed: str) -> Line:
    return Line(ticket_id=ticket_id, kind=evidence.MISSED, body={"feed": feed})


def _written(one: Look) -> Line:
    body = writes.written(one.plan, one.fingerprint) if one.plan is not None else {}
    return Line(ticket_id=one.ticket_id, kind=evidence.WRITTEN, body=body)


def _hold_back(conn: Connection, account: str, one: Look) -> None:
    """Remember what is not written, where that is another thing than before."""
    claim, was_over = one.claim, one.claim.was_over and one.evaluation.ticket.is_done
    held = (claim.write_blocked, dict(claim.conceded), claim.was_over)
    if held != (one.write_blocked, dict(one.conceded), was_over):
        schedule.hold_back(
            conn, account, one.ticket_id, blocked=one.write_blocked, conceded=one.conceded,
            was_over=was_over,
        )  # fmt: skip


def _forget_observations(conn: Connection, account: str, looks: Sequence[Look]) -> None:
    """What deliveries have told is in the journal now; what came meanwhile stays."""
    rows = [{"seen_ticket": one.ticket_id, "newest": one.newest} for one in looks if one.newest]
    columns = observation.c
    if rows:
        conn.execute(
            delete(observation).where(
                and_(
                    columns.account == account,
                    columns.ticket_id == bindparam("seen_ticket"),
                    columns.id <= bindparam("newest"),
                )
            ),
            rows,
        )


def _look_at(one: Look, at: float, offset: float, written: bool) -> float | None:
    """When the answer changes by itself, or sooner if a read must show whether a write stood."""
    change = None if one.next_change is None else one.next_change - offset
    if not written or one.plan is None or one.plan.verify_after is None:
        return change
    verify = at + one.plan.verify_after
    return verify if change is None else min(change, verify)
