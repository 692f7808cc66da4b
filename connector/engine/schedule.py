"""When a ticket is looked at: claiming what is due, and when to look again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Connection,
    Double,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    update,
)

from connector.engine.rank import Rank
from connector.store.database import insert, now, skip_locked
from connector.store.tables import account as account_table
from connector.store.tables import intent, note, sync, ticket

FIRST_BACKOFF_SECONDS = 2.0
LONGEST_BACKOFF_SECONDS = 300.0
# an answer this long after the second of the last update may rest on a read within that second:
# the call takes up to 10 s, and the helpdesk's clock is known to 2 s
UNSURE_SECONDS = 15.0
SKEW_SECONDS = (
    2.0  # two instants of the helpdesk's clock that lie this close may be either way round
)
PARK_AFTER = 5  # failed looks in a row
SUSPECT_AFTER = 2  # looks begun and never ended: the ticket may be what kills us


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A ticket that is to be looked at now."""

    ticket_id: str
    wanted: int
    #: looks begun since the last that ended well, this one included
    attempts: int
    rank: int
    seen_updated_at: float | None
    written_fingerprint: str | None
    #: when the ticket became due, epoch seconds
    due_since: float
    #: why the look before this one failed
    last_error: str | None
    #: the latest delivery of a webhook about it, epoch seconds; None: none
    hinted_at: float | None = None
    #: when its answer is to change by itself, epoch seconds of our clock; None: never
    timer_at: float | None = None
    #: why no write is tried until the ticket changes
    write_blocked: str | None = None
    #: fields given up until another value is wanted: name -> the value
    conceded: Mapping[str, Any] = field(default_factory=dict)
    #: it was solved when a backfill met it first
    was_over: bool = False

    @property
    def ended(self) -> bool:
        """False when earlier looks began and left no trace of how they ended."""
        return self.attempts <= 1 or self.last_error is not None


def _is_due(at: float) -> Any:
    return and_(
        ticket.c.rank.in_([int(one) for one in Rank]),  # else no planner enters the index by time
        ticket.c.look_at.is_not(None),
        ticket.c.look_at <= at,
        ticket.c.not_before <= at,
        ticket.c.parked.is_(None),
        ticket.c.open_intent.is_(None),
    )


def note_is_due(at: float) -> Any:
    """A note is to be written or looked for; not while its ticket is parked or a job is at it."""
    columns = note.c
    # as literals: with parameters, no planner sees that the index of open notes will do
    states: Any = bindparam(None, ("due", "sending"), expanding=True, literal_execute=True)
    is_free = exists().where(
        ticket.c.account == columns.account,
        ticket.c.ticket_id == columns.ticket_id,
        ticket.c.parked.is_(None),
        ticket.c.open_intent.is_(None),
    )
    return and_(columns.state.in_(states), columns.not_before <= at, is_free)


def accounts_to_drain(conn: Connection, names: Sequence[str]) -> list[str]:
    """The accounts that have something to do, are not held and are drained by nobody."""
    if not names:
        return []
    at = now(conn)
    columns = account_table.c
    due = exists().where(ticket.c.account == columns.name, _is_due(at))
    writing = exists().where(intent.c.account == columns.name)
    following = exists().where(
        sync.c.account == columns.name, sync.c.next_at <= at, sync.c.paused.is_(False)
    )
    noting = exists().where(note.c.account == columns.name, note_is_due(at))
    query = select(columns.name).where(
        columns.name.in_(list(names)),
        columns.held_until <= at,
        or_(columns.lease_holder.is_(None), columns.lease_until <= at),
        or_(due, writing, following, noting),
    )
    return [row[0] for row in conn.execute(query)]


def is_due(conn: Connection, account: str) -> bool:
    """Whether any ticket of the account is to be looked at now."""
    query = select(ticket.c.ticket_id).where(ticket.c.account == account, _is_due(now(conn)))
    return conn.execute(query.limit(1)).first() is not None


