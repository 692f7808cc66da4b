"""Notes: a private note is to stand in a ticket, once, when a target is at risk or is missed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from connector.engine import accounts, evidence, schedule
from connector.engine.context import Account
from connector.store.database import insert, now
from connector.store.tables import note, ticket
from mappings.answer import as_record
from mappings.clock import State
from mappings.evaluate import Evaluation, MetricResult
from mappings.policy import Effect

DUE = "due"
SENDING = "sending"
WRITTEN = "written"
WITHHELD = "withheld"
GIVEN_UP = "given_up"

AT_RISK = "at_risk"
BREACHED = "breached"
_CAUSES = {State.AT_RISK: AT_RISK, State.BREACHED: BREACHED, State.OVERDUE: BREACHED}

NOTED = "noted"  #: kinds of the lines in the record
NOT_NOTED = "note_given_up"
# what began before that is no news; deskclock may have been down over a long weekend
NEWS_SECONDS = 7 * 86_400.0
# a note is looked for among what was written since its clock started, by clocks that may differ
SLACK_SECONDS = 600.0
SAID = ("promise", "inherited", "exception", "stands")  # codes of the lines that a note repeats
IN_SHADOW = "the account is in shadow mode"

_Key = tuple[str, str, str, float]  # ticket, metric, cause, start of the metric's clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A note that is to be written, or looked for, now. Instants are epoch seconds."""

    row: int
    ticket_id: str
    metric: str
    cause: str
    #: due, or sending when a try has begun and nobody knows how it ended
    state: str
    #: stands in this note and in no other
    marker: str
    body: str
    #: tries begun
    attempts: int
    #: when the latest of them began; None: there was none
    sending_at: float | None
    created_at: float
    #: it cannot have been written before, by the helpdesk's clock
    since: datetime
    last_error: str | None
    #: the database's clock when it was taken up
    at: float

    @property
    def age(self) -> float:
        """Seconds since it was stored."""
        return self.at - self.created_at

    @property
    def sent_ago(self) -> float:
        """Seconds since the latest try began; endless where there was none."""
        return float("inf") if self.sending_at is None else self.at - self.sending_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Later:
    """When a note is taken up again, and what is known of it until then."""

    seconds: float
    #: why it was not written; None: nothing has failed
    why: str | None
    #: tries begun that count
    attempts: int
    #: the try that has begun certainly did nothing
    undone: bool = False


def take_down(conn: Connection, account: Account, evaluations: Sequence[Evaluation]) -> None:
    """Store a note for every target that is at risk or missed now and was not before.

    To be called before the answers themselves are stored: they tell what was before. A note is due
    once for each cycle of its metric's clock. One that no try has begun for is taken back when its
    cause is over.
    """
    if not account.notes or not evaluations:
        return
    ids = [one.ticket.id for one in evaluations]
    known = _known(conn, account.name, ids)
    holding = {key: (found, one) for found in evaluations for key, one in _holding(account, found)}
    over = [row.id for key, row in known.items() if _is_untried(row) and key not in holding]
    if over:
        conn.execute(delete(note).where(note.c.id.in_(sorted(over))))
    new = sorted(key for key in holding if key not in known)
    before = _answers_of(conn, account.name, sorted({key[0] for key in new})) if new else {}
    for key in new:
        found, one = holding[key]
        if not _held_before(before.get(key[0]), key, one) and not _is_old(found, one):
            _insert(conn, account, found, key)


def _known(conn: Connection, account: str, ids: Sequence[str]) -> dict[_Key, Any]:
    columns = note.c
    query = select(
        columns.id, columns.ticket_id, columns.metric, columns.cause, columns.started_at,
        columns.state, columns.sending_at,
    ).where(columns.account == account, columns.ticket_id.in_(list(ids)))  # fmt: skip
    return {
        (row.ticket_id, row.metric, row.cause, row.started_at): row for row in conn.execute(query)
    }


def _is_untried(row: Any) -> bool:
    return bool(row.state == DUE and row.sending_at is None)


def _holding(account: Account, found: Evaluation) -> Iterator[tuple[_Key, MetricResult]]:
    """What there is to say of a ticket, while somebody can still do something about it."""
    for one in found.metrics if not found.ticket.is_done else ():
        cause = _CAUSES.get(one.state)
        if (
            cause is not None
            and (cause, one.metric.value) in account.notes
            and one.is_open
            and one.is_promise
            and one.outcome.excused is None
        ):
            started = one.promise.course.start.timestamp()
            yield (found.ticket.id, one.metric.value, cause, started), one


def _answers_of(conn: Connection, account: str, ids: Sequence[str]) -> dict[str, Any]:
    query = select(ticket.c.ticket_id, ticket.c.evaluation, ticket.c.evaluated_at).where(
        ticket.c.account == account, ticket.c.ticket_id.in_(list(ids))
    )
    return {row.ticket_id: row for row in conn.execute(query)}


def _held_before(row: Any, key: _Key, now_is: MetricResult) -> bool:
    """Whether it was so at the look before this one, so that nothing has happened since."""
    answer = row.evaluation if row is not None else None
    if answer is None:
        return False
    _, metric, cause, started = key
    for one in answer["metrics"]:
        same = (one["metric"], _CAUSES.get(State(one["state"])), one["excused"])
        if same != (metric, cause, None) or _seconds(one["started_at"]) != started:
            continue
        if row.evaluated_at is not None and _seconds(answer["at"]) <= row.evaluated_at:
            return True
        # the watch has judged the ticket since, and tells nobody: then its instants decide
        began = one["at_risk_at"] if cause == AT_RISK else one["breached_at"]
        ended_excuse = any(wait.effect is Effect.EXCUSE for wait in now_is.ledger)
        return not ended_excuse and _seconds(began) <= (row.evaluated_at or 0.0)
    return False


