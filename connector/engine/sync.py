"""Sync: reads what changed on a helpdesk page by page, for what no webhook told and for backfills.

A page is a batch of the lane like any other. Its cursor is stored once all of its tickets are done,
so that a crash costs reading one page again and nothing else.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, delete, func, select, update

from connector.engine import accounts, schedule
from connector.engine.batch import Sight
from connector.engine.found import Found, Tally
from connector.engine.holding import Holding
from connector.engine.intake import request_look
from connector.engine.rank import Rank
from connector.engine.schedule import Claim
from connector.errors import (
    AccountError,
    HelpdeskUnreachable,
    RateLimited,
    RoleMissing,
    loggable,
)
from connector.helpdesks.base import EventPage, JSONObject, Page, Reading
from connector.store.database import insert, now
from connector.store.tables import intent, past_event, sync, ticket
from mappings.ticket import DONE

log = structlog.get_logger()

CHANGES = "changes"  #: what is new, for as long as the account is served
FULL = "full"  #: a backfill: everything since an instant, once
FEEDS = (CHANGES, FULL)
EVER = datetime(2000, 1, 1, tzinfo=UTC)  # no ticket of either helpdesk is older
OVERLAP_SECONDS = 300.0  # the first sight of an account begins this long ago
UNKNOWN_CLOCK_SECONDS = 3600.0  # or this long, while the helpdesk's clock is not known
SKEW_SECONDS = 2.0  # a delivery this long before the change tells of it: two clocks differ
SILENT_AFTER = 3  # changes in a row that no webhook told of
SILENT_SECONDS = 60.0  # and no webhook came for so long
RETRY_SECONDS = 60.0
PAGE_SECONDS = 120.0  # what a page has shown is judged within this, or the page is read again
REFUSED_SECONDS = 300.0  # a role may be given meanwhile

START, EVENTS, TICKETS = "start", "events", "tickets"  # what a backfill does


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What a feed has come to; stored as JSON."""

    pages: int = 0
    #: rows that were shown
    tickets: int = 0
    #: answers that were new
    changed: int = 0
    #: tickets that were written
    written: int = 0
    #: answers that were new though no webhook had told of the change
    missed: int = 0
    missed_in_a_row: int = 0
    #: when the first of those was found, epoch seconds
    missed_since: float | None = None
    #: the alarm: since when no webhook has come though tickets change; None: they do come
    silent_since: float | None = None
    #: when the account was first seen, helpdesk's clock; webhooks are expected from then on
    began_at: float | None = None
    #: about how many tickets there are
    total: int | None = None
    #: what a backfill does: start, events or tickets
    phase: str = START
    #: from when on, and up to when, the helpdesk's events were read, epoch seconds
    events_since: float | None = None
    events_until: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a feed is, for showing. Instants are epoch seconds."""

    feed: str
    since: float
    position: float | None
    paused: bool
    #: it has come to the end, and nothing of it waits
    ended: bool
    pages: int
    tickets: int
    changed: int
    written: int
    missed: int
    total: int | None
    phase: str
    last_error: str | None
    #: a page is to come, but not before its time
    waits: bool
    #: tickets that it has shown and that still wait to be looked at or written
    backlog: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A feed as it is stored."""

    feed: str
    since: datetime
    cursor: JSONObject | None
    started_at: float
    figures: Figures


@dataclass(kw_only=True, slots=True)
class Open:
    """A page that was read, and what of it is still to be done."""

    row: Row
    page: Page
    rest: deque[Reading]
    #: by the clock of the holding, seconds
    read_at: float
    #: of the lease under which it was read, or last gone on with
    fence: int
    #: tickets that were looked at since it was read: it shows how they were before
    passed: set[str] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)

    @property
    def feed(self) -> str:
        """The feed that it belongs to."""
        return self.row.feed

    def take(self, size: int) -> list[Reading]:
        """The next readings, each ticket at most once."""
        found: dict[str, Reading] = {}
        while self.rest and len(found) < size:
            one = self.rest.popleft()
            found[one.ticket.id] = one
        return list(found.values())

    def give_back(self, readings: Sequence[Reading]) -> None:
        """They are to be done later: the account could not be used."""
        self.rest.extendleft(reversed(readings))


