"""Checks that a database is whole: its tables, its indexes, and what the rows say of each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Integer,
    Row,
    and_,
    exists,
    func,
    inspect,
    literal_column,
    select,
    text,
)

from connector.errors import ConnectorError, SettingsError
from connector.store.database import Database, now
from connector.store.keys import Keys
from connector.store.migrate import head, refuse_newer, revision
from connector.store.tables import (
    account,
    chain,
    evidence,
    intent,
    intent_ticket,
    metadata,
    secret,
    ticket,
)

CLOCKS_DIFFER_SECONDS = 60.0
NAMED = 5  # of the rows that a finding is about
_KINDS: dict[type, tuple[str, ...]] = {  # as SQLite calls them; others are texts
    Integer: ("integer",),
    BigInteger: ("integer",),
    Double: ("real", "integer"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that is wrong with the database."""

    #: what was checked
    check: str
    #: what was found, and what helps
    text: str


def check(database: Database, keys: Keys, host_now: float) -> Iterator[Finding]:
    """Everything that is wrong, as it is found; changes nothing.

    `host_now` is this host's clock, epoch seconds.
    """
    try:
        with database.snapshot() as conn:
            yield from _clock(conn, host_now)
            yield from _soundness(conn)
            found = revision(conn)
            if found != head():
                refuse_newer(conn, "the database")
                yield _old(found)
                return
            yield from _missing_indexes(conn)
            yield from _lost_intents(conn)
            yield from _empty_intents(conn)
            yield from _chain_ends(conn)
            yield from _homeless_evidence(conn)
            yield from _wrong_types(conn)
            yield from _counters(conn)
            yield from _secrets(conn, keys)
    except ConnectorError as error:
        yield Finding(check="database", text=str(error))


def _old(found: str | None) -> Finding:
    stands = f"it is at revision {found}" if found else "it has no tables"
    help_ = f"this deskclock needs {head()}; bring it there: deskclock db upgrade"
    return Finding(check="revision", text=f"{stands}, {help_}")


def _clock(conn: Connection, host_now: float) -> Iterator[Finding]:
    difference = now(conn) - host_now
    if abs(difference) > CLOCKS_DIFFER_SECONDS:
        where = "ahead of" if difference > 0 else "behind"
        yield Finding(
            check="clock",
            text=f"the database's clock is {abs(difference):.0f} s {where} this host's; set both "
            "right, since the signatures of webhooks are checked by the host's",
        )


def _soundness(conn: Connection) -> Iterator[Finding]:
    if conn.dialect.name == "sqlite":
        for line in conn.scalars(text("PRAGMA integrity_check(20)")):
            if line != "ok":
                yield Finding(check="integrity", text=f"{line}; restore a backup")
        for row in conn.execute(text("PRAGMA foreign_key_check")):
            yield Finding(
                check="foreign keys", text=f"a row of {row[0]} belongs to no row of {row[2]}"
            )
        return
    query = text(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE NOT (i.indisvalid AND i.indisready)"
        " AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname"
    )
    for name in conn.scalars(query):
        yield Finding(check="indexes", text=f"{name} is not valid; repair it: REINDEX INDEX {name}")


def _missing_indexes(conn: Connection) -> Iterator[Finding]:
    for table in metadata.sorted_tables:
        there = {one["name"] for one in inspect(conn).get_indexes(table.name)}
        for name in sorted(str(one.name) for one in table.indexes):
            if name not in there:
                yield Finding(check="indexes", text=f"{name} of table {table.name} is missing")


def _lost_intents(conn: Connection) -> Iterator[Finding]:
    columns = ticket.c
    is_lost = and_(
        columns.open_intent.is_not(None), ~exists().where(intent.c.id == columns.open_intent)
    )
    query = select(columns.account, columns.ticket_id, func.count().over().label("total")).where(
        is_lost
    )
    query = query.order_by(columns.account, columns.ticket_id).limit(NAMED)
    rows: Sequence[Row[*tuple[Any, ...]]] = conn.execute(query).all()
    if rows:
        yield Finding(
            check="bulk writes",
            text=f"{rows[0].total:,} tickets wait for a bulk write that is not there, and are not "
            f"looked at: {_named(rows, rows[0].total)}",
        )


