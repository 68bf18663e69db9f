"""What each source saw of the money, and where they differ."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Json, Ordered, Serial

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "movements",
        sa.Column("id", Serial, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("external_id", Ordered, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("at", Instant(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("matter_id", sa.BigInteger(), nullable=True),
        sa.Column("client_id", sa.BigInteger(), nullable=True),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("parent", Ordered, nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ended_by", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movements")),
        sa.UniqueConstraint("source", "external_id", "version", name=op.f("uq_movements_source_external_id_version")),
    )
    with op.batch_alter_table("movements", schema=None) as batch_op:
        batch_op.create_index("ix_movements_by_id", ["account", "source", "external_id"], unique=False)
        batch_op.create_index("ix_movements_by_parent", ["account", "source", "parent"], unique=False)
        batch_op.create_index(batch_op.f("ix_movements_matter_id"), ["matter_id"], unique=False)
    op.create_table(
        "breaks",
        sa.Column("id", Serial, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("matter_id", sa.BigInteger(), nullable=True),
        sa.Column("money_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("candidates", Json, nullable=False),
        sa.Column("movement_ids", Json, nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("owner", sa.String(length=120), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("cure_by", sa.Date(), nullable=True),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breaks")),
    )
    standing = sa.text("state IN ('open', 'reopened')")
    with op.batch_alter_table("breaks", schema=None) as batch_op:
        batch_op.create_index(
            "uq_breaks_standing", ["fingerprint"], unique=True, sqlite_where=standing, postgresql_where=standing
        )
