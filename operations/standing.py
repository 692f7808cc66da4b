"""How every account stands, read from the database at one moment: for the page and the metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, exists, func, or_, select

from connector.engine.accounts import OK
from connector.engine.brakes import CONTESTED_SECONDS
from connector.engine.rank import Rank
from connector.store.database import Database, now
from connector.store.tables import account as account_table
from connector.store.tables import budget, heartbeat, sync, ticket

STARVED_SECONDS = 120.0  # of a fresh ticket that is due, though nothing stands in the way
QUIET_SECONDS = 60.0  # without a call to the helpdesk
CONTESTED = "contested"  #: state of an account some of whose fields are not written
HEARTBEAT_MAX_AGE = 15.0  # seconds of silence after which a worker is taken for dead
SHOWN_TICKETS = 20
FIGURES = ("pages", "tickets", "changed", "written", "missed", "total")  # of connector/engine/sync
_IS_WORKER = or_(heartbeat.c.name == "worker", heartbeat.c.name.startswith("worker:"))
_FRESH = (Rank.BREACH, Rank.HINT)
LONGEST_REASON = 400  # characters; helpdesks answer whole pages now and then


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """An account of the configuration, as far as the page shows it."""

    name: str
    kind: str
    #: shadow, own_fields or native
    mode: str
    #: length of a minute of its rate limits, in seconds; only a sandbox has another than 60
    minute_seconds: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """One of the helpdesk's limits, and what we have used of it."""

    #: "account" for the general one; "limit:thing" for one that each of many things has for itself
    name: str
    window_minutes: int
    #: calls per window that the helpdesk allows; None: it has not said
    allowance: int | None
    #: of these, ours at most
    share: int | None
    #: calls of ours that still count
    used: int
    #: calls that are left to all tools; None: not known at the moment
    remaining: int | None
    #: a refusal: no call before; None: calls may be made
    blocked_until: datetime | None
    #: answers of 429 so far
    refusals: int
    #: calls so far that had to wait for our share
    waits: int
    waited_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """How far one reading of what changed has come."""

    #: changes, full or events
    name: str
    #: where it began, helpdesk's clock
    since: datetime
    #: everything before was seen, helpdesk's clock; None: nothing yet
    position: datetime | None
    #: from `position` to the helpdesk's present, seconds; None where that says nothing
    behind_seconds: float | None
    state: Literal["running", "waiting", "paused", "over"]
    #: its limit is used up: no page before; None where it is not waiting
    waits_until: datetime | None
    started_at: datetime
    #: when it last came to the end
    ended_at: datetime | None
    #: why it waits, or why the latest page could not be read
    last_error: str | None
    #: those of `FIGURES` that are known
    figures: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftAlone:
    """A ticket for which nothing is done, or nothing is written, and why."""

    ticket_id: str
    kind: Literal["parked", "write blocked"]
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tickets:
    """The tickets of an account that wait for something; a due one may wait for its next try."""

    due_hints: int
    due_retries: int
    due_backfill: int
    parked: int
    write_blocked: int
    #: the first of those two kinds
    left_alone: tuple[LeftAlone, ...]
    #: how long the oldest of `due_hints` has been due, seconds; 0: there is none
    oldest_due_seconds: float = 0.0

    @property
    def due(self) -> int:
        """All that are to be looked at now."""
        return self.due_hints + self.due_retries + self.due_backfill


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountStanding:
    """How one account stands."""

    name: str
    kind: str
    mode: str
    #: ok, held, sign_in_needed, role_needed, suspended or contested; None: not seen by a worker yet
    state: str | None
    #: no call before; None: calls may be made
    held_until: datetime | None
    #: failures in a row
    failures: int
    last_error: str | None
    advice: tuple[str, ...]
    #: fields that are no longer written, and since when
    contested: Mapping[str, datetime]
    #: how often something else had replaced what we wrote, and when that was last found
    overwritten: int
    overwritten_at: datetime | None
    #: fields of single tickets that were given up so far
    conceded: int
    #: the helpdesk's clock minus ours, seconds
    clock_offset_seconds: float
    clock_checked_at: datetime | None
    limits: tuple[Limit, ...]
    feeds: tuple[Feed, ...]
    tickets: Tickets
    last_delivery_at: datetime | None
    #: since then tickets change and no webhook comes; None: there is no such alarm
    webhooks_silent_since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How everything stands at one instant of the database's clock."""

    at: datetime
    #: the latest sign of life of any worker; None: there was none
    worker_heard_at: datetime | None
    accounts: tuple[AccountStanding, ...]
    #: workers that were heard of lately
    workers: int = 0
    #: accounts whose lane stands still in a living worker -> for how many seconds
    stuck: Mapping[str, float] = field(default_factory=dict)
    #: accounts with fresh tickets that nobody looks at
    starved: tuple[str, ...] = ()


