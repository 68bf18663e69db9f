"""A run says since when its matches are let go."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pruned_at", Instant(), nullable=True))
