"""How far this database came, and whether it recovers from a backup (F57)."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lineage = op.create_table(
        "lineage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("era", sa.String(length=64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("gate", sa.String(length=16), nullable=False),
        sa.Column("past_era", sa.String(length=64), nullable=True),
        sa.Column("cause", sa.String(length=32), nullable=True),
        sa.Column("since", Instant(), nullable=True),
        sa.Column("began_at", Instant(), nullable=True),
        sa.Column("adopted_at", Instant(), nullable=True),
        sa.Column("recovered_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage")),
    )
    op.bulk_insert(lineage, [{"id": 1, "era": uuid4().hex, "count": 0, "gate": "open"}])
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("doubted_at", Instant(), nullable=True))