def waiting(conn: Connection, account: str) -> tuple[int, float]:
    """How many tickets are due (at most 100 are counted) and for how many seconds the oldest is."""
    at = now(conn)
    rows = (
        select(ticket.c.look_at)
        .where(ticket.c.account == account, _is_due(at))
        .limit(100)
        .subquery()
    )
    count, oldest = conn.execute(select(func.count(), func.min(rows.c.look_at))).one()
    return int(count), at - float(oldest) if oldest is not None else 0.0


def claim(conn: Connection, account: str, size: int, *, background_first: bool) -> list[Claim]:
    """Up to `size` due tickets by rank and then by age; counts the attempt in this transaction."""
    at = now(conn)
    order = (Rank.RETRY, Rank.BACKFILL, Rank.BREACH, Rank.HINT) if background_first else tuple(Rank)
    found: list[Claim] = []
    for rank in order:
        found += _due_of(conn, account, rank, at, size - len(found))
    suspects = [one for one in found if not one.ended and one.attempts >= SUSPECT_AFTER]
    found = suspects[:1] or found
    ids = sorted(one.ticket_id for one in found)
    if ids:
        conn.execute(
            update(ticket)
            .where(ticket.c.account == account, ticket.c.ticket_id.in_(ids))
            .values(attempts=ticket.c.attempts + 1, echo_at=None, last_error=None)
        )
    return found


def admit(
    conn: Connection, account: str, seen: Mapping[str, float], rank: Rank, over: Collection[str],
    age: float,
) -> list[Claim]:  # fmt: skip
    """Claim the tickets that a page shows newer than we know them: id -> "last updated", epoch s.

    `over` are those that were solved before we came, if this is their first sight. `age` are the
    seconds since the page was read: a hint that has come since then asks for more than it shows.

    One that cannot be claimed now, because a write of it is on its way or it waits after a failure,
    is looked at once it can. One that is parked is tried, since it has changed.
    """
    at, columns, ids = now(conn), ticket.c, sorted(seen)
    if not ids:
        return []
    new = [
        {"account": account, "ticket_id": one, "rank": int(rank), "look_at": at, "created": at}
        | {"was_over": one in over}
        for one in ids
    ]
    conn.execute(insert(conn, ticket).on_conflict_do_nothing(), new)
    query = (
        _claims()
        .add_columns(columns.open_intent, columns.not_before)
        .where(
            columns.account == account,
            columns.ticket_id.in_(ids),
            or_(columns.hinted_at.is_(None), columns.hinted_at < at - age),
        )
        .with_for_update(of=ticket)  # a hint that comes now is one that comes after
    )
    rows = [row for row in conn.execute(query) if _is_newer(seen[row.ticket_id], row)]
    free = [row for row in rows if row.open_intent is None and row.not_before <= at]
    changed = [row.ticket_id for row in rows]
    waiting = sorted(set(changed) - {row.ticket_id for row in free})
    where = (columns.account == account, columns.ticket_id.in_(changed))
    sooner = case((columns.look_at < at, columns.look_at), else_=at)
    turn = case((columns.look_at <= at, columns.rank), else_=int(rank))
    if changed:
        conn.execute(update(ticket).where(*where).values(look_at=sooner, rank=turn, parked=None))
    if waiting:
        raised = update(ticket).where(columns.account == account, columns.ticket_id.in_(waiting))
        conn.execute(raised.values(wanted=columns.wanted + 1))
    if free:
        taken = [row.ticket_id for row in free]
        conn.execute(
            update(ticket)
            .where(columns.account == account, columns.ticket_id.in_(taken))
            .values(attempts=columns.attempts + 1, last_error=None)
        )
    return [_claim(row, wanted=row.wanted, attempts=row.attempts + 1) for row in free]