def begin(conn: Connection, account: str) -> None:
    """From now on follow what changes on an account that is seen for the first time."""
    here = now(conn) + accounts.clock_offset(conn, account)
    # before its clock was read once, the helpdesk may be far behind ours
    overlap = OVERLAP_SECONDS if accounts.clock_is_known(conn, account) else UNKNOWN_CLOCK_SECONDS
    values = _fresh(conn, account, CHANGES, here - overlap, Figures(began_at=here))
    conn.execute(insert(conn, sync).values(**values).on_conflict_do_nothing())


def request(
    conn: Connection, account: str, feed: str, *, since: datetime | None = None,
    restart: bool = False,
) -> None:  # fmt: skip
    """Have a feed read now. A backfill that was stopped goes on, unless it is to begin anew.

    A `since` that is yet to come counts as now.
    """
    found = conn.execute(_of(account, feed)).first()
    if since is not None:
        here = now(conn) + accounts.clock_offset(conn, account)
        since = min(since, datetime.fromtimestamp(here, UTC))
    if feed == CHANGES and found is not None and since is None:
        _set(conn, account, feed, next_at=now(conn), paused=False, ended_at=None)
    elif found is None or restart or since is not None or found.next_at is None:
        began_at = _figures(found.body).began_at if found is not None else None
        figures = Figures(began_at=began_at)
        values = _fresh(conn, account, feed, (since or EVER).timestamp(), figures)
        row = insert(conn, sync).values(**values)
        new = {name: row.excluded[name] for name in values if name not in ("account", "feed")}
        conn.execute(row.on_conflict_do_update(index_elements=["account", "feed"], set_=new))
    else:
        _set(conn, account, feed, next_at=now(conn), paused=False)


def pause(conn: Connection, account: str, feed: str, paused: bool) -> None:
    """Stop a feed where it is, or let it go on."""
    _set(conn, account, feed, paused=paused)


def progress(conn: Connection, account: str, feed: str) -> Progress | None:
    """How far a feed is; None when it was never asked for."""
    found = conn.execute(_of(account, feed)).first()
    if found is None:
        return None
    figures, backlog = _figures(found.body), _backlog(conn, account, found.ended_at)
    return Progress(
        feed=feed,
        since=found.since,
        position=found.position,
        paused=found.paused,
        ended=found.ended_at is not None and backlog == 0,
        pages=figures.pages,
        tickets=figures.tickets,
        changed=figures.changed,
        written=figures.written,
        missed=figures.missed,
        total=figures.total,
        phase=figures.phase,
        last_error=found.last_error,
        waits=(found.next_at or 0.0) > now(conn),
        backlog=backlog,
    )


def _backlog(conn: Connection, account: str, until: float | None) -> int:
    """Tickets of the feed that are due, and bulk writes that were sent before its end."""
    columns = ticket.c
    due = select(func.count()).where(
        columns.account == account,
        columns.rank == int(Rank.BACKFILL),
        columns.look_at <= now(conn),
        columns.look_at.is_not(None),
        columns.parked.is_(None),
    )
    writing = select(func.count()).where(intent.c.account == account)
    if until is not None:
        writing = writing.where(intent.c.created_at <= until)
    return int(conn.scalar(due) or 0) + int(conn.scalar(writing) or 0)


def _fresh(
    conn: Connection, account: str, feed: str, since: float, figures: Figures
) -> dict[str, Any]:
    at = now(conn)
    return {
        "account": account, "feed": feed, "since": since, "cursor": None, "next_at": at,
        "paused": False, "position": None, "body": asdict(figures), "last_error": None,
        "started_at": at, "ended_at": None,
    }  # fmt: skip


def _of(account: str, feed: str) -> Any:
    return select(sync).where(sync.c.account == account, sync.c.feed == feed)


def _set(conn: Connection, account: str, feed: str, **values: Any) -> None:
    where = (sync.c.account == account, sync.c.feed == feed)
    conn.execute(update(sync).where(*where).values(**values))


