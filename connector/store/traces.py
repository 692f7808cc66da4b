"""Where a ticket leaves traces, and their removal."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from connector.store.tables import delivery, evidence, metadata, ticket

#: every table whose rows are about one ticket each, `ticket` first; a new one is among them by
#: itself. A delivery and a line of evidence stay, and only what they say of the ticket goes.
ABOUT_TICKETS = (
    ticket,
    *(
        table
        for table in metadata.sorted_tables
        if {"account", "ticket_id"} <= set(table.c.keys())
        and table not in (ticket, delivery, evidence)
    ),
)


def remove(conn: Connection, account: str, ticket_ids: Sequence[str]) -> int:
    """Delete all rows about these tickets; returns how many. Their evidence and deliveries stay."""
    ids = sorted(set(ticket_ids))
    # in the order in which webhooks take them, or two transactions would wait for each other
    rows = select(ticket.c.ticket_id).where(
        ticket.c.account == account, ticket.c.ticket_id.in_(ids)
    )
    conn.execute(rows.order_by(ticket.c.ticket_id).with_for_update())
    return sum(
        conn.execute(
            delete(table).where(table.c.account == account, table.c.ticket_id.in_(ids))
        ).rowcount
        for table in ABOUT_TICKETS
    )