def holds(conn: Connection, account: str, one: Note) -> bool:
    """Whether what a note tells of is still so, by the latest answer."""
    query = select(ticket.c.evaluation, ticket.c.is_over).where(
        ticket.c.account == account, ticket.c.ticket_id == one.ticket_id
    )
    row = conn.execute(query).first()
    if row is None or row.evaluation is None or row.is_over:
        return False
    return any(
        (found["metric"], _CAUSES.get(State(found["state"]))) == (one.metric, one.cause)
        and found["fulfilled_at"] is None
        and found["excused"] is None
        for found in row.evaluation["metrics"]
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _is_old(found: Evaluation, one: MetricResult) -> bool:
    outcome = one.outcome
    began = outcome.at_risk_at if one.state is State.AT_RISK else outcome.breached_at
    return began is not None and (found.at - began).total_seconds() > NEWS_SECONDS


def _insert(conn: Connection, account: Account, found: Evaluation, key: _Key) -> None:
    ticket_id, metric, cause, started = key
    marker = marker_of(account.name, key)
    row = insert(conn, note).values(
        account=account.name,
        ticket_id=ticket_id,
        metric=metric,
        cause=cause,
        started_at=started,
        state=DUE if account.writes else WITHHELD,
        marker=marker,
        body=_body(found, metric, marker),
        last_error=None if account.writes else IN_SHADOW,
        created_at=now(conn),
    )
    conn.execute(row.on_conflict_do_nothing())


def marker_of(account: str, key: _Key) -> str:
    """The same for the same cause, however often it is computed and by whom."""
    return hashlib.sha256("\n".join((account, *map(str, key))).encode()).hexdigest()[:32]


def _body(found: Evaluation, metric: str, marker: str) -> str:
    """What is written: the explanation's lines about the metric. It holds no text of the ticket."""
    record = as_record(found)
    about = [
        one
        for one in record["explanation"]
        if one["code"] in SAID and one["values"].get("metric") == metric
    ]
    told = evidence.explained({**record, "explanation": about}, found.policy.zone)
    told.sort(key=lambda one: one["code"] != "stands")
    policy = f"Policy {found.policy.id}; times are in {found.policy.zone_name}."
    text = " ".join([*(str(one["text"]) for one in told), policy])
    return f"{text}\n[deskclock {marker}]"


def due(conn: Connection, account: str) -> Note | None:
    """The note that is to be written, or looked for, next; None while there is none.

    What was missed goes first, and then what has waited longest.
    """
    at, columns = now(conn), note.c
    row = conn.execute(
        select(note)
        .where(columns.account == account, schedule.note_is_due(at))
        .order_by(columns.cause.desc(), columns.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    stored = row.created_at + accounts.clock_offset(conn, account)
    return Note(
        row=row.id,
        ticket_id=row.ticket_id,
        metric=row.metric,
        cause=row.cause,
        state=row.state,
        marker=row.marker,
        body=row.body,
        attempts=row.attempts,
        sending_at=row.sending_at,
        created_at=row.created_at,
        since=datetime.fromtimestamp(min(row.started_at, stored) - SLACK_SECONDS, UTC),
        last_error=row.last_error,
        at=at,
    )


def begin(conn: Connection, one: Note, look_after: float) -> bool:
    """Note down that a note is about to be sent; False when somebody has taken it back.

    Whoever finds that and no outcome looks for the note, `look_after` seconds from now or later.
    """
    columns, at = note.c, now(conn)
    began = conn.execute(
        update(note)
        .where(columns.id == one.row, columns.state == one.state)
        .values(state=SENDING, sending_at=at, attempts=one.attempts + 1, not_before=at + look_after)
    )
    return began.rowcount > 0


def wait(conn: Connection, one: Note, later: Later) -> None:
    """Leave a note alone for a while."""
    values: dict[str, Any] = {
        "not_before": now(conn) + later.seconds,
        "last_error": later.why,
        "attempts": later.attempts,
    }
    if later.undone:
        values |= {"state": one.state, "sending_at": one.sending_at}
    conn.execute(update(note).where(note.c.id == one.row).values(**values))


def all_wait(conn: Connection, account: str, seconds: float) -> None:
    """Leave all notes of an account alone for so long, those that wait longer excepted."""
    columns, until = note.c, now(conn) + seconds
    conn.execute(
        update(note)
        .where(
            columns.account == account,
            columns.state.in_((DUE, SENDING)),
            columns.not_before < until,
        )
        .values(not_before=until)
    )


def written(conn: Connection, account: str, one: Note) -> None:
    """The note stands in the ticket."""
    _end(conn, one, WRITTEN, None, written_at=now(conn))
    line = {"metric": one.metric, "cause": one.cause, "marker": one.marker}
    evidence.record(conn, account, one.ticket_id, NOTED, line)


def withhold(conn: Connection, one: Note, why: str) -> None:
    """The note is not to be written any more."""
    _end(conn, one, WITHHELD, why)


def give_up(conn: Connection, account: str, one: Note, why: str) -> None:
    """The note cannot be written."""
    _end(conn, one, GIVEN_UP, why)
    line = {"metric": one.metric, "cause": one.cause, "marker": one.marker, "why": why}
    evidence.record(conn, account, one.ticket_id, NOT_NOTED, line)


def _end(conn: Connection, one: Note, state: str, why: str | None, **more: Any) -> None:
    values = {"state": state, "last_error": why, **more}
    conn.execute(update(note).where(note.c.id == one.row).values(**values))
