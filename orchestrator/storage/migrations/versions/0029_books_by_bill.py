"""The books are asked for a bill whenever it changed: which payments have booked something on it."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_journal_bill_id", "journal", ["bill_id"])
