"""Letters that left, and the addresses that some of them came back from."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Json, Serial

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "posted",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("bill_ids", Json, nullable=False),
        sa.Column("posted_at", Instant(), nullable=False),
        sa.Column("bounced", sa.String(8), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_posted")),
    )
    op.create_table(
        "bounces",
        sa.Column("id", Serial, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("soft", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("bill_ids", Json, nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bounces")),
        sa.UniqueConstraint("address", name=op.f("uq_bounces_address")),
    )
    op.create_table(
        "bounce_box",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path_token", sa.String(64), nullable=False),
        sa.Column("validity", sa.BigInteger(), nullable=True),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("read_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bounce_box")),
    )
