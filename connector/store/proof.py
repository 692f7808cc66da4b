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

from sqlalchemy import Connection, Row, Text, cast, func, select, text, tuple_, union
from sqlalchemy.exc import SQLAlchemyError

from connector.errors import ConnectorError
from connector.store.chain import FORGOTTEN, NOBODY, digest, link
from connector.store.checkpoint import Checkpoint, checkpoint_of
from connector.store.database import Database, now
from connector.store.keys import Keys
from connector.store.tables import account as account_table
from connector.store.tables import chain, evidence

CHUNK = 2_000  # lines of one transaction; a long one would keep SQLite's log from being emptied
MOST_NAMED = 100  # breaks of one account; the others are counted
LATE_SECONDS = 86_400.0  # an older deskclock wrote its lines before ours began


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
        try:
            with snapshot(database) as conn:
                end = _end(conn, account)
                rows = lines_after(conn, account, walk.place, chunk)
                unlinked = _unlinked(conn, account) if len(rows) < chunk else Unlinked()
        except Exception as error:
            if not is_unreadable(error):
                raise
            if chunk == 1:
                return walk.stop(end, keys)
            chunk //= 2  # until the line is found that cannot be read
            continue
        walk.begin_after(end.checkpoint)
        for row in rows:
            if isinstance(row.number, int):
                walk.take(row)
            else:
                walk.take_unnumbered(row)
        if len(rows) < chunk:
            return walk.end(end, keys, unlinked)


def accounts_of(conn: Connection) -> list[str]:
    """The accounts that have evidence or could have; one that was deleted does not hide its own."""
    names = [account_table.c.name, chain.c.account, evidence.c.account]
    found = conn.scalars(union(*(select(one) for one in names)))
    return sorted(one for one in found if isinstance(one, str))


def is_unreadable(error: BaseException) -> bool:
    """Whether SQLite holds a text that is none, so that no row can be made of it."""
    return "Could not decode to UTF-8" in f"{error} {error.__cause__}"


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """What a row of `chain` says, as far as it can be understood."""

    #: of the newest line; None: nothing tells it
    number: int | None = 0
    hash: str = ""
    checkpoint: Checkpoint | None = None
    #: what cannot be understood
    wrong: tuple[tuple[Flaw, str], ...] = ()


def _end(conn: Connection, account: str) -> End:
    try:
        row = conn.execute(select(chain).where(chain.c.account == account)).first()
    except SQLAlchemyError as error:
        if not is_unreadable(error):
            raise
        return End(number=None, wrong=((Flaw.END, "what tells the chain's end cannot be read"),))
    if row is None:
        return End()
    wrong = [
        (flaw, f"{name} of the account's row in chain is no {what}")
        for flaw, name, kinds, what in _KINDS
        if not isinstance(getattr(row, name), kinds)
    ]
    flaws = {flaw for flaw, _ in wrong}
    ended = Flaw.END not in flaws
    return End(
        number=row.number if ended else None,
        hash=(row.hash or "") if ended else "",
        checkpoint=checkpoint_of(row) if Flaw.CHECKPOINT not in flaws else None,
        wrong=tuple(wrong),
    )


_TEXT, _INSTANT = (str, type(None)), (int, float, type(None))
_KINDS: tuple[tuple[Flaw, str, tuple[type, ...], str], ...] = (
    (Flaw.END, "number", (int,), "number"),
    (Flaw.END, "hash", _TEXT, "text"),
    (Flaw.CHECKPOINT, "pruned_number", (int,), "number"),
    (Flaw.CHECKPOINT, "pruned_hash", _TEXT, "text"),
    (Flaw.CHECKPOINT, "pruned_at", _INSTANT, "instant"),
    (Flaw.CHECKPOINT, "signature", _TEXT, "text"),
)


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """A transaction that reads, in which every statement sees the same moment."""
    with database.read() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        yield conn


