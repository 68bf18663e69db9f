"""What a dry run keeps: that it is one, and what it would have done."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Json, Serial

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "origin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_origin")),
    )
    op.create_table(
        "imagined",
        sa.Column("id", Serial, nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("subject_kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("facts", Json, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imagined")),
    )
    with op.batch_alter_table("imagined", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_imagined_verb"), ["verb"], unique=False)


def downgrade() -> None:
    op.drop_table("imagined")
    op.drop_table("origin")
