"""Messages that wake the fleet: at most one on its way for each account."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, or_, select

from connector.store.database import insert, now
from connector.store.tables import account, wake

EXPIRY_SECONDS = 30.0  # a message that nobody has taken by then is dropped, and may be sent again


def ask(conn: Connection, names: Iterable[str]) -> list[str]:
    """For which of the accounts to send a message now; it counts as sent from then on.

    None is sent while one is on its way, or while somebody drains the account: who does looks once
    more after giving it back.
    """
    at = now(conn)
    columns = account.c
    resting = or_(columns.lease_holder.is_(None), columns.lease_until <= at)
    query = select(columns.name).where(columns.name.in_(sorted(names)), resting)
    found: list[str] = []
    for name in sorted(conn.scalars(query)):
        row = insert(conn, wake).values(account=name, sent_at=at)
        sent = conn.execute(
            row.on_conflict_do_update(
                index_elements=["account"],
                set_={"sent_at": at},
                where=wake.c.sent_at <= at - EXPIRY_SECONDS,
            ).returning(wake.c.account)
        )
        found += sent.scalars()
    return found


def answered(conn: Connection, names: Iterable[str]) -> None:
    """No message is on its way for the accounts any more: it has come, or could not be sent."""
    conn.execute(delete(wake).where(wake.c.account.in_(sorted(names))))


def overdue(conn: Connection, names: Iterable[str], seconds: float) -> list[str]:
    """Those of the accounts whose message has been on its way for so long, sorted."""
    columns = wake.c
    query = select(columns.account).where(
        columns.account.in_(sorted(names)), columns.sent_at <= now(conn) - seconds
    )
    return sorted(conn.scalars(query))
