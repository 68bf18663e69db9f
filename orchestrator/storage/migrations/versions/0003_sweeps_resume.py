"""A sweep that stopped in the middle of its list goes on there."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("drains", sa.Column("sweep_began", Instant(), nullable=True))
    op.add_column("drains", sa.Column("sweep_at", sa.Text(), nullable=True))
