"""What LawPay told us, and payment pages among the links."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Json, Serial

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lawpay_feed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("watermark", Instant(), nullable=True),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("accounts_read_at", Instant(), nullable=True),
        sa.Column("polled_at", Instant(), nullable=True),
        sa.Column("path_token", sa.String(length=64), nullable=False),
        sa.Column("rung_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lawpay_feed")),
    )
    op.create_table(
        "lawpay_events",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("transaction_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lawpay_events")),
    )
    op.create_index(op.f("ix_lawpay_events_transaction_id"), "lawpay_events", ["transaction_id"])
    op.create_table(
        "lawpay_accounts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("takes", sa.String(length=16), nullable=False),
        sa.Column("trust", sa.Boolean(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lawpay_accounts")),
    )
    op.create_table(
        "lawpay_transactions",
        sa.Column("number", Serial, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("refunded_cents", sa.BigInteger(), nullable=False),
        sa.Column("charge_id", sa.String(length=64), nullable=True),
        sa.Column("failure_code", sa.String(length=64), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("modified_at", Instant(), nullable=False),
        sa.Column("read_at", Instant(), nullable=False),
        sa.Column("completed_at", Instant(), nullable=True),
        sa.Column("link_id", sa.BigInteger(), nullable=True),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("deviations", Json, nullable=False),
        sa.Column("standing_cents", sa.BigInteger(), nullable=False),
        sa.Column("booked_cents", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_lawpay_transactions")),
        sa.UniqueConstraint("id", name=op.f("uq_lawpay_transactions_id")),
    )
    op.create_index(op.f("ix_lawpay_transactions_charge_id"), "lawpay_transactions", ["charge_id"])
    op.create_index(op.f("ix_lawpay_transactions_link_id"), "lawpay_transactions", ["link_id"])
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.add_column(sa.Column("account", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("reference", sa.String(length=128), nullable=True))
        batch_op.add_column(sa.Column("reference_key", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("paid_before_cents", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("used_by", sa.String(length=64), nullable=True))
        batch_op.create_index(op.f("ix_links_reference_key"), ["reference_key"])
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rail", sa.String(length=16), nullable=False, server_default="clio_payments"))