def lines_after(
    conn: Connection, account: str, place: tuple[int, int] | None, limit: int
) -> list[Row[Any]]:
    """The lines after a place, as a `Walk` takes them; None is before the first."""
    columns = evidence.c
    is_after = (
        columns.number.is_not(None) if place is None else tuple_(columns.number, columns.id) > place
    )
    rows = conn.execute(
        select(
            columns.id, columns.number, columns.ticket_id, columns.at, columns.kind,
            # as text, since who changes a line need not leave JSON behind
            cast(columns.body, Text).label("body"),
            columns.salt, columns.digest, columns.hash,
        )
        .where(columns.account == account, is_after)
        .order_by(columns.number, columns.id)
        .limit(limit)
    )  # fmt: skip
    return list(rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlinked:
    """The lines that an older deskclock has written."""

    count: int = 0
    #: the latest instant that one of them names
    at: Any = None
    #: the database's time, epoch seconds
    now: float = 0.0


def _unlinked(conn: Connection, account: str) -> Unlinked:
    columns = evidence.c
    query = select(func.count(), func.max(columns.at))
    count, at = conn.execute(
        query.where(columns.account == account, columns.number.is_(None))
    ).one()
    return Unlinked(count=count, at=at, now=now(conn))


class Walk:
    """A walk along a chain, line after line."""

    def __init__(self, account: str, mark: Mark | None = None) -> None:
        self._account = account
        self._mark = mark
        #: number and row of the line that was last read
        self.place: tuple[int, int] | None = None
        self._number = 0
        #: hash of the line with that number; None: it is not known
        self._before: str | None = ""
        self._deleted = 0
        self._lines = 0
        self._forgotten = 0
        #: of these, lines with nothing left in them, and the first
        self._emptied = 0
        self._first_emptied = 0
        #: how many lines were emptied, as the chain tells
        self._told = 0
        #: of the newest line that names an instant
        self._at: float | None = None
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
        if row.number <= 0:
            self._break(Flaw.CHANGED, row.number, "no line was ever given such a number", row)
            return
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
        self._at = row.at if isinstance(row.at, int | float) else self._at
        self._number, self._before = row.number, row.hash

    def take_unnumbered(self, row: Row[Any]) -> None:
        """A line whose number is none; the databases put it after all others."""
        self.place = (row.number, row.id)
        why = f"the number of a line after it is none, but {type(row.number).__name__}"
        self._break(Flaw.CHANGED, self._number, why, row)

    def stop(self, end: End, keys: Keys) -> Verdict:
        """The next line cannot be read, and what comes after it is not known."""
        why = "a line after it cannot be read, since it holds text that is none"
        self._break(Flaw.CHANGED, self._number, why)
        told = End(number=None, checkpoint=end.checkpoint, wrong=end.wrong)
        return self.end(told, keys, Unlinked())

    def end(self, end: End, keys: Keys, unlinked: Unlinked) -> Verdict:
        """The last line was taken; `end` says where the end is."""
        for flaw, why in end.wrong:
            self._break(flaw, self._number, why)
        if end.number is not None:
            self._check_end(end.number, end.hash)
        number, newest, checkpoint = end.number or 0, end.hash, end.checkpoint
        if checkpoint is not None:
            self._check_signature(checkpoint, keys)
        elif self._emptied > self._told:
            why = "lines were emptied that no 'forgotten' line accounts for"
            self._break(Flaw.CHANGED, self._first_emptied, why)
        remarks = self._beyond(end.number, checkpoint) + self._late(unlinked)
        return Verdict(
            account=self._account,
            lines=self._lines,
            forgotten=self._forgotten,
            unlinked=unlinked.count,
            number=number,
            hash=newest,
            checkpoint=checkpoint,
            breaks=tuple(self.breaks),
            broken=self._broken,
            remarks=remarks,
        )

    def _check_end(self, number: int, newest: str) -> None:
        if number > self._number:
            self._lack(self._number + 1, number)
        elif number < self._number:
            why = f"the account's chain is said to end with line {number}"
            self._break(Flaw.END, self._number, why)
        elif newest != self._before:
            self._break(Flaw.END, number, "it is not the line with which the chain is said to end")

    def _check_content(self, row: Row[Any]) -> None:
        body = _parsed(row.body)
        if row.salt is None:
            self._forgotten += 1
            if row.ticket_id != NOBODY or body != {}:
                why = (
                    "its content can no longer be proven, and should have been taken out with that"
                )
                self._break(Flaw.CHANGED, row.number, why, row)
            else:
                self._emptied += 1
                self._first_emptied = self._first_emptied or row.number
            return
        try:
            is_same = digest(row.salt, row.ticket_id, row.kind, body) == row.digest
        except (TypeError, ValueError, RecursionError):  # SQLite stores any value in any column
            is_same = False
        if not is_same:
            self._break(Flaw.CHANGED, row.number, "its content is not what was written", row)
        elif row.kind == FORGOTTEN and isinstance(body, dict):
            count = body.get("lines")
            self._told += count if isinstance(count, int) else 0

    def _check_link(self, row: Row[Any]) -> None:
        if self._before is None:
            return
        try:
            made = link(self._before, self._account, row.number, row.at, row.digest)
        except (TypeError, ValueError, OverflowError):
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
        except (TypeError, ValueError):  # a text of no characters that there are
            is_ours, why = False, "the checkpoint after it cannot be understood"
        except ConnectorError as error:
            is_ours, why = False, f"nothing can tell who signed the checkpoint after it: {error}"
        if not is_ours:
            self._break(Flaw.CHECKPOINT, checkpoint.number, why)

    def _beyond(self, number: int | None, checkpoint: Checkpoint | None) -> tuple[str, ...]:
        """The mark, where its line was not met on the walk."""
        mark = self._mark
        if mark is None:
            return ()
        if number is None and mark.number > self._number:
            return (f"line {mark.number} was not reached, so that nothing tells its hash",)
        if number is not None and mark.number > number:
            why = f"its hash was kept, and the chain ends with line {number}"
            self._break(Flaw.MARK, mark.number, why)
        elif checkpoint is not None and mark.number == checkpoint.number:
            self._check_mark(checkpoint.hash)
        elif checkpoint is not None and mark.number < checkpoint.number:
            return (f"line {mark.number} was deleted for its age, so that nothing tells its hash",)
        return ()

    def _late(self, unlinked: Unlinked) -> tuple[str, ...]:
        """What is strange about lines that are said to be from before the chain."""
        if not unlinked.count:
            return ()
        if not isinstance(unlinked.at, int | float):
            return ("a line that is not linked names no instant",)
        if unlinked.at > unlinked.now:
            return ("a line that is not linked lies in the future",)
        if self._at is not None and unlinked.at > self._at + LATE_SECONDS:
            return ("a line that is not linked is more than a day later than the newest line",)
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
            ticket_id = ticket_id if isinstance(ticket_id, str) and ticket_id else None
            one = Break(flaw=flaw, number=number, why=why, ticket_id=ticket_id, at=at)
            self.breaks.append(one)


def _parsed(body: str) -> Any:
    """The body; a text that is no JSON stands for itself, which no line ever had as its body."""
    try:
        return json.loads(body)
    except (TypeError, ValueError, RecursionError):
        return [body]
