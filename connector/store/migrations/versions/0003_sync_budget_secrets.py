"""Sync, the rate budget, secrets, and what keeps us from writing to a ticket."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "account",
        _column("advice", sa.JSON(), "what an admin should know of its set-up, a line each"),
    )
    op.add_column(
        "account",
        _column("contested", sa.JSON(), "fields that are no longer written: name -> since when"),
    )
    op.add_column(
        "ticket",
        sa.Column(
            "was_over",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="solved when a backfill met it first: left as it stands until it changes",
        ),
    )
    for number in (
        _number("overwritten", sa.Integer(), "how often something else had replaced what we wrote"),
        _number("overwritten_at", sa.Double(), "when that was last found"),
        _number("conceded", sa.Integer(), "fields of single tickets that were given up so far"),
    ):
        op.add_column("account", number)
    op.add_column(
        "ticket",
        _column("hinted_at", sa.Double(), "the latest delivery of a webhook about it; empty: none"),
    )
    op.add_column(
        "ticket",
        _column("write_blocked", sa.Text(), "why no write is tried until the ticket changes"),
    )
    op.add_column(
        "ticket",
        _column(
            "conceded", sa.JSON(), "fields given up until we want another value: name -> value"
        ),
    )
    for name in ("parked", "write_blocked"):
        op.create_index(
            f"ix_ticket_{name}",
            "ticket",
            ["account", name],
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
            sqlite_where=sa.text(f"{name} IS NOT NULL"),
        )
    op.create_index("ix_ticket_hinted", "ticket", ["account", "hinted_at"])
    op.create_index(
        "ix_evidence_conceded",
        "evidence",
        ["account", "at"],
        postgresql_where=sa.text("kind = 'conceded'"),
        sqlite_where=sa.text("kind = 'conceded'"),
    )
    _sync()
    _past_event()
    _budget()
    _secret()


def _column(name: str, kind: Any, comment: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable, comment=comment)


def _key(name: str, comment: str) -> sa.Column[Any]:
    return _column(name, sa.Text(), comment, nullable=False)


def _number(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, server_default="0", nullable=False, comment=comment)


def _sync() -> None:
    op.create_table(
        "sync",
        _key("account", "account.name"),
        _key("feed", "changes: what is new; full: a backfill"),
        _column("since", sa.Double(), "it began at this instant, helpdesk's clock", nullable=False),
        _column("cursor", sa.JSON(), "where the next page begins; empty: at `since`"),
        _column("next_at", sa.Double(), "the next page is due at this instant; empty: it is over"),
        sa.Column(
            "paused",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="stopped by somebody; it goes on where it was",
        ),
        _column("position", sa.Double(), "everything before it was seen, helpdesk's clock"),
        _column(
            "body", sa.JSON(), "figures for showing, in the form of engine/sync", nullable=False
        ),
        _column("last_error", sa.Text(), "why the latest page failed, in words"),
        _column("started_at", sa.Double(), "when it was asked for", nullable=False),
        _column("ended_at", sa.Double(), "when it last came to the end"),
        sa.PrimaryKeyConstraint("account", "feed", name=op.f("pk_sync")),
        comment="how far what changed has been read, a row per account and feed",
    )


def _past_event() -> None:
    op.create_table(
        "past_event",
        _key("account", "account.name"),
        _key("ticket_id", "the helpdesk's id of the ticket"),
        sa.Column(
            "number",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="of the page that they came with",
        ),
        _column("rows", sa.JSON(), "in the form of the helpdesk's folder", nullable=False),
        sa.PrimaryKeyConstraint("account", "ticket_id", "number", name=op.f("pk_past_event")),
        comment="what a backfill has read of tickets' pasts; each goes when its ticket is looked "
        "at",
    )


def _budget() -> None:
    op.create_table(
        "budget",
        _key("account", "account.name"),
        _key("bucket", "the limit, by the name that the helpdesk's folder gives it"),
        sa.Column(
            "minutes",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="length of its window",
        ),
        _column(
            "allowance", sa.Integer(), "calls per window that the helpdesk allows; empty: unknown"
        ),
        _column("share", sa.Integer(), "of these, ours at most; empty: unknown"),
        _column("remaining", sa.Integer(), "calls left as far as we know; empty: it was not told"),
        _number("window_ends", sa.Double(), "until this instant no more are expected to be left"),
        _number("used", sa.Integer(), "calls of ours within one window's length before the latest"),
        _column("recent", sa.JSON(), "when these were made: [instant of the first, how many]"),
        _number("blocked_until", sa.Double(), "a refusal: no call before this instant"),
        _number("refusals", sa.Integer(), "answers of 429 so far"),
        _number("waits", sa.Integer(), "calls that were not made because our share was used up"),
        _number("waited", sa.Double(), "seconds that were waited so far"),
        _number("waiting_until", sa.Double(), "the seconds before this instant are counted"),
        _number("updated_at", sa.Double(), "the latest call"),
        sa.PrimaryKeyConstraint("account", "bucket", name=op.f("pk_budget")),
        comment="what is left of each of the helpdesk's limits, shared by all processes",
    )


def _secret() -> None:
    op.create_table(
        "secret",
        _key("account", "account.name"),
        _key("name", "what it is, such as oauth"),
        _column("value", sa.Text(), "encrypted (Fernet); empty: forgotten", nullable=False),
        _number(
            "generation",
            sa.Integer(),
            "raised by every write, so that what was read is known to still stand",
        ),
        _column("lease_holder", sa.Text(), "who renews it at the moment; empty: nobody"),
        _number("lease_until", sa.Double(), "that ends at this instant"),
        _column("updated_at", sa.Double(), "when it was written", nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_secret")),
        comment="secrets that the helpdesk gave us, encrypted",
    )
