"""The proof of the evidence: an account's chain is walked, and each place where it breaks is named.

Who can write to the database can also compute a whole new chain. That shows only to somebody who
has kept the hash of a line, such as the last one of an export: see `Mark`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, func, select, text, tuple_

from connector.errors import ConnectorError
from connector.store.chain import NOBODY, digest, link
from connector.store.checkpoint import Checkpoint, checkpoint_of
from connector.store.database import Database
from connector.store.keys import Keys
from connector.store.tables import chain, evidence

CHUNK = 2_000  # lines of one transaction; a long one would keep SQLite's log from being emptied
MOST_NAMED = 100  # breaks of one account; the others are counted


class Flaw(StrEnum):
    """How a chain can be broken."""

    CHANGED = "changed"  #: the content of a line is not what was written
    MISSING = "missing"  #: lines are not there
    DETACHED = "detached"  #: a line does not follow from the one before it
    DOUBLE = "double"  #: a number stands twice
    LEFT_OVER = "left_over"  #: a line stands before the checkpoint
    END = "end"  #: the chain does not end where it is said to
    CHECKPOINT = "checkpoint"  #: the checkpoint was not signed by us
    MARK = "mark"  #: a line is another one than it was when its hash was kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A line whose hash somebody has kept."""

    number: int
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Break:
    """A place where a chain is broken."""

    flaw: Flaw
    #: of the line; of the first of several
    number: int
    why: str
    #: of the line, where it is there and says so
    ticket_id: str | None = None
    #: when it was written, as it says itself, epoch seconds
    at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of a walk along one account's chain."""

    account: str
    #: lines that are there
    lines: int
    #: of these, lines whose content was forgotten; they are links and prove nothing more
    forgotten: int
    #: lines that are not linked yet
    unlinked: int
    #: of the newest line; 0 and empty when there is none
    number: int
    hash: str
    checkpoint: Checkpoint | None
    #: the first of them
    breaks: tuple[Break, ...]
    #: how many there are in all
    broken: int
    #: what could not be told, in words
    remarks: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether no break was found."""
        return not self.broken


def verify(
    database: Database, account: str, keys: Keys, mark: Mark | None = None, *, chunk: int = CHUNK
) -> Verdict:
    """Walk the account's whole chain. Lines may be added and deleted meanwhile."""
    walk = Walk(account, mark)
    while True:
        with snapshot(database) as conn:
            end = conn.execute(select(chain).where(chain.c.account == account)).first()
            rows = lines_after(conn, account, walk.place, chunk)
            unlinked = _unlinked(conn, account) if len(rows) < chunk else 0
        walk.begin_after(checkpoint_of(end))
        for row in rows:
            walk.take(row)
        if len(rows) < chunk:
            return walk.end(end, keys, unlinked)


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """A transaction that reads, in which every statement sees the same moment."""
    with database.read() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        yield conn


def lines_after(
    conn: Connection, account: str, place: tuple[int, int], limit: int
) -> list[Row[Any]]:
    """The lines after a place, as a `Walk` takes them; (0, 0) is before the first."""
    columns = evidence.c
    rows = conn.execute(
        select(
            columns.id, columns.number, columns.ticket_id, columns.at, columns.kind,
            # as text, since who changes a line need not leave JSON behind
            cast(columns.body, Text).label("body"),
            columns.salt, columns.digest, columns.hash,
        )
        .where(columns.account == account, tuple_(columns.number, columns.id) > place)
        .order_by(columns.number, columns.id)
        .limit(limit)
    )  # fmt: skip
    return list(rows)


def _unlinked(conn: Connection, account: str) -> int:
    columns = evidence.c
    query = select(func.count()).where(columns.account == account, columns.number.is_(None))
    return int(conn.scalar(query) or 0)