def _is_newer(updated_at: float, row: Row[Any]) -> bool:
    """Whether a ticket may differ from what was judged; "last updated" has whole seconds."""
    if row.evaluated_at is None or row.seen_updated_at is None or row.seen_updated_at < updated_at:
        return True
    return bool(
        row.seen_updated_at == updated_at and row.evaluated_at < updated_at + UNSURE_SECONDS
    )


def _due_of(conn: Connection, account: str, rank: int, at: float, size: int) -> list[Claim]:
    if size <= 0:
        return []
    query = (
        _claims()
        .where(ticket.c.account == account, ticket.c.rank == rank, _is_due(at))
        .order_by(ticket.c.look_at)
        .limit(size)
    )
    return [
        _claim(row, wanted=row.wanted, attempts=row.attempts + 1)
        for row in conn.execute(skip_locked(query))
    ]


def as_claimed(conn: Connection, account: str, ticket_id: str, wanted: int) -> Claim | None:
    """A ticket as it was claimed, with this `wanted`, for a bulk write that has come back."""
    query = _claims().where(ticket.c.account == account, ticket.c.ticket_id == ticket_id)
    row = conn.execute(query).first()
    return _claim(row, wanted=wanted, attempts=row.attempts) if row is not None else None


def _claims() -> Select[Any]:
    columns = ticket.c
    return select(
        columns.ticket_id,
        columns.wanted,
        columns.attempts,
        columns.rank,
        columns.seen_updated_at,
        columns.written_fingerprint,
        columns.look_at,
        columns.last_error,
        columns.hinted_at,
        columns.timer_at,
        columns.write_blocked,
        columns.conceded,
        columns.evaluated_at,
        columns.was_over,
    )


