"""Retainers: requests to fill a matter's trust money up again."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Serial

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('wanted', 'asked', 'tasked')")


def upgrade() -> None:
    op.create_table(
        "retainers",
        sa.Column("id", Serial, nullable=False),
        sa.Column("matter_id", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("threshold_cents", sa.BigInteger(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=True),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retainers")),
        sa.UniqueConstraint("key", name=op.f("uq_retainers_key")),
        sa.UniqueConstraint("bill_id", name=op.f("uq_retainers_bill_id")),
    )
    op.create_index(op.f("ix_retainers_matter_id"), "retainers", ["matter_id"])
    op.create_index(
        "uq_retainers_open", "retainers", ["matter_id"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    )