class Walk:
    """A walk along a chain, line after line."""

    def __init__(self, account: str, mark: Mark | None = None) -> None:
        self._account = account
        self._mark = mark
        #: number and row of the line that was last read
        self.place = (0, 0)
        self._number = 0
        #: hash of the line with that number; None: it is not known
        self._before: str | None = ""
        self._deleted = 0
        self._lines = 0
        self._forgotten = 0
        self.breaks: list[Break] = []
        self._broken = 0

    def begin_after(self, checkpoint: Checkpoint | None) -> None:
        """Lines up to here were deleted, before the walk or while it went on."""
        self._deleted = checkpoint.number if checkpoint is not None else 0
        if checkpoint is not None and checkpoint.number > self._number:
            self._number, self._before = checkpoint.number, checkpoint.hash

    def take(self, row: Row[Any]) -> None:
        """The next line that is there."""
        self.place = (row.number, row.id)
        if row.number <= self._deleted:
            why = f"it is there, though the lines up to {self._deleted} were deleted"
            self._break(Flaw.LEFT_OVER, row.number, why, row)
            return
        if row.number == self._number and self._lines:
            self._break(Flaw.DOUBLE, row.number, "its number stands twice", row)
            return
        if row.number > self._number + 1:
            self._lack(self._number + 1, row.number - 1)
        self._lines += 1
        self._check_content(row)
        self._check_link(row)
        if self._mark is not None and self._mark.number == row.number:
            self._check_mark(row.hash)
        self._number, self._before = row.number, row.hash

    def end(self, row: Row[Any] | None, keys: Keys, unlinked: int) -> Verdict:
        """The last line was taken; `row` is that of `chain`, which says where the end is."""
        number, newest = (row.number, row.hash or "") if row is not None else (0, "")
        if number > self._number:
            self._lack(self._number + 1, number)
        elif number < self._number:
            why = f"the account's chain is said to end with line {number}"
            self._break(Flaw.END, self._number, why)
        elif newest != self._before:
            self._break(Flaw.END, number, "it is not the line with which the chain is said to end")
        checkpoint = checkpoint_of(row)
        if checkpoint is not None:
            self._check_signature(checkpoint, keys)
        remarks = self._beyond(number, checkpoint)
        return Verdict(
            account=self._account,
            lines=self._lines,
            forgotten=self._forgotten,
            unlinked=unlinked,
            number=number,
            hash=newest,
            checkpoint=checkpoint,
            breaks=tuple(self.breaks),
            broken=self._broken,
            remarks=remarks,
        )

    def _check_content(self, row: Row[Any]) -> None:
        body = _parsed(row.body)
        if row.salt is None:
            self._forgotten += 1
            if row.ticket_id != NOBODY or body != {}:
                why = (
                    "its content can no longer be proven, and should have been taken out with that"
                )
                self._break(Flaw.CHANGED, row.number, why, row)
        elif digest(row.salt, row.ticket_id, row.kind, body) != row.digest:
            self._break(Flaw.CHANGED, row.number, "its content is not what was written", row)

    def _check_link(self, row: Row[Any]) -> None:
        if self._before is None:
            return
        try:
            made = link(self._before, self._account, row.number, row.at, row.digest)
        except (TypeError, ValueError):  # SQLite stores any value in any column
            made = None
        if made != row.hash:
            why = "its hash does not follow from its instant, its digest and the line before it"
            self._break(Flaw.DETACHED, row.number, why, row)

    def _check_mark(self, found: str) -> None:
        if self._mark is not None and found != self._mark.hash:
            why = "its hash is not the one that was kept"
            self._break(Flaw.MARK, self._mark.number, why)

    def _check_signature(self, checkpoint: Checkpoint, keys: Keys) -> None:
        try:
            is_ours = checkpoint.is_signed(keys)
            why = f"the checkpoint after it was not signed with the key of {keys.origin}"
        except ConnectorError as error:
            is_ours, why = False, f"nothing can tell who signed the checkpoint after it: {error}"
        if not is_ours:
            self._break(Flaw.CHECKPOINT, checkpoint.number, why)

    def _beyond(self, number: int, checkpoint: Checkpoint | None) -> tuple[str, ...]:
        """The mark, where its line was not met on the walk."""
        mark = self._mark
        if mark is None:
            return ()
        if mark.number > number:
            why = f"its hash was kept, and the chain ends with line {number}"
            self._break(Flaw.MARK, mark.number, why)
        elif checkpoint is not None and mark.number == checkpoint.number:
            self._check_mark(checkpoint.hash)
        elif checkpoint is not None and mark.number < checkpoint.number:
            return (f"line {mark.number} was deleted for its age, so that nothing tells its hash",)
        return ()

    def _lack(self, first: int, last: int) -> None:
        which = "it is" if first == last else f"the lines up to {last} are"
        self._break(Flaw.MISSING, first, f"{which} missing")
        self._before = None

    def _break(self, flaw: Flaw, number: int, why: str, row: Row[Any] | None = None) -> None:
        self._broken += 1
        if len(self.breaks) < MOST_NAMED:
            ticket_id, at = (row.ticket_id, row.at) if row is not None else (None, None)
            at = at if isinstance(at, int | float) else None
            one = Break(flaw=flaw, number=number, why=why, ticket_id=ticket_id or None, at=at)
            self.breaks.append(one)


def _parsed(body: str) -> Any:
    """The body; a text that is no JSON stands for itself, which no line ever had as its body."""
    try:
        return json.loads(body)
    except ValueError:
        return [body]