def read(database: Database, served: Sequence[Served]) -> Standing:
    """How the accounts stand now, by name. Raises `StoreError`."""
    with database.read() as conn:
        at = now(conn)
        return Standing(
            at=_instant(at),
            worker_heard_at=_some_instant(latest_heartbeat(conn)),
            workers=len(_living(conn)),
            stuck=stuck(conn),
            starved=starved(conn, [one.name for one in served]),
            accounts=tuple(
                _account(conn, one, at) for one in sorted(served, key=lambda one: one.name)
            ),
        )


def latest_heartbeat(conn: Connection, worker: str | None = None) -> float | None:
    """The latest sign of life of a worker by its row's name, or of any; None: there was none."""
    of_it = _IS_WORKER if worker is None else heartbeat.c.name == worker
    latest: float | None = conn.scalar(select(func.max(heartbeat.c.at)).where(of_it))
    return latest


def stuck(conn: Connection, worker: str | None = None) -> dict[str, float]:
    """The accounts at which a living worker, or this one, stands still -> for how many seconds."""
    found: dict[str, float] = {}
    for row in _living(conn):
        if worker is None or row.name == worker:
            for name, seconds in row.body.get("stuck", {}).items():
                found[name] = max(seconds, found.get(name, 0.0))
    return dict(sorted(found.items()))