def _claim(row: Row[Any], *, wanted: int, attempts: int) -> Claim:
    return Claim(
        ticket_id=row.ticket_id,
        wanted=wanted,
        attempts=attempts,
        rank=row.rank,
        seen_updated_at=row.seen_updated_at,
        written_fingerprint=row.written_fingerprint,
        due_since=row.look_at or 0.0,
        last_error=row.last_error,
        hinted_at=row.hinted_at,
        timer_at=row.timer_at,
        write_blocked=row.write_blocked,
        conceded=row.conceded or {},
        was_over=row.was_over,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A look that ended well. Instants are epoch seconds."""

    ticket_id: str
    #: `ticket.wanted` when it was claimed
    wanted: int
    #: when to look again, by the database's clock; None: never by itself
    look_at: float | None
    #: that is when a target is missed
    is_breach: bool
    #: the helpdesk's "last updated" of what was seen
    seen_updated_at: float
    #: fingerprint of the values that were last written; None: none were
    written_fingerprint: str | None


def ended(conn: Connection, account: str, endings: Sequence[Ending]) -> None:
    """Looks ended well: each ticket is due when it says, or now if a hint came meanwhile."""
    if not endings:
        return
    at, columns = now(conn), ticket.c
    next_at = cast(bindparam("next_at"), Double)  # PostgreSQL asks for the type of a bare NULL
    echoed = case(
        (columns.echo_at.is_(None), next_at),
        (or_(next_at.is_(None), columns.echo_at < next_at), columns.echo_at),
        else_=next_at,
    )
    seen = columns.wanted == bindparam("was_wanted", type_=Integer)
    conn.execute(
        update(ticket)
        .where(columns.account == account, columns.ticket_id == bindparam("of_ticket"))
        .values(
            look_at=case((seen, echoed), else_=at),
            rank=bindparam("next_rank"),
            attempts=0,
            not_before=0.0,
            last_error=None,
            seen_updated_at=bindparam("seen"),
            written_fingerprint=bindparam("written"),
        ),
        [
            {
                "of_ticket": one.ticket_id,
                "was_wanted": one.wanted,
                "next_at": one.look_at,
                "next_rank": int(Rank.BREACH if one.is_breach else Rank.HINT),
                "seen": one.seen_updated_at,
                "written": one.written_fingerprint,
            }
            for one in sorted(endings, key=lambda one: one.ticket_id)
        ],
    )


def again(
    conn: Connection, account: str, claimed: Claim, error: str, *, park: bool = True
) -> str | None:
    """A look failed because of the ticket: try later, or park it; returns the reason if parked."""
    delay = min(
        FIRST_BACKOFF_SECONDS * 2.0 ** min(claimed.attempts - 1, 10), LONGEST_BACKOFF_SECONDS
    )
    parked = error if park and claimed.attempts >= PARK_AFTER else None
    row = conn.execute(
        update(ticket)
        .where(ticket.c.account == account, ticket.c.ticket_id == claimed.ticket_id)
        .values(
            not_before=now(conn) + delay,
            rank=Rank.RETRY,
            last_error=error,
            parked=_unless_hinted(claimed, parked, None),
        )
        .returning(ticket.c.parked)
    ).first()
    return row[0] if row is not None else None


def _unless_hinted(claimed: Claim, value: Any, otherwise: Any) -> Any:
    """`value`, or `otherwise` if a hint came during the look: then there is more to see."""
    return case((ticket.c.wanted == claimed.wanted, value), else_=otherwise)


def _set(conn: Connection, account: str, ticket_id: str, **values: Any) -> None:
    where = (ticket.c.account == account, ticket.c.ticket_id == ticket_id)
    conn.execute(update(ticket).where(*where).values(**values))


def left_alone(conn: Connection, account: str, claimed: Claim, reason: str) -> None:
    """Nothing can be done for the ticket before a hint says that it has changed."""
    look_at = _unless_hinted(claimed, None, now(conn))
    values = {"look_at": look_at, "attempts": 0, "rank": Rank.HINT, "last_error": reason}
    _set(conn, account, claimed.ticket_id, **values)


def gone(conn: Connection, account: str, claimed: Claim, reason: str) -> None:
    """The ticket is no more; its clocks are over. A later hint looks once more."""
    left_alone(conn, account, claimed, reason)
    _set(conn, account, claimed.ticket_id, evaluation=None, state="gone", next_due_at=None)


def blocked(conn: Connection, account: str, claimed: Claim, reason: str, seen: float) -> None:
    """The helpdesk refuses every write of a ticket as it stands: none is tried until it changes.

    `seen` is its "last updated". It is looked at once more, without a write, and then as always.
    """
    _set(
        conn, account, claimed.ticket_id, look_at=now(conn), attempts=0, rank=Rank.HINT,
        not_before=0.0, last_error=reason, write_blocked=reason, seen_updated_at=seen,
    )  # fmt: skip


def hold_back(
    conn: Connection, account: str, ticket_id: str, *, blocked: str | None,
    conceded: Mapping[str, Any], was_over: bool,
) -> None:  # fmt: skip
    """Remember what is not written to a ticket, and why."""
    values = {"write_blocked": blocked, "conceded": dict(conceded) or None, "was_over": was_over}
    _set(conn, account, ticket_id, **values)


def park(conn: Connection, account: str, ticket_id: str, reason: str) -> None:
    """Leave the ticket alone until somebody asks for it."""
    _set(conn, account, ticket_id, parked=reason, last_error=reason)


def conflicted(conn: Connection, account: str, ticket_id: str, pause: float) -> None:
    """Look again after `pause` seconds. A conflict is no failed attempt."""
    _set(conn, account, ticket_id, attempts=0, rank=Rank.RETRY, not_before=now(conn) + pause)


def untouched(conn: Connection, account: str, claims: Sequence[Claim]) -> None:
    """Give claims that have not ended back as they were: their tickets are not to blame."""
    for one in sorted(claims, key=lambda one: one.ticket_id):
        conn.execute(
            update(ticket)
            .where(
                ticket.c.account == account,
                ticket.c.ticket_id == one.ticket_id,
                ticket.c.attempts > 0,
                ticket.c.last_error.is_(None),
            )
            .values(attempts=ticket.c.attempts - 1, last_error=one.last_error)
        )
