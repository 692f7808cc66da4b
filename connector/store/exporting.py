"""The evidence as it is handed to others, who can check it without us."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from connector.store.checkpoint import Checkpoint, checkpoint_of
from connector.store.database import Database
from connector.store.proof import CHUNK, snapshot
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

    Each line names the hash of the one before it, so that it can be checked by itself.
    """
    with snapshot(database) as conn:
        row = conn.execute(select(chain).where(chain.c.account == wanted.account)).first()
        number, newest = (row.number, row.hash or "") if row is not None else (0, "")
        rows = _chunk(conn, wanted, 0, number)
    ends = Ends(checkpoint=checkpoint_of(row), number=number, hash=newest)
    return ends, _lines(database, wanted, number, rows)


def _lines(
    database: Database, wanted: Wanted, until: int, rows: Sequence[Row[Any]]
) -> Iterator[dict[str, Any]]:
    while rows:
        yield from map(_as_dict, rows)
        if len(rows) < CHUNK:
            return
        with snapshot(database) as conn:
            rows = _chunk(conn, wanted, rows[-1].number, until)


def _chunk(conn: Connection, wanted: Wanted, after: int, until: int) -> list[Row[Any]]:
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
        .limit(CHUNK)
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