def starved(conn: Connection, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the accounts with fresh tickets that are due for minutes while nobody calls.

    An account that is held, or waits for its share of the rate limit, is none of them.
    """
    at = now(conn)
    columns = ticket.c
    overdue = exists().where(
        columns.account == account_table.c.name,
        columns.rank.in_(_FRESH),
        columns.look_at <= at - STARVED_SECONDS,
        columns.not_before <= at - STARVED_SECONDS,
        columns.parked.is_(None),
        columns.open_intent.is_(None),
    )
    usable = select(account_table.c.name).where(
        account_table.c.name.in_(sorted(names)),
        account_table.c.state == OK,
        account_table.c.held_until <= at - HEARTBEAT_MAX_AGE,
        overdue,
    )
    found = conn.scalars(usable.order_by(account_table.c.name)).all() if names else []
    return tuple(one for one in found if at - _last_call(conn, one) > QUIET_SECONDS)


def _last_call(conn: Connection, name: str) -> float:
    """When we last called the account's helpdesk, epoch seconds; 0: nothing is known of it."""
    recent = conn.scalars(select(budget.c.recent).where(budget.c.account == name)).all()
    return max((made for one in recent for made, _ in one or ()), default=0.0)


def _living(conn: Connection) -> Sequence[Row[Any]]:
    alive = heartbeat.c.at > now(conn) - HEARTBEAT_MAX_AGE
    return conn.execute(select(heartbeat).where(_IS_WORKER, alive)).all()


def drained_now(conn: Connection) -> frozenset[str] | None:
    """The accounts that living workers drain; None: no worker lives."""
    rows = _living(conn)
    return (
        frozenset(name for row in rows for name in row.body.get("accounts", ())) if rows else None
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Usability:
    """Whether an account can be used."""

    #: the account's state in the store; None: no worker has seen it yet
    state: str | None
    #: no call before; None: calls may be made
    held_until: datetime | None
    #: in a row
    failures: int
    last_error: str | None


def usability(conn: Connection, name: str) -> Usability:
    """Whether an account can be used; cheap enough to be asked again and again."""
    columns = account_table.c
    row = conn.execute(
        select(columns.state, columns.held_until, columns.failures, columns.last_error).where(
            columns.name == name
        )
    ).first()
    if row is None:
        return Usability(state=None, held_until=None, failures=0, last_error=None)
    return Usability(
        state=row.state,
        held_until=_later(row.held_until, now(conn)),
        failures=row.failures,
        last_error=_short(row.last_error),
    )


def _account(conn: Connection, served: Served, at: float) -> AccountStanding:
    columns = account_table.c
    row = conn.execute(select(account_table).where(columns.name == served.name)).first()
    usable = usability(conn, served.name)
    offset = row.clock_offset if row is not None else 0.0
    contested = _contested(row.contested, at) if row is not None else {}
    feeds = conn.execute(
        select(sync).where(sync.c.account == served.name).order_by(sync.c.feed)
    ).all()
    return AccountStanding(
        name=served.name,
        kind=served.kind,
        mode=served.mode,
        state=_state(usable, contested),
        held_until=usable.held_until,
        failures=usable.failures,
        last_error=usable.last_error,
        advice=tuple(map(str, (row.advice or ()))) if row is not None else (),
        contested=contested,
        overwritten=row.overwritten if row is not None else 0,
        overwritten_at=_some_instant(row.overwritten_at) if row is not None else None,
        conceded=row.conceded if row is not None else 0,
        clock_offset_seconds=offset,
        clock_checked_at=_some_instant(row.clock_checked_at) if row is not None else None,
        limits=_limits(conn, served, at),
        feeds=tuple(_feed(one, at, at + offset) for one in feeds),
        tickets=_tickets(conn, served.name, at),
        last_delivery_at=_some_instant(_last_delivery(conn, served.name)),
        webhooks_silent_since=_silent_since(feeds),
    )


def _limits(conn: Connection, served: Served, at: float) -> tuple[Limit, ...]:
    columns = budget.c
    is_shown = or_(~columns.bucket.contains(":"), columns.blocked_until > at)
    rows = conn.execute(
        select(budget).where(columns.account == served.name, is_shown).order_by(columns.bucket)
    )
    return tuple(_limit(row, served.minute_seconds, at) for row in rows)


def _limit(row: Row[Any], minute_seconds: float, at: float) -> Limit:
    length = minute_seconds * row.minutes
    return Limit(
        name=row.bucket,
        window_minutes=row.minutes,
        allowance=row.allowance,
        share=row.share,
        used=sum(count for made, count in row.recent or () if abs(at - made) < length),
        remaining=row.remaining if row.window_ends > at else None,
        blocked_until=_later(row.blocked_until, at),
        refusals=row.refusals,
        waits=row.waits,
        waited_seconds=row.waited,
    )


def _feed(row: Row[Any], at: float, helpdesk_now: float) -> Feed:
    waits = row.last_error is not None and row.next_at is not None and row.next_at > at
    state = _state_of_feed(row, waits)
    is_behind = row.position is not None and state != "over"
    return Feed(
        name=row.feed,
        since=_instant(row.since),
        position=_some_instant(row.position),
        behind_seconds=max(0.0, helpdesk_now - row.position) if is_behind else None,
        state=state,
        waits_until=_instant(row.next_at) if state == "waiting" else None,
        started_at=_instant(row.started_at),
        ended_at=_some_instant(row.ended_at),
        last_error=_short(row.last_error),
        figures=_figures(row.body),
    )


def _state_of_feed(row: Row[Any], waits: bool) -> Literal["running", "waiting", "paused", "over"]:
    if row.paused:
        return "paused"
    if row.next_at is None:
        return "over"
    return "waiting" if waits else "running"


def _figures(body: Mapping[str, Any]) -> dict[str, float]:
    found = {name: body.get(name) for name in FIGURES}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def _silent_since(feeds: Sequence[Row[Any]]) -> datetime | None:
    told = [one.body.get("silent_since") for one in feeds]
    return _some_instant(min((one for one in told if one), default=None))


def _tickets(conn: Connection, name: str, at: float) -> Tickets:
    columns, parked, blocked = ticket.c, ticket.c.parked, ticket.c.write_blocked
    due = (
        select(columns.rank, func.count(), func.min(columns.look_at))
        .where(
            columns.account == name,
            columns.rank.in_(
                [int(one) for one in Rank]
            ),  # else no planner enters the index by time
            columns.look_at <= at,
            parked.is_(None),
        )
        .group_by(columns.rank)
    )
    rows = conn.execute(due).all()
    by_rank = {rank: count for rank, count, _ in rows}
    fresh = [row for row in rows if row[0] in _FRESH]
    return Tickets(
        due_hints=sum(count for _, count, _ in fresh),
        oldest_due_seconds=max((at - oldest for _, _, oldest in fresh), default=0.0),
        due_retries=by_rank.get(Rank.RETRY, 0),
        due_backfill=by_rank.get(Rank.BACKFILL, 0),
        parked=_count(conn, select(func.count()).where(columns.account == name, _is_set(parked))),
        write_blocked=_count(
            conn, select(func.count()).where(columns.account == name, _is_set(blocked))
        ),
        left_alone=(
            *_left_alone(conn, name, "parked", parked),
            *_left_alone(conn, name, "write blocked", blocked),
        )[:SHOWN_TICKETS],
    )


def _is_set(column: Any) -> Any:
    return column.is_not(None)


def _count(conn: Connection, query: Select[Any]) -> int:
    return int(conn.scalar(query) or 0)


def _left_alone(
    conn: Connection, name: str, kind: Literal["parked", "write blocked"], reason: Any
) -> list[LeftAlone]:
    rows = conn.execute(
        select(ticket.c.ticket_id, reason)
        .where(ticket.c.account == name, _is_set(reason))
        .order_by(func.length(ticket.c.ticket_id), ticket.c.ticket_id)  # both count their tickets
        .limit(SHOWN_TICKETS)
    )
    return [LeftAlone(ticket_id=row[0], kind=kind, reason=_short(row[1]) or "") for row in rows]


def _last_delivery(conn: Connection, name: str) -> float | None:
    query = select(func.max(ticket.c.hinted_at)).where(ticket.c.account == name)
    latest: float | None = conn.scalar(query)
    return latest


def _contested(stored: Mapping[str, float] | None, at: float) -> dict[str, datetime]:
    return {
        name: _instant(since)
        for name, since in sorted((stored or {}).items())
        if at - since < CONTESTED_SECONDS
    }


def _state(usable: Usability, contested: Mapping[str, datetime]) -> str | None:
    """What keeps us from the helpdesk goes before what keeps us from some fields."""
    return CONTESTED if usable.state == OK and contested else usable.state


def _short(text: str | None) -> str | None:
    if text is None or len(text) <= LONGEST_REASON:
        return text
    return text[:LONGEST_REASON] + "…"


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)


def _some_instant(seconds: float | None) -> datetime | None:
    """None also for 0, which is 'long ago' in the store."""
    return _instant(seconds) if seconds else None


def _later(seconds: float, at: float) -> datetime | None:
    """An instant that is yet to come; None when it is past."""
    return _instant(seconds) if seconds > at else None