def _figures(body: Mapping[str, Any]) -> Figures:
    known = {name: body[name] for name in Figures.__dataclass_fields__ if name in body}
    return Figures(**known)


class Sync:
    """The feeds of one account, under its lease."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._account = holding.account
        self._name = holding.account.name
        self._helpdesk = holding.account.helpdesk
        #: the latest `page` has done something, though it showed no tickets
        self.went_on = False

    def page(self) -> Open | None:
        """The page to go on with; read from the helpdesk when none is open.

        None: nothing is due, or a backfill has gone on without showing tickets (`went_on`). Raises
        `AccountError`, but a feed that is asked to wait waits by itself.
        """
        self.went_on = False
        for row in self._due():
            opened: Open | None = self._account.pages.get(row.feed)
            if opened is not None and self._is_good(opened, row):
                return opened
            try:
                opened = self._read(row)
            except (RateLimited, RoleMissing) as error:
                self._wait(row, error)
                continue
            except HelpdeskUnreachable as error:
                self._helpdesk.identify()  # raises when it is not the feed alone that fails
                self._wait(row, error)
                continue
            if opened is None:
                self.went_on = True
                return None
            self._account.pages[row.feed] = opened
            return opened
        return None

    def _is_good(self, opened: Open, row: Row) -> bool:
        """Whether an open page is the one to go on with, and not too old to be judged."""
        is_young = self._holding.monotonic() - opened.read_at < PAGE_SECONDS
        same = (opened.row.started_at, opened.row.cursor) == (row.started_at, row.cursor)
        fence = self._holding.lease.fence
        alone = fence <= opened.fence + 1  # nobody else has held the account, and looked, meanwhile
        opened.fence = fence
        return is_young and same and alone

    def looked(self, ticket_ids: Iterable[str], shown: Open | None = None) -> None:
        """Tickets were looked at: what open pages but `shown` tell of them is older."""
        looked = set(ticket_ids)
        for opened in self._account.pages.values():
            if opened is not shown:
                opened.passed |= looked

    def forget(self, opened: Open) -> None:
        """Have a page read again: the account could not be used, and tickets may have changed."""
        self._account.pages.pop(opened.feed, None)

    def done(self, opened: Open) -> None:
        """All tickets of a page are done: what comes next begins behind it."""
        self._account.pages.pop(opened.feed, None)
        after = self._holding.commit(lambda conn: self._store(conn, opened))
        self._tell(opened.row.figures, after)

    def sights(self, opened: Open, readings: Sequence[Reading]) -> list[Sight]:
        """Those of a page's tickets that are newer than we know them, claimed."""
        by_id = {one.ticket.id: one for one in readings if one.ticket.id not in opened.passed}
        seen = {name: one.updated_at.timestamp() for name, one in by_id.items()}
        rank = Rank.BACKFILL if opened.feed == FULL else Rank.RETRY
        over = {name for name, one in by_id.items() if self._was_over(opened, one)}
        claims = self._holding.commit(
            lambda conn: schedule.admit(
                conn, self._name, seen, rank, over, self._holding.monotonic() - opened.read_at
            )
        )
        rows = self._rows_of(opened, readings)
        return [
            Sight(
                claim=claim,
                reading=by_id[claim.ticket_id],
                found=self._found(opened, claim, by_id[claim.ticket_id], rows),
            )
            for claim in claims
        ]

    def _found(
        self, opened: Open, claim: Claim, reading: Reading, rows: Mapping[str, list[JSONObject]]
    ) -> Found:
        ticket_id = claim.ticket_id
        return Found(
            feed=opened.feed,
            tally=opened.tally,
            told=self._told(opened.row, claim, reading),
            rows=tuple(rows[ticket_id]) if ticket_id in rows else None,
        )

    def _was_over(self, opened: Open, reading: Reading) -> bool:
        """Whether a ticket was solved before we came, as far as a page shows it."""
        began_at = opened.row.figures.began_at
        created_at = reading.ticket.created_at.timestamp()
        is_older = began_at is not None and created_at < began_at
        return reading.ticket.status in DONE and (opened.feed == FULL or is_older)

    def _told(self, row: Row, claim: Claim, reading: Reading) -> bool | None:
        """Whether a webhook had told of what the page shows, before the page did."""
        changed_at, began_at = reading.updated_at.timestamp(), row.figures.began_at
        if row.feed != CHANGES or began_at is None or changed_at < began_at - SKEW_SECONDS:
            return None
        heard_at = (claim.hinted_at or 0.0) + self._holding.offset
        return claim.hinted_at is not None and heard_at >= changed_at - SKEW_SECONDS

    def _rows_of(self, opened: Open, readings: Sequence[Reading]) -> dict[str, list[JSONObject]]:
        """What a backfill has read of these tickets' pasts; only of those that it told whole."""
        figures = opened.row.figures
        if figures.events_since is None or figures.events_until is None:
            return {}
        whole = sorted(
            one.ticket.id
            for one in readings
            if one.ticket.created_at.timestamp() >= figures.events_since
            and one.updated_at.timestamp() < figures.events_until
        )
        columns = past_event.c
        query = (
            select(columns.ticket_id, columns.rows)
            .where(columns.account == self._name, columns.ticket_id.in_(whole))
            .order_by(columns.number)
        )
        found: dict[str, list[JSONObject]] = {}
        with self._holding.database.read() as conn:
            for ticket_id, rows in conn.execute(query):
                found.setdefault(ticket_id, []).extend(rows)
        return found

    def _due(self) -> list[Row]:
        with self._holding.database.read() as conn:
            at = now(conn)
            found = conn.execute(
                select(sync)
                .where(sync.c.account == self._name, sync.c.next_at <= at, sync.c.paused.is_(False))
                .order_by(sync.c.feed)  # "changes" goes before "full"
            ).all()
        return [
            Row(
                feed=row.feed,
                since=datetime.fromtimestamp(row.since, UTC),
                cursor=row.cursor,
                started_at=row.started_at,
                figures=_figures(row.body),
            )
            for row in found
        ]

    def _wait(self, row: Row, error: AccountError) -> None:
        """It cannot be read at the moment; webhooks are served all the same."""
        seconds = REFUSED_SECONDS if isinstance(error, RoleMissing) else RETRY_SECONDS
        seconds = error.retry_after or seconds
        if not isinstance(error, RateLimited):
            log.warning("sync waits", account=self._name, feed=row.feed, reason=loggable(error))

        def work(conn: Connection) -> None:
            _set(conn, self._name, row.feed, next_at=now(conn) + seconds, last_error=str(error))

        self._holding.commit(work)

    def _read(self, row: Row) -> Open | None:
        if row.feed == FULL and row.figures.phase == START:
            self._plan(row)
            return None
        if row.feed == FULL and row.figures.phase == EVENTS:
            self._read_events(row)
            return None
        read_at = self._holding.monotonic()
        page = self._helpdesk.changes(row.cursor, row.since)
        return Open(
            row=row, page=page, rest=deque(page.readings), read_at=read_at,
            fence=self._holding.lease.fence,
        )  # fmt: skip

    def _plan(self, row: Row) -> None:
        """How a backfill goes: the past of open tickets first, where it is needed and told."""
        figures = replace(row.figures, total=self._helpdesk.count(), phase=TICKETS)
        if self._account.needs_past and self._helpdesk.capabilities.event_export:
            oldest = self._helpdesk.oldest_open()
            if oldest is not None:
                begin_at = max(oldest, row.since).timestamp()
                figures = replace(figures, phase=EVENTS, events_since=begin_at)

        def work(conn: Connection) -> None:
            conn.execute(delete(past_event).where(past_event.c.account == self._name))
            self._go_on(conn, row.feed, figures, cursor=None)

        self._holding.commit(work)

    def _read_events(self, row: Row) -> None:
        begin_at = datetime.fromtimestamp(row.figures.events_since or 0.0, UTC)
        page = self._helpdesk.events(row.cursor, begin_at)
        figures = replace(row.figures, pages=row.figures.pages + 1)
        if page.end:
            until = page.position.timestamp() if page.position else None
            figures = replace(figures, phase=TICKETS, events_until=until)

        def work(conn: Connection) -> None:
            self._keep_events(conn, page, figures.pages)
            cursor = None if page.end else page.cursor
            self._go_on(conn, row.feed, figures, cursor=cursor)

        self._holding.commit(work)

    def _keep_events(self, conn: Connection, page: EventPage, number: int) -> None:
        values = [
            {
                "account": self._name,
                "ticket_id": one,
                "number": number,
                "rows": list(page.rows[one]),
            }
            for one in sorted(page.rows)
        ]
        if values:
            row = insert(conn, past_event)
            conn.execute(
                row.on_conflict_do_update(
                    index_elements=["account", "ticket_id", "number"],
                    set_={"rows": row.excluded.rows},
                ),
                values,
            )

    def _go_on(
        self, conn: Connection, feed: str, figures: Figures, *, cursor: JSONObject | None
    ) -> None:
        _set(
            conn, self._name, feed, body=asdict(figures), cursor=cursor, next_at=now(conn),
            last_error=None,
        )  # fmt: skip

    def _store(self, conn: Connection, opened: Open) -> Figures:
        page, feed, at = opened.page, opened.feed, now(conn)
        figures = self._alarmed(conn, _added(opened.row.figures, opened.tally, page, at), at)
        next_at: float | None = at
        if page.end:
            next_at = at + self._account.sync_seconds if feed == CHANGES else None
        conn.execute(
            update(sync)
            .where(
                sync.c.account == self._name,
                sync.c.feed == feed,
                sync.c.started_at == opened.row.started_at,  # not begun anew meanwhile
            )
            .values(
                cursor=page.cursor,
                next_at=next_at,
                body=asdict(figures),
                last_error=None,
                position=page.position.timestamp() if page.position else sync.c.position,
                ended_at=at if page.end else sync.c.ended_at,
            )
        )
        if page.unread:  # one look at each of them says what is wrong with it
            request_look(conn, self._name, page.unread, Rank.BACKFILL)
        if feed == FULL and figures.events_since is not None:
            where = past_event.c.account == self._name
            if not page.end:
                ids = sorted({one.ticket.id for one in page.readings})
                where = where & past_event.c.ticket_id.in_(ids)
            conn.execute(delete(past_event).where(where))
        return figures

    def _alarmed(self, conn: Connection, figures: Figures, at: float) -> Figures:
        """Raise the alarm when no webhook comes though tickets change; end it when one does."""
        since, before = figures.missed_since, figures.silent_since
        if since is None or figures.missed_in_a_row < SILENT_AFTER or at - since < SILENT_SECONDS:
            return replace(figures, silent_since=None)
        heard = select(ticket.c.ticket_id).where(
            ticket.c.account == self._name, ticket.c.hinted_at >= since
        )
        if conn.execute(heard.limit(1)).first() is not None:
            return replace(figures, missed_in_a_row=0, missed_since=None, silent_since=None)
        return replace(figures, silent_since=before or since)

    def _tell(self, before: Figures, after: Figures) -> None:
        if after.silent_since is not None and before.silent_since is None:
            log.error(
                "webhooks are silent: tickets change and no delivery comes; check the webhook and "
                "its triggers on the helpdesk",
                account=self._name, missed_in_a_row=after.missed_in_a_row,
            )  # fmt: skip
        elif after.silent_since is None and before.silent_since is not None:
            log.info("webhooks are heard again", account=self._name)
        if after.missed > before.missed:
            log.warning(
                "the sync found changes that no webhook had told",
                account=self._name, missed=after.missed - before.missed,
            )  # fmt: skip


def _added(before: Figures, tally: Tally, page: Page, at: float) -> Figures:
    """The figures of a feed with those of a page."""
    in_a_row = 0 if tally.told else before.missed_in_a_row + tally.missed
    return replace(
        before,
        pages=before.pages + 1,
        tickets=before.tickets + len(page.readings) + len(page.unread),
        changed=before.changed + tally.changed,
        written=before.written + tally.written,
        missed=before.missed + tally.missed,
        missed_in_a_row=in_a_row,
        missed_since=(before.missed_since or at) if in_a_row else None,
    )
