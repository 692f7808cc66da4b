"""Copies everything from one database into another, of either kind."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    MetaData,
    Table,
    and_,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DataError

from connector.errors import StoreError
from connector.store import tables
from connector.store.database import Database
from connector.store.migrate import alone, head, migrate, refuse_newer, revision

CHUNK = 1_000  # rows that are in memory at a time


class NotEmptyError(StoreError):
    """The database holds something already; nothing was changed."""

    retryable = False


def fill(
    database: Database,
    source: Connection,
    *,
    replace: bool,
    afterwards: Callable[[Connection], None],
) -> Mapping[str, int]:
    """Put what `source` holds into `database`, in one transaction; returns the rows of each table.

    An older `source` is brought to the newest form on the way. `afterwards` ends the transaction.
    `replace`: what the database holds goes. Raises `StoreError`, and then nothing was changed;
    `NotEmptyError` without `replace`.
    """
    with alone(database) as target:
        refuse_newer(target, "the database")
        present = described(target)
        if not replace and any(_count(target, one) for one in present.tables.values()):
            raise NotEmptyError
        present.drop_all(target)
        target.execute(text("DROP TABLE IF EXISTS alembic_version"))
        migrate(target, revision(source) or head())
        counts = copy(source, target)
        migrate(target, head())
        afterwards(target)
    return counts


def copy(source: Connection, target: Connection) -> Mapping[str, int]:
    """Copy all rows into tables of the same revision that are empty; the rows of each table.

    What has arrived is compared with what was there. Raises `StoreError`.
    """
    there, here = described(source), described(target)
    for table in there.sorted_tables:
        _copy_rows(source, target, table, here.tables[table.name])
    for name, last in _last_ids(source, there).items():
        _count_on(target, name, last)
    counts = {name: _count(source, one) for name, one in there.tables.items()}
    arrived = {name: _count(target, one) for name, one in here.tables.items()}
    if counts != arrived or _chain_ends(source, there) != _chain_ends(target, here):
        different = sorted(name for name in counts if counts[name] != arrived.get(name))
        raise StoreError(
            f"not everything has arrived ({', '.join(different) or 'evidence'}); nothing was "
            "changed. Try again; if it stays so, keep both and report it"
        )
    return counts


def described(conn: Connection) -> MetaData:
    """Those of our tables that there are, in the form of whichever revision made them."""
    found = MetaData()
    event.listen(found, "column_reflect", _plain_json)
    names = set(inspect(conn).get_table_names())
    found.reflect(conn, only=[name for name in tables.metadata.tables if name in names])
    return found


def _plain_json(_inspector: object, _table: object, column: dict[str, Any]) -> None:
    if isinstance(column["type"], JSON):
        column["type"] = JSON(none_as_null=True)  # as in tables.py: nothing is NULL, not 'null'


def _copy_rows(source: Connection, target: Connection, old: Table, new: Table) -> None:
    rows = source.execute(select(old).execution_options(yield_per=CHUNK))
    try:
        for chunk in rows.mappings().partitions():
            target.execute(insert(new), [dict(row) for row in chunk])
    except DataError as error:
        raise StoreError(
            f"table {old.name} holds what {target.dialect.name} cannot store ({error.orig}); "
            "nothing was changed"
        ) from None


def _count(conn: Connection, table: Table) -> int:
    return conn.scalar(select(func.count()).select_from(table)) or 0


def _last_ids(conn: Connection, found: MetaData) -> dict[str, int]:
    """The id that was given out last, by table: one that was used is not given out again."""
    return {
        name: max(_counter(conn, name), conn.scalar(select(func.max(table.c.id))) or 0)
        for name, table in found.tables.items()
        if "id" in table.c
    }


def _counter(conn: Connection, name: str) -> int:
    if conn.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return conn.scalar(query, {"name": name}) or 0
    sequence = conn.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": name})
    query = text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")  # noqa: S608
    return conn.scalar(query) or 0


def _count_on(conn: Connection, name: str, last: int) -> None:
    """Let the ids of a table go on after `last`."""
    if conn.dialect.name == "sqlite":
        conn.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
        row = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")
        conn.execute(row, {"name": name, "last": last})
    elif last:
        query = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
        conn.execute(query, {"name": name, "last": last})


def _chain_ends(conn: Connection, found: MetaData) -> list[tuple[Any, ...]]:
    """Where each account's chain ends, and the hash of the line that stands there."""
    if "chain" not in found.tables:  # it came with revision 0004
        return []
    chain, evidence = found.tables["chain"], found.tables["evidence"]
    newest = and_(evidence.c.account == chain.c.account, evidence.c.number == chain.c.number)
    query = (
        select(chain.c.account, chain.c.number, chain.c.hash, evidence.c.hash)
        .select_from(chain.outerjoin(evidence, newest))
        .order_by(chain.c.account)
    )
    return [tuple(row) for row in conn.execute(query)]
