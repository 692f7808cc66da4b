"""The rate budget: a row per account and limit, which decides for all threads and processes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, or_, select, update

from connector.errors import BudgetSpent
from connector.http import Charge, Figure
from connector.store.database import Database, insert, now
from connector.store.metering import UNLIMITED, Meter
from connector.store.refusals import Busy
from connector.store.tables import budget

_MINUTE = 60.0
# Made once, since every call needs them; in one order, or two calls wait for each other's rows.
_ROWS = (
    select(budget)
    .where(
        budget.c.account == bindparam("its"),
        budget.c.bucket.in_(bindparam("names", expanding=True)),
    )
    .order_by(budget.c.bucket)
)
_LOCKED = _ROWS.with_for_update()
_WRITTEN = (
    update(budget)
    .where(budget.c.account == bindparam("its"), budget.c.bucket == bindparam("name"))
    .values({one.name: bindparam(one.name) for one in budget.c if not one.primary_key})
)


class StoredBudget:
    """What one account may call.

    `reserve` is the share of every limit, 0 to 1, that is left to the customer's other tools;
    `minute_seconds` is the length of a limit's minute, for a sandbox whose minute is shorter.

    A limit that each of many things has for itself is named `limit:thing`; it is forgotten when
    its window is over.
    """

    def __init__(
        self, database: Database, account: str, reserve: float, minute_seconds: float = _MINUTE
    ) -> None:
        self._database = database
        self._account = account
        self._reserve = reserve
        self._minute = minute_seconds

    def reserve(self, charges: Sequence[Charge], /) -> None:
        """Count a call before it is made. Raises `BudgetSpent` when it must not be made now."""
        bucket, wait = self._database.run(lambda conn: self._take(conn, charges))
        if wait > 0:
            reason = f"{self._account}: no call for {wait:.1f} s; our share of the limit"
            raise BudgetSpent(f"{reason} '{bucket}' is used up", retry_after=wait)

    def learn(self, figures: Sequence[Figure], /) -> None:
        """Take in what an answer's headers tell."""
        if figures:
            self._database.run(lambda conn: self._learn(conn, figures))

    def refuse(self, buckets: Sequence[str], seconds: float, /) -> None:
        """The helpdesk answered 429: no call that counts in these buckets for so long."""
        if buckets:
            self._database.run(lambda conn: self._refuse(conn, buckets, seconds))

    def room(self, charges: Sequence[Charge], /) -> tuple[int, float]:
        """How many such calls may be made now, and the seconds until there are more."""
        with self._database.read() as conn:
            rows = self._read(conn, _ROWS, [one.bucket for one in charges])
            at = now(conn)
        found = [
            self._known(rows.get(one.bucket), one).room(one, self._reserve, at) for one in charges
        ]
        least = min((times for times, _ in found), default=UNLIMITED)
        return least, max((wait for times, wait in found if times == least), default=0.0)

    def _take(self, conn: Connection, charges: Sequence[Charge]) -> tuple[str, float]:
        """Count a call, or say for which limit it must wait, and how many seconds."""
        rows = self._locked(conn, {one.bucket: one.minutes for one in charges})
        at = now(conn)
        meters = {one.bucket: self._known(rows[one.bucket], one) for one in charges}
        waits = {one.bucket: meters[one.bucket].wait(one, self._reserve, at) for one in charges}
        bucket = max(waits, key=lambda name: waits[name], default="")
        if bucket and waits[bucket] > 0:
            self._count_wait(conn, rows[bucket], at, at + waits[bucket])
            return bucket, waits[bucket]
        changes = []
        for one in charges:
            meter = meters[one.bucket].taken(one, at)
            share = meter.share(one, self._reserve)
            changes.append(self._change(rows[one.bucket], meter, updated_at=at, share=share))
        _write(conn, changes)
        return bucket, 0.0

    def _count_wait(self, conn: Connection, row: Any, at: float, until: float) -> None:
        """Count seconds once, however many calls wait at the same time."""
        began = min(max(at, row.waiting_until), until)
        change = self._change(
            row,
            waits=row.waits + 1,
            waited=row.waited + (until - began),
            waiting_until=max(until, row.waiting_until),
        )
        _write(conn, [change])

    def _learn(self, conn: Connection, figures: Sequence[Figure]) -> None:
        rows = self._locked(conn, {one.bucket: one.minutes or 1 for one in figures})
        at, changes = now(conn), []
        for one in figures:
            row = rows[one.bucket]
            minutes = one.minutes or row.minutes
            before = self._meter(row, minutes)
            after = before.learned(one, at)
            if minutes != row.minutes or after.tells_otherwise_than(before):
                changes.append(self._change(row, after, minutes=minutes))
        _write(conn, changes)

    def _refuse(self, conn: Connection, buckets: Sequence[str], seconds: float) -> None:
        rows = self._locked(conn, dict.fromkeys(buckets, 1))
        at = now(conn)
        changes = [
            self._change(
                row,
                self._meter(row, row.minutes).refused(seconds, at),
                refusals=row.refusals + 1,
            )
            for row in rows.values()
        ]
        _write(conn, changes)

    def _locked(self, conn: Connection, minutes: Mapping[str, int]) -> dict[str, Any]:
        """The rows of some buckets, which nobody else may change now; missing ones are made."""
        rows = self._read(conn, _LOCKED, [*minutes])
        missing = sorted(set(minutes) - set(rows))
        if not missing:
            return rows
        if any(":" in name for name in missing):
            self._forget_ended(conn)
        made = [
            {"account": self._account, "bucket": name, "minutes": minutes[name]} for name in missing
        ]
        conn.execute(insert(conn, budget).on_conflict_do_nothing(), made)
        rows = self._read(conn, _LOCKED, [*minutes])
        if len(rows) < len(minutes):
            raise Busy("another process has forgotten a limit that is needed again")
        return rows

    def _read(self, conn: Connection, query: Any, names: Sequence[str]) -> dict[str, Any]:
        found = conn.execute(query, {"its": self._account, "names": list(names)})
        return {row.bucket: row for row in found}

    def _forget_ended(self, conn: Connection) -> None:
        at = now(conn)
        ended = and_(
            budget.c.account == self._account,
            budget.c.bucket.contains(":"),
            budget.c.blocked_until < at,
            or_(
                budget.c.updated_at < at - 2 * self._minute * budget.c.minutes,
                budget.c.updated_at > at + self._minute * budget.c.minutes,
            ),
        )
        conn.execute(delete(budget).where(ended))

    def _known(self, row: Any, charge: Charge) -> Meter:
        if row is None:
            return Meter(length=self._minute * charge.minutes)
        return self._meter(row, row.minutes)

    def _meter(self, row: Any, minutes: int) -> Meter:
        return Meter(
            length=self._minute * minutes,
            allowance=row.allowance,
            remaining=row.remaining,
            window_ends=row.window_ends,
            recent=tuple((made, count) for made, count in row.recent or ()),
            blocked_until=row.blocked_until,
        )

    def _change(self, row: Any, meter: Meter | None = None, **more: Any) -> dict[str, Any]:
        """A row as it is to be written; nobody else has changed it, since it is locked."""
        kept = dict(row._mapping) | {"its": self._account, "name": row.bucket}
        if meter is not None:
            kept |= {
                "allowance": meter.allowance,
                "remaining": meter.remaining,
                "window_ends": meter.window_ends,
                "used": sum(count for _, count in meter.recent),
                "recent": meter.recent,
                "blocked_until": meter.blocked_until,
            }
        return kept | more


def _write(conn: Connection, changes: Sequence[Mapping[str, Any]]) -> None:
    if changes:
        conn.execute(_WRITTEN, list(changes))
