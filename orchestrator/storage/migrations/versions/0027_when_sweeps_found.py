"""Sweeps: when last one found what no webhook had told."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("drains", sa.Column("found_at", Instant(), nullable=True))
