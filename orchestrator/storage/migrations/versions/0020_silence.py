"""What decides whether a client is reminded: credit, delivery, Clio's own reminders, and what people said."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Json, Serial

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("bills", schema=None) as batch_op:
        batch_op.add_column(sa.Column("credited_cents", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("sent_by_clio", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "clients",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("clio_reminds", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("custom_fields", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
    )
    op.create_table(
        "credit_memos",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=True),
        sa.Column("unapplied_cents", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_memos")),
    )
    with op.batch_alter_table("credit_memos", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_credit_memos_client_id"), ["client_id"], unique=False)
    op.create_table(
        "readings",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("read_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_readings")),
    )
    op.create_table(
        "reminder_holds",
        sa.Column("id", Serial, nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=120), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_holds")),
        sa.UniqueConstraint("ends", name=op.f("uq_reminder_holds_ends")),
    )
    with op.batch_alter_table("reminder_holds", schema=None) as batch_op:
        batch_op.create_index("ix_reminder_holds_subject", ["subject_kind", "subject_id"], unique=False)
