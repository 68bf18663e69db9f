"""A payment knows the ledger line that it left, so that both are certainly the same money."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("line_id", sa.BigInteger(), nullable=True))
        batch_op.create_index(batch_op.f("ix_payments_line_id"), ["line_id"], unique=False)
