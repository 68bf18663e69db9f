"""What became of each step of each bill's sequence, and each day's message to each client."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Json, Serial

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reminders",
        sa.Column("id", Serial, nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("looked_on", sa.Date(), nullable=False),
        sa.Column("silent_since", sa.Date(), nullable=True),
        sa.Column("letter_id", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
        sa.UniqueConstraint("bill_id", "step", name=op.f("uq_reminders_bill_id_step")),
    )
    with op.batch_alter_table("reminders", schema=None) as batch_op:
        batch_op.create_index("ix_reminders_state", ["state", "looked_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_reminders_letter_id"), ["letter_id"], unique=False)
    op.create_table(
        "reminder_letters",
        sa.Column("id", Serial, nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("thread", Json, nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("communication_id", sa.BigInteger(), nullable=True),
        sa.Column("approved_by", sa.String(length=120), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_letters")),
        sa.UniqueConstraint("client_id", "on", name=op.f("uq_reminder_letters_client_id_on")),
    )
    with op.batch_alter_table("reminder_letters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reminder_letters_on"), ["on"], unique=False)
