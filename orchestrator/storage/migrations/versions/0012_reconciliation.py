"""Reconciliation runs: what each matched, what it left, and the periods that were signed."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Json, Ordered, Serial

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bank_files",
        sa.Column("id", Serial, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.String(length=8), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("opening_cents", sa.BigInteger(), nullable=False),
        sa.Column("closing_cents", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("imported_by", sa.String(length=120), nullable=False),
        sa.Column("imported_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_files")),
        sa.UniqueConstraint("account", "digest", name=op.f("uq_bank_files_account_digest")),
    )
    op.create_table(
        "differences",
        sa.Column("id", Serial, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("money_cents", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("matter_id", sa.BigInteger(), nullable=True),
        sa.Column("candidates", Json, nullable=False),
        sa.Column("movement_ids", Json, nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_differences")),
        sa.UniqueConstraint("run_id", "fingerprint", name=op.f("uq_differences_run_id_fingerprint")),
    )
    op.create_table(
        "matches",
        sa.Column("id", Serial, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("leg", sa.String(length=16), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("left_id", sa.BigInteger(), nullable=True),
        sa.Column("right_id", sa.BigInteger(), nullable=True),
        sa.Column("on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matches")),
    )
    with op.batch_alter_table("matches", schema=None) as batch_op:
        batch_op.create_index("ix_matches_of_run", ["run_id", "leg"], unique=False)
    op.create_table(
        "periods",
        sa.Column("id", Serial, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("reviewer", sa.String(length=120), nullable=False),
        sa.Column("waiver", sa.Text(), nullable=True),
        sa.Column("inputs_digest", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("signed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_periods")),
        sa.UniqueConstraint("account", "closed_on", name=op.f("uq_periods_account_closed_on")),
    )
    op.create_table(
        "runs",
        sa.Column("id", Serial, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("cut_off", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("inputs", Json, nullable=False),
        sa.Column("inputs_digest", sa.String(length=64), nullable=False),
        sa.Column("place", Json, nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.Column("statement", Json, nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint(
            "account", "opened_on", "cut_off", "version", name=op.f("uq_runs_account_opened_on_cut_off_version")
        ),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(
            "uq_runs_inputs",
            ["account", "opened_on", "cut_off", "inputs_digest"],
            unique=True,
            sqlite_where=sa.text("state <> 'abandoned'"),
            postgresql_where=sa.text("state <> 'abandoned'"),
        )
    op.create_table(
        "unmatched",
        sa.Column("id", Serial, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("leg", sa.String(length=16), nullable=False),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("matter_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("name", Ordered, nullable=False),
        sa.Column("reference", Ordered, nullable=False),
        sa.Column("money", Ordered, nullable=False),
        sa.Column("client", Ordered, nullable=False),
        sa.Column("matter", Ordered, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmatched")),
    )
    with op.batch_alter_table("unmatched", schema=None) as batch_op:
        batch_op.create_index("ix_unmatched_amount", ["run_id", "leg", "amount_cents"], unique=False)
        batch_op.create_index("ix_unmatched_money", ["run_id", "leg", "money"], unique=False)
        batch_op.create_index("ix_unmatched_name", ["run_id", "leg", "name"], unique=False)
        batch_op.create_index("ix_unmatched_of_run", ["run_id", "leg", "state", "id"], unique=False)
        batch_op.create_index("ix_unmatched_reference", ["run_id", "leg", "reference"], unique=False)
    with op.batch_alter_table("movements", schema=None) as batch_op:
        batch_op.create_index("ix_movements_by_amount", ["amount_cents", "on"], unique=False)
