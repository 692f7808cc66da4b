"""The statements by which a hint or a request becomes the ticket's next look."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Insert, bindparam, case
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import ReturningInsert

from connector.store import tables
from connector.store.database import inserts


@dataclass(frozen=True, kw_only=True, slots=True)
class Statements:
    """The statements of one kind of database; to build them takes longer than to run them."""

    remember: ReturningInsert[tuple[str, str]]
    hint: Insert
    request: Insert


@cache
def statements(dialect: str) -> Statements:
    """The statements for `sqlite` or `postgresql`."""
    start = inserts(dialect)
    ticket, new = tables.ticket.c, start(tables.ticket).excluded
    delivery = tables.delivery.c
    is_due = ticket.look_at <= new.look_at
    is_echo = bindparam("echo", type_=Boolean)
    may_unpark = bindparam("unpark", type_=Boolean)
    return Statements(
        remember=start(tables.delivery)
        .on_conflict_do_nothing()
        .returning(delivery.account, delivery.delivery_id),
        # A customer's hint goes first and tries a parked ticket once. An echo does neither: if it
        # did, each write of ours would ask for the next, and the brakes would never hold.
        hint=_upsert(
            start(tables.ticket),
            ("hinted_at",),
            rank=case((is_echo, ticket.rank), else_=new.rank),
            parked=case((is_echo, ticket.parked), else_=None),
            wanted=case((is_echo, ticket.wanted), else_=ticket.wanted + new.wanted),
            echo_at=case((is_echo, new.look_at), else_=ticket.echo_at),
            hinted_at=new.hinted_at,
            was_over=case((is_echo, ticket.was_over), else_=False),
        ),
        request=_upsert(
            start(tables.ticket),
            (),
            rank=case((is_due & (ticket.rank < new.rank), ticket.rank), else_=new.rank),
            parked=case((may_unpark, None), else_=ticket.parked),
        ),
    )


def _upsert(row: sqlite.Insert, more: tuple[str, ...], **changes: ColumnElement[Any]) -> Insert:
    """Insert the ticket's row, or raise `wanted` and bring its look forward."""
    names = ("account", "ticket_id", "look_at", "rank", "wanted", "created", *more)
    row = row.values({name: bindparam(name) for name in names})
    ticket, new = tables.ticket.c, row.excluded
    sooner = case((ticket.look_at < new.look_at, ticket.look_at), else_=new.look_at)
    return row.on_conflict_do_update(
        index_elements=[ticket.account, ticket.ticket_id],
        set_={"wanted": ticket.wanted + new.wanted, "look_at": sooner, **changes},
    )
