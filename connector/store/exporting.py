"""The evidence as it is handed to others, who can check it without us."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from connector.errors import StoreError
from connector.store.checkpoint import Checkpoint, checkpoint_of
from connector.store.database import Database
from connector.store.proof import CHUNK, is_unreadable, snapshot
from connector.store.tables import chain, evidence

FORM = 1  #: of the export; another one when a reader of this one would go wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which lines of an account. None: whatever it is."""

    account: str
    ticket_id: str | None = None
    #: from this instant on
    since: datetime | None = None
    #: before this instant
    until: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole chain."""
        return (self.ticket_id, self.since, self.until) == (None, None, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ends:
    """Where an account's chain begins and ends at the moment."""

    checkpoint: Checkpoint | None
    #: of the newest line; 0 and empty when there is none
    number: int
    hash: str


def export(database: Database, wanted: Wanted) -> tuple[Ends, Iterator[dict[str, Any]]]:
    """The ends of the chain at this moment, and the lines in between that are wanted, in order.

    Each line names the hash of the one before it, so that it can be checked by itself. Raises
    `StoreError` where something cannot be read.
    """
    try:
        with snapshot(database) as conn:
            row = conn.execute(select(chain).where(chain.c.account == wanted.account)).first()
    except Exception as error:
        if not is_unreadable(error):
            raise
        raise unreadable(wanted.account, "the row that tells the chain's end") from error
    number, newest = (row.number, row.hash or "") if row is not None else (0, "")
    texts, instant = (newest, row and row.pruned_hash, row and row.signature), row and row.pruned_at
    if (
        not isinstance(number, int)
        or not all(isinstance(one, str | None) for one in texts)
        or not isinstance(instant, int | float | None)
        or (row is not None and not isinstance(row.pruned_number, int))
    ):
        raise unreadable(wanted.account, "the row that tells the chain's end")
    ends = Ends(checkpoint=checkpoint_of(row), number=number, hash=newest)
    return ends, _lines(database, wanted, number)


def unreadable(account: str, what: str) -> StoreError:
    """The refusal of an export that would not hold what was written."""
    return StoreError(
        f"account {account}: {what} cannot be read; see: deskclock evidence verify {account}"
    )


def _lines(database: Database, wanted: Wanted, until: int) -> Iterator[dict[str, Any]]:
    after, limit = 0, CHUNK
    while True:
        try:
            with snapshot(database) as conn:
                rows = _chunk(conn, wanted, after, until, limit)
        except Exception as error:
            # a body that is no JSON, or nested too deep
            if not isinstance(error, ValueError | TypeError | RecursionError) and not (
                is_unreadable(error)
            ):
                raise
            if limit == 1:
                what = f"a line after number {after}"
                raise unreadable(wanted.account, what) from error
            limit //= 2  # until the line is found
            continue
        yield from map(_as_dict, rows)
        if len(rows) < limit:
            return
        after = rows[-1].number


def _chunk(conn: Connection, wanted: Wanted, after: int, until: int, limit: int) -> list[Row[Any]]:
    columns, before = evidence.c, evidence.alias("before")
    link = and_(before.c.account == columns.account, before.c.number == columns.number - 1)
    pruned = and_(chain.c.account == columns.account, chain.c.pruned_number == columns.number - 1)
    query = (
        select(
            columns.number, columns.at, columns.ticket_id, columns.kind, columns.body,
            columns.salt, columns.digest, columns.hash,
            func.coalesce(before.c.hash, chain.c.pruned_hash, "").label("before"),
        )
        .outerjoin(before, link)
        .outerjoin(chain, pruned)
        .where(columns.account == wanted.account, columns.number > after, columns.number <= until)
        .order_by(columns.number)
        .limit(limit)
    )  # fmt: skip
    if wanted.ticket_id is not None:
        query = query.where(columns.ticket_id == wanted.ticket_id)
    if wanted.since is not None:
        query = query.where(columns.at >= wanted.since.timestamp())
    if wanted.until is not None:
        query = query.where(columns.at < wanted.until.timestamp())
    return list(conn.execute(query))


def _as_dict(row: Row[Any]) -> dict[str, Any]:
    return {
        "number": row.number,
        "at": row.at,
        "ticket": row.ticket_id,
        "kind": row.kind,
        "body": row.body,
        "salt": row.salt,
        "digest": row.digest,
        "before": row.before,
        "hash": row.hash,
    }