def _empty_intents(conn: Connection) -> Iterator[Finding]:
    is_empty = ~exists().where(intent_ticket.c.intent_id == intent.c.id)
    query = select(intent.c.account, intent.c.id, func.count().over().label("total")).where(
        is_empty
    )
    rows: Sequence[Row[*tuple[Any, ...]]] = conn.execute(
        query.order_by(intent.c.id).limit(NAMED)
    ).all()
    if rows:
        yield Finding(
            check="bulk writes",
            text=f"{rows[0].total:,} bulk writes have no tickets: {_named(rows, rows[0].total)}",
        )


def _named(rows: Sequence[Row[*tuple[Any, ...]]], count: int) -> str:
    names = [f"{row[0]} {row[1]}" for row in rows]
    return ", ".join([*names, "…"] if count > len(names) else names)


def _chain_ends(conn: Connection) -> Iterator[Finding]:
    newest = and_(
        evidence.c.account == chain.c.account,
        evidence.c.number == chain.c.number,
        evidence.c.hash == chain.c.hash,
    )
    is_lost = and_(chain.c.number > chain.c.pruned_number, ~exists().where(newest))
    for row in conn.execute(select(chain.c.account, chain.c.number).where(is_lost)):
        yield Finding(
            check="evidence",
            text=f"the newest line of account {row.account}, number {row.number}, is missing or "
            f"another; see: deskclock evidence verify {row.account}",
        )


def _homeless_evidence(conn: Connection) -> Iterator[Finding]:
    is_chained, column = evidence.c.number.is_not(None), evidence.c.account
    for name, lacks in (
        ("chain", and_(is_chained, ~exists().where(chain.c.account == column))),
        ("account", ~exists().where(account.c.name == column)),
    ):
        query = select(column, func.count().label("total")).where(lacks).group_by(column)
        for row in conn.execute(query.order_by(column)):
            yield Finding(
                check="evidence",
                text=f"{row.total:,} lines are of account {row.account}, which has no row in table "
                f"{name}; see: deskclock evidence verify {row.account}",
            )


def _wrong_types(conn: Connection) -> Iterator[Finding]:
    if conn.dialect.name != "sqlite":  # which stores any value in any column
        return
    for table in (evidence, chain):
        for column in table.columns:
            kinds = _KINDS.get(type(column.type), ("text",))
            is_wrong = func.typeof(column).not_in([*kinds, "null"])
            count = conn.scalar(select(func.count()).select_from(table).where(is_wrong)) or 0
            if count:
                yield Finding(
                    check="evidence",
                    text=f"{count:,} rows of table {table.name} hold a {column.name} of another "
                    "type; see: deskclock evidence verify",
                )


def _counters(conn: Connection) -> Iterator[Finding]:
    if conn.dialect.name == "sqlite":  # an AUTOINCREMENT cannot fall behind
        return
    for table in metadata.sorted_tables:
        if "id" not in table.c:
            continue
        name = {"name": table.name}
        sequence = conn.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), name)
        newest = conn.scalar(select(func.max(table.c.id))) or 0
        last = conn.scalar(select(literal_column("last_value")).select_from(text(str(sequence))))
        if last is not None and newest > last:
            yield Finding(
                check="ids",
                text=f"the ids of table {table.name} go up to {newest}, but its sequence stands at "
                f"{last}; set it: SELECT setval('{sequence}', {newest})",
            )


def _secrets(conn: Connection, keys: Keys) -> Iterator[Finding]:
    columns = secret.c
    rows = conn.execute(select(secret).where(columns.value != "").order_by(columns.account)).all()
    for row in rows:
        try:
            keys.cipher().decrypt(row.value.encode())
        except InvalidToken:
            why = f"the key of {keys.origin} does not fit; put the one back that encrypted it"
        except SettingsError as error:
            why = str(error)
        else:
            continue
        yield Finding(check="secrets", text=f"{row.name} of account {row.account}: {why}")
