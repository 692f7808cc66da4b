"""Chained evidence, private notes, timers that need no call, and what forgetting needs.

Everything that is new may be empty, so that the code before this migration goes on beside it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# updated at every look: room in each page keeps updates cheap, and dead rows go before they pile up
_BUSY = ("account", "budget", "history", "ticket")
_BUSY_OPTIONS = "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01"


def upgrade() -> None:
    op.add_column(
        "account",
        _number(
            "reconciled_at",
            sa.Double(),
            "when its open tickets were last asked for, whether or not changed",
        ),
    )
    for column in (
        _column("timer_at", sa.Double(), "the answer changes by itself then; empty: never"),
        _column("requester_id", sa.Text(), "the helpdesk's id of the customer, to forget him by"),
    ):
        op.add_column("ticket", column)
    for name in ("timer_at", "requester_id"):
        _index("ticket", f"ix_ticket_{name}", ["account", name], where=f"{name} IS NOT NULL")
    _index("ticket", "ix_ticket_evaluated", ["account", "is_over", "evaluated_at"])
    op.add_column(
        "history",
        _column("ticket", sa.JSON(), "as it was last read, in our words, while it is not over"),
    )
    _comments()
    _evidence()
    _chain()
    _note()
    op.create_table(
        "wake",
        _key("account", "account.name"),
        _number(
            "sent_at",
            sa.Double(),
            "a message that asks for a drain was sent, and none has begun since",
        ),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_wake")),
        comment="messages to the fleet that are on their way, at most one an account",
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in _BUSY:
            op.execute(f"ALTER TABLE {table} SET ({_BUSY_OPTIONS})")


def _column(name: str, kind: Any, comment: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable, comment=comment)


def _key(name: str, comment: str) -> sa.Column[Any]:
    return _column(name, sa.Text(), comment, nullable=False)


def _number(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, server_default="0", nullable=False, comment=comment)


def _index(
    table: str, name: str, columns: list[str], *, where: str | None = None, unique: bool = False
) -> None:
    text = sa.text(where) if where is not None else None
    op.create_index(name, table, columns, unique=unique, postgresql_where=text, sqlite_where=text)


def _comments() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            "ticket",
            "rank",
            existing_type=sa.Integer(),
            comment="-1 breach, 0 hint or timer, 1 retry, 2 backfill and re-evaluation",
        )
        op.alter_column(
            "ticket",
            "evaluated_at",
            existing_type=sa.Double(),
            comment="the `now` of the latest look",
        )


def _evidence() -> None:
    for column in (
        _column("number", sa.Integer(), "its place in the account's chain; empty: not linked yet"),
        _column("salt", sa.Text(), "makes the digest unguessable; empty: the line was forgotten"),
        _column("digest", sa.Text(), "SHA-256 of salt, ticket, kind and body"),
        _column("hash", sa.Text(), "SHA-256 of the line before, account, number, instant, digest"),
    ):
        op.add_column("evidence", column)
    _index("evidence", "ix_evidence_number", ["account", "number"], unique=True)
    _index("evidence", "ix_evidence_unlinked", ["account", "id"], where="number IS NULL")


def _chain() -> None:
    op.create_table(
        "chain",
        _key("account", "account.name"),
        _number("number", sa.Integer(), "of the newest line; 0: there is none"),
        _column("hash", sa.Text(), "of the newest line; empty: there is none"),
        _number(
            "pruned_number",
            sa.Integer(),
            "of the newest line that was deleted for its age; 0: none was",
        ),
        _column("pruned_hash", sa.Text(), "of that line; empty: none was"),
        _column("pruned_at", sa.Double(), "when lines were last deleted; empty: never"),
        _column(
            "signature",
            sa.Text(),
            "of account and the three before, with our key; empty: never pruned",
        ),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_chain")),
        comment="where an account's evidence begins and ends, so that no line can be taken away",
    )


def _note() -> None:
    op.create_table(
        "note",
        _column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            "rises in the order of writing",
            nullable=False,
        ),
        _key("account", "account.name"),
        _key("ticket_id", "the helpdesk's id of the ticket"),
        _key("metric", "the metric that it is about"),
        _key("cause", "why it is written: at_risk or breached"),
        _column("started_at", sa.Double(), "start of that clock: which cycle", nullable=False),
        _key("state", "due, sending, written, withheld or given_up"),
        _key("marker", "stands in the note, and in no other"),
        _key("body", "what is written, the marker included"),
        _number("attempts", sa.Integer(), "tries begun"),
        _number("not_before", sa.Double(), "no try before this instant"),
        _column("sending_at", sa.Double(), "the latest try began; empty: there was none"),
        _column("last_error", sa.Text(), "why the latest try failed, or why none is made"),
        _column("created_at", sa.Double(), "when it was stored", nullable=False),
        _column("written_at", sa.Double(), "when it was known to stand in the ticket"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note")),
        comment="private notes that were, or are to be, written into tickets; each exactly once",
        sqlite_autoincrement=True,
    )
    cycle = ["account", "ticket_id", "metric", "cause", "started_at"]
    _index("note", "ix_note_cycle", cycle, unique=True)
    _index("note", "ix_note_due", ["account", "not_before"], where="state IN ('due', 'sending')")
