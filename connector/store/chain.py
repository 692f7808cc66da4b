"""The chain of the evidence: each line holds the hash of the one before it, account by account.

A line that is changed, taken away or put in between breaks the chain from there on. What is hashed
of a line's content is a salted digest, so that a line can be forgotten and the chain still holds.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from connector.store.database import insert as upsert
from connector.store.database import now
from connector.store.tables import chain, evidence

SALT_BYTES = 16
FORGOTTEN = "forgotten"  #: kind of the lines that tell how many others were emptied
NOBODY = ""  #: ticket of a line that was forgotten, and of one that is about no single ticket


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Something that was decided or done for a ticket. `body` is JSON."""

    ticket_id: str
    kind: str
    body: Any


def append(conn: Connection, account: str, lines: Sequence[Line]) -> None:
    """Add lines to the account's chain, in this order."""
    if not lines:
        return
    at, (number, before) = now(conn), _end(conn, account)
    rows = []
    for one in lines:
        number += 1
        salt = secrets.token_hex(SALT_BYTES)
        content = digest(salt, one.ticket_id, one.kind, one.body)
        before = link(before, account, number, at, content)
        rows.append(
            {"account": account, "ticket_id": one.ticket_id, "at": at, "kind": one.kind}
            | {"body": one.body, "number": number, "salt": salt, "digest": content, "hash": before}
        )
    conn.execute(insert(evidence), rows)
    _move(conn, account, number, before)


def adopt(conn: Connection, account: str, limit: int = 1_000) -> int:
    """Link up to `limit` lines that an older deskclock has written; returns how many."""
    columns = evidence.c
    number, before = _end(conn, account)  # before reading, or two would link the same lines
    found = conn.execute(
        select(columns.id, columns.ticket_id, columns.at, columns.kind, columns.body)
        .where(columns.account == account, columns.number.is_(None))
        .order_by(columns.id)
        .limit(limit)
    ).all()
    if not found:
        return 0
    rows = []
    for row in found:
        number += 1
        salt = secrets.token_hex(SALT_BYTES)
        content = digest(salt, row.ticket_id, row.kind, row.body)
        before = link(before, account, number, row.at, content)
        new = {"new_number": number, "new_salt": salt, "new_digest": content, "new_hash": before}
        rows.append({"row": row.id, **new})
    conn.execute(
        update(evidence)
        .where(columns.id == bindparam("row"))
        .values(
            number=bindparam("new_number"),
            salt=bindparam("new_salt"),
            digest=bindparam("new_digest"),
            hash=bindparam("new_hash"),
        ),
        rows,
    )
    _move(conn, account, number, before)
    return len(rows)


def unlinked(conn: Connection) -> list[str]:
    """The accounts that have lines which an older deskclock has written."""
    columns = evidence.c
    query = select(columns.account).where(columns.number.is_(None)).distinct()
    return list(conn.scalars(query.order_by(columns.account)))


def redact(conn: Connection, account: str, ticket_ids: Sequence[str]) -> int:
    """Take what lines say of these tickets out, for good; returns of how many lines.

    Their place, instant and kind stay, and the digest, which tells nothing without its salt.
    """
    locked(conn, account)
    columns = evidence.c
    mine = (columns.account == account, columns.ticket_id.in_(list(ticket_ids)))
    return conn.execute(
        update(evidence).where(*mine).values(ticket_id=NOBODY, body={}, salt=None)
    ).rowcount


def digest(salt: str, ticket_id: str, kind: str, body: Any) -> str:
    """What stands in the chain for the content of a line."""
    content = json.dumps([ticket_id, kind, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{salt}\n{content}".encode()).hexdigest()


def link(before: str, account: str, number: int, at: float, content: str) -> str:
    """The hash of a line; `before` is that of the line before it, empty for the first."""
    text = "\n".join((before, account, str(number), repr(float(at)), content))
    return hashlib.sha256(text.encode()).hexdigest()


def locked(conn: Connection, account: str) -> Row[Any]:
    """The account's row of `chain`; whoever else changes its evidence waits for our commit."""
    query = select(chain).where(chain.c.account == account)
    row = conn.execute(query.with_for_update()).first()
    if row is None:
        first = upsert(conn, chain).values(account=account, number=0)
        conn.execute(first.on_conflict_do_nothing(index_elements=["account"]))
        row = conn.execute(query.with_for_update()).one()
    return row


def _end(conn: Connection, account: str) -> tuple[int, str]:
    """Number and hash of the newest line."""
    row = locked(conn, account)
    return row.number, row.hash or ""


def _move(conn: Connection, account: str, number: int, newest: str) -> None:
    conn.execute(update(chain).where(chain.c.account == account).values(number=number, hash=newest))
