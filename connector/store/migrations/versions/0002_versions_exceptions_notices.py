"""Policy versions, exceptions for single tickets, and notices of escalation."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    basis = "fingerprint of the policies and the mode that it was served by"
    op.add_column("account", sa.Column("basis", sa.Text(), nullable=True, comment=basis))
    op.add_column(
        "ticket",
        sa.Column(
            "is_over",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="solved, closed or cancelled at that evaluation",
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        form = "the latest evaluation, in codes and figures"
        op.execute(f"COMMENT ON COLUMN ticket.evaluation IS '{form}'")
        op.execute("COMMENT ON COLUMN evidence.kind IS 'what kind of event'")
    _policy_version()
    _ticket_exception()
    _notice()


def _policy_version() -> None:
    op.create_table(
        "policy_version",
        sa.Column(
            "id", ID, nullable=False, comment="rises in the order in which they came into force"
        ),
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column("policy", sa.Text(), nullable=False, comment="id of the policy"),
        sa.Column("version", sa.Text(), nullable=False, comment="hash of what it comes to"),
        sa.Column(
            "in_force_from",
            sa.Double(),
            nullable=False,
            comment="first sight, by the helpdesk's clock",
        ),
        sa.Column(
            "source", sa.JSON(), nullable=False, comment="the texts from which it is loaded again"
        ),
        sa.Column(
            "tags", sa.JSON(), nullable=False, comment="every tag it can set, without the prefix"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_version")),
        comment="the policies that an account has had; a row for each time that one came into "
        "force",
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_policy_version_account_id"), "policy_version", ["account", "id"])


def _ticket_exception() -> None:
    op.create_table(
        "ticket_exception",
        sa.Column("id", ID, nullable=False, comment="rises in the order of writing"),
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "ticket_id", sa.Text(), nullable=False, comment="the helpdesk's id of the ticket"
        ),
        sa.Column(
            "metric",
            sa.Text(),
            nullable=True,
            comment="the metric whose due it gives; empty: every metric",
        ),
        sa.Column(
            "until", sa.Double(), nullable=False, comment="the due that was promised instead"
        ),
        sa.Column(
            "reference", sa.Text(), nullable=False, comment="where it was promised in writing"
        ),
        sa.Column("written_at", sa.Double(), nullable=False, comment="by the helpdesk's clock"),
        sa.Column(
            "written_by", sa.Text(), nullable=True, comment="who wrote it down; empty: nobody said"
        ),
        sa.Column(
            "withdrawn_at",
            sa.Double(),
            nullable=True,
            comment="by the helpdesk's clock; empty: it stands",
        ),
        sa.Column(
            "withdrawn_by", sa.Text(), nullable=True, comment="who took it back; empty: nobody said"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_exception")),
        comment="dues that were promised otherwise for single tickets",
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_ticket_exception_account_ticket_id"), "ticket_exception", ["account", "ticket_id"]
    )


def _notice() -> None:
    op.create_table(
        "notice",
        sa.Column("id", ID, nullable=False, comment="rises in the order of writing"),
        sa.Column("account", sa.Text(), nullable=False, comment="account.name"),
        sa.Column(
            "ticket_id", sa.Text(), nullable=False, comment="the helpdesk's id of the ticket"
        ),
        sa.Column("step", sa.Text(), nullable=False, comment="id of the step of the ladder"),
        sa.Column(
            "metric",
            sa.Text(),
            nullable=False,
            comment="the metric on whose clock it was reached",
        ),
        sa.Column(
            "started_at",
            sa.Double(),
            nullable=False,
            comment="start of that clock: which cycle",
        ),
        sa.Column("reached_at", sa.Double(), nullable=False, comment="when the step was reached"),
        sa.Column(
            "stands",
            sa.Boolean(),
            nullable=False,
            comment="whether it is reached since without a break",
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="due, sent, withheld or given_up"),
        sa.Column(
            "message_id",
            sa.Text(),
            nullable=False,
            comment="id of the message, the same at each try",
        ),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="the message, exactly as it is signed"
        ),
        sa.Column(
            "attempts", sa.Integer(), server_default="0", nullable=False, comment="tries begun"
        ),
        sa.Column(
            "not_before",
            sa.Double(),
            server_default="0",
            nullable=False,
            comment="no try before this instant",
        ),
        sa.Column(
            "last_error",
            sa.Text(),
            nullable=True,
            comment="why the latest try failed, or why none is made",
        ),
        sa.Column("created_at", sa.Double(), nullable=False, comment="when it was stored"),
        sa.Column("sent_at", sa.Double(), nullable=True, comment="when the receiver took it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        comment="steps of escalation ladders that were reached, and whether somebody was told",
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notice_account_ticket_id"), "notice", ["account", "ticket_id"])
    op.create_index(
        "ix_notice_due",
        "notice",
        ["account", "not_before"],
        postgresql_where=sa.text("state = 'due'"),
        sqlite_where=sa.text("state = 'due'"),
    )
