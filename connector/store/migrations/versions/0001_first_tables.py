"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column(
            "name", sa.Text(), nullable=False, comment="the account's name in deskclock.yaml"
        ),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="which helpdesk: zendesk or freshdesk"
        ),
        sa.Column(
            "vendor_account_id",
            sa.Text(),
            nullable=True,
            comment="the helpdesk's own id of the account, once known",
        ),
        sa.Column(
            "own_user_id",
            sa.Text(),
            nullable=True,
            comment="the helpdesk's id of the user that we are there",
        ),
        sa.Column(
            "state",
            sa.Text(),
            server_default="ok",
            nullable=False,
            comment="ok, or why nothing is done for it: held, sign_in_needed and others",
        ),
        sa.Column(
            "held_until",
            sa.Double(),
            server_default="0",
            nullable=False,
            comment="no call to the helpdesk before this instant",
        ),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="failures of the account in a row",
        ),
        sa.Column("last_error", sa.Text(), nullable=True, comment="the latest failure, in words"),
        sa.Column(
            "lease_holder",
            sa.Text(),
            nullable=True,
            comment="the worker that drains the account; empty: none",
        ),
        sa.Column(
            "lease_fence",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="raised by every take-over, so that an old holder is known",
        ),
        sa.Column(
            "lease_until",
            sa.Double(),
            server_default="0",
            nullable=False,
            comment="the lease ends at this instant",
        ),
        sa.Column(
            "clock_offset",
            sa.Double(),
            server_default="0",
            nullable=False,
            comment="the helpdesk's clock minus the database's, seconds",
        ),
        sa.Column(
            "clock_samples",
            sa.JSON(),
            nullable=True,
            comment="the latest offsets that were measured, seconds",
        ),
        sa.Column(
            "clock_checked_at",
            sa.Double(),
            server_default="0",
            nullable=False,
            comment="when the offset was last measured",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account")),
        comment="one helpdesk account and how it stands; never touched by the intake",
    )
    op.create_table(
        "delivery",
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "delivery_id",
            sa.Text(),
            nullable=False,
            comment="the helpdesk's own id of the delivery",
        ),
        sa.Column("ticket_id", sa.Text(), nullable=True, comment="the ticket that it was about"),
        sa.Column("received_at", sa.Double(), nullable=False, comment="when it was stored"),
        sa.PrimaryKeyConstraint("account", "delivery_id", name=op.f("pk_delivery")),
        comment="webhook deliveries that were accepted, so that a repeated one is known",
    )
    op.create_index(op.f("ix_delivery_received_at"), "delivery", ["received_at"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("id", ID, nullable=False, comment="rises in the order of writing"),
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "ticket_id", sa.Text(), nullable=False, comment="the helpdesk's id of the ticket"
        ),
        sa.Column("at", sa.Double(), nullable=False, comment="when it happened"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="evaluated, written, failed, conflict, parked",
        ),
        sa.Column("body", sa.JSON(), nullable=False, comment="what happened"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        comment="what was decided and done for a ticket, a line each",
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_evidence_account_ticket_id_id"),
        "evidence",
        ["account", "ticket_id", "id"],
        unique=False,
    )
    op.create_table(
        "heartbeat",
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="the process: 'worker', or 'worker:' and which of several",
        ),
        sa.Column("at", sa.Double(), nullable=False, comment="when it last said that it is alive"),
        sa.Column("body", sa.JSON(), nullable=False, comment="what it says about itself"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
        comment="the processes that are alive",
    )
    op.create_table(
        "history",
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "ticket_id", sa.Text(), nullable=False, comment="the helpdesk's id of the ticket"
        ),
        sa.Column(
            "body", sa.JSON(), nullable=False, comment="in the form of connector/engine/journal"
        ),
        sa.PrimaryKeyConstraint("account", "ticket_id", name=op.f("pk_history")),
        comment="what is known of a ticket's past",
    )
    op.create_table(
        "intent",
        sa.Column("id", ID, nullable=False, comment="never used twice"),
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "created_at", sa.Double(), nullable=False, comment="when the write was about to be sent"
        ),
        sa.Column(
            "settle_at",
            sa.Double(),
            nullable=False,
            comment="without an answer, look at this instant",
        ),
        sa.Column(
            "job_id",
            sa.Text(),
            nullable=True,
            comment="the helpdesk's id of the job; empty: no answer yet",
        ),
        sa.Column(
            "fence",
            sa.Integer(),
            nullable=False,
            comment="account.lease_fence of the worker that sent",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
        comment="bulk writes that were sent, or were about to be, and have no outcome yet",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "observation",
        sa.Column("id", ID, nullable=False, comment="rises in the order of arrival"),
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "ticket_id", sa.Text(), nullable=False, comment="the helpdesk's id of the ticket"
        ),
        sa.Column(
            "field", sa.Text(), nullable=False, comment="the value that changed, by our name"
        ),
        sa.Column("before", sa.Text(), nullable=True, comment="the value before; empty: unset"),
        sa.Column("after", sa.Text(), nullable=True, comment="the value after; empty: unset"),
        sa.Column(
            "at",
            sa.Double(),
            nullable=True,
            comment="when it changed, as the delivery says; empty: it does not",
        ),
        sa.Column("received_at", sa.Double(), nullable=False, comment="when it was stored"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        comment="what deliveries said about values; fills the history, is never written back from",
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_observation_account_ticket_id"),
        "observation",
        ["account", "ticket_id"],
        unique=False,
    )
    op.create_table(
        "ticket",
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "ticket_id", sa.Text(), nullable=False, comment="the helpdesk's id of the ticket"
        ),
        sa.Column(
            "look_at",
            sa.Double(),
            nullable=True,
            comment="look at it from this instant on; empty: nothing to do",
        ),
        sa.Column(
            "echo_at",
            sa.Double(),
            nullable=True,
            comment="our own write was echoed during a look: look again then",
        ),
        sa.Column(
            "rank",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="0 hint or timer, 1 retry, 2 backfill and re-evaluation",
        ),
        sa.Column(
            "not_before",
            sa.Double(),
            server_default="0",
            nullable=False,
            comment="backoff or quiet period; no hint lowers it",
        ),
        sa.Column(
            "wanted",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="raised by every hint, so that one that comes during a look is seen",
        ),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="looks begun since the last that succeeded",
        ),
        sa.Column(
            "parked",
            sa.Text(),
            nullable=True,
            comment="why it is left alone until somebody asks; empty: it is not",
        ),
        sa.Column(
            "seen_updated_at",
            sa.Double(),
            nullable=True,
            comment="the newest 'last updated' that the helpdesk showed",
        ),
        sa.Column(
            "written_fingerprint",
            sa.Text(),
            nullable=True,
            comment="fingerprint of the values that we last wrote",
        ),
        sa.Column(
            "open_intent",
            ID,
            nullable=True,
            comment="intent.id of a bulk write without an answer yet",
        ),
        sa.Column(
            "last_error",
            sa.Text(),
            nullable=True,
            comment="the latest failure of this ticket, in words",
        ),
        sa.Column(
            "evaluation",
            sa.JSON(),
            nullable=True,
            comment="the latest evaluation, as interfaces.md shows it",
        ),
        sa.Column(
            "evaluated_at", sa.Double(), nullable=True, comment="the `now` of that evaluation"
        ),
        sa.Column(
            "state", sa.Text(), nullable=True, comment="state of that evaluation, such as at_risk"
        ),
        sa.Column("severity", sa.Text(), nullable=True, comment="severity id of that evaluation"),
        sa.Column(
            "next_due_at",
            sa.Double(),
            nullable=True,
            comment="the next due instant of that evaluation",
        ),
        sa.Column(
            "created", sa.Double(), nullable=False, comment="when this row was made: the first hint"
        ),
        sa.PrimaryKeyConstraint("account", "ticket_id", name=op.f("pk_ticket")),
        comment="one row per ticket drives everything: queue, timer, retry and coalescer",
    )
    op.create_index(
        "ix_ticket_claim",
        "ticket",
        ["account", "rank", "look_at"],
        unique=False,
        postgresql_where=sa.text("look_at IS NOT NULL AND parked IS NULL"),
        sqlite_where=sa.text("look_at IS NOT NULL AND parked IS NULL"),
    )
    op.create_table(
        "intent_ticket",
        sa.Column("intent_id", ID, autoincrement=False, nullable=False, comment="intent.id"),
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "ticket_id", sa.Text(), nullable=False, comment="the helpdesk's id of the ticket"
        ),
        sa.Column(
            "fingerprint", sa.Text(), nullable=False, comment="fingerprint of the desired values"
        ),
        sa.Column("body", sa.JSON(), nullable=False, comment="the desired values"),
        sa.ForeignKeyConstraint(
            ["intent_id"],
            ["intent.id"],
            name=op.f("fk_intent_ticket_intent_id_intent"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("intent_id", "account", "ticket_id", name=op.f("pk_intent_ticket")),
        comment="the tickets of a bulk write",
    )
    if op.get_bind().dialect.name == "postgresql":
        # its rows change all the time: room for updates in place, and early cleaning
        op.execute(
            "ALTER TABLE ticket SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01)"
        )
