"""Trust ledgers whose lines nobody can change, draws, and what is held."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant, Serial

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trust_ledgers",
        sa.Column("id", Serial, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("matter_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("reserved_cents", sa.BigInteger(), nullable=False),
        sa.Column("claimed_cents", sa.BigInteger(), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("frozen_by", sa.String(length=64), nullable=True),
        sa.Column("moved_on", sa.Date(), nullable=True),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_ledgers")),
        sa.UniqueConstraint(
            "account", "kind", "client_id", "matter_id", name=op.f("uq_trust_ledgers_account_kind_client_id_matter_id")
        ),
        sa.CheckConstraint(
            "frozen OR (balance_cents >= 0 AND reserved_cents <= balance_cents)", name=op.f("ck_trust_ledgers_covered")
        ),
        sa.CheckConstraint("reserved_cents >= 0 AND claimed_cents >= 0", name=op.f("ck_trust_ledgers_promises")),
    )
    op.create_index(op.f("ix_trust_ledgers_matter_id"), "trust_ledgers", ["matter_id"])
    op.create_table(
        "trust_lines",
        sa.Column("id", Serial, nullable=False),
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("external_id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("party", sa.String(length=80), nullable=False),
        sa.Column("purpose", sa.String(length=80), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("clears_on", sa.Date(), nullable=True),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("reverses", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("authoriser", sa.String(length=120), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("told_at", Instant(), nullable=True),
        sa.Column("known_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_lines")),
        sa.UniqueConstraint("origin", "external_id", "version", name=op.f("uq_trust_lines_origin_external_id_version")),
        sa.UniqueConstraint("reverses", name=op.f("uq_trust_lines_reverses")),
    )
    op.create_index(op.f("ix_trust_lines_ledger_id"), "trust_lines", ["ledger_id"])
    op.create_index(op.f("ix_trust_lines_bill_id"), "trust_lines", ["bill_id"])
    op.create_table(
        "draws",
        sa.Column("id", Serial, nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ledger_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("matter_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("notice", sa.String(length=200), nullable=True),
        sa.Column("notice_channel", sa.String(length=32), nullable=True),
        sa.Column("noticed_at", Instant(), nullable=True),
        sa.Column("draw_from", sa.Date(), nullable=True),
        sa.Column("proposed_at", Instant(), nullable=False),
        sa.Column("authorised_at", Instant(), nullable=True),
        sa.Column("authorised_by", sa.String(length=120), nullable=True),
        sa.Column("line_id", sa.BigInteger(), nullable=True),
        sa.Column("posted_at", Instant(), nullable=True),
        sa.Column("reconciled_at", Instant(), nullable=True),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draws")),
        sa.UniqueConstraint("bill_id", "purpose", "sequence", name=op.f("uq_draws_bill_id_purpose_sequence")),
        sa.UniqueConstraint("key", name=op.f("uq_draws_key")),
        sa.UniqueConstraint("line_id", name=op.f("uq_draws_line_id")),
    )
    op.create_index(op.f("ix_draws_ledger_id"), "draws", ["ledger_id"])
    standing = sa.text("state IN ('proposed', 'authorised')")
    op.create_index(
        "uq_draws_open", "draws", ["bill_id", "purpose"], unique=True, sqlite_where=standing, postgresql_where=standing
    )
    op.create_table(
        "trust_holds",
        sa.Column("id", Serial, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("ledger_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=120), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("released_by", sa.String(length=120), nullable=True),
        sa.Column("released_why", sa.Text(), nullable=True),
        sa.Column("released_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_holds")),
    )
    op.create_index(op.f("ix_trust_holds_bill_id"), "trust_holds", ["bill_id"])
    op.create_index(op.f("ix_trust_holds_ledger_id"), "trust_holds", ["ledger_id"])
    drains = sa.table("drains", sa.column("kind"), sa.column("generation"), sa.column("found_by_sweep"))
    op.bulk_insert(drains, [{"kind": "ledger", "generation": 1, "found_by_sweep": 0}])
    _forbid_changes(op.get_bind().dialect.name)


def _forbid_changes(dialect: str) -> None:
    """Refused by the database itself, so that no code path, present or future, can edit or drop a posted line (T12)."""
    if dialect == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER trust_lines_no_{verb.lower()} BEFORE {verb} ON trust_lines "
                "BEGIN SELECT RAISE(ABORT, 'trust_lines is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION trust_lines_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'trust_lines is append-only' USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER trust_lines_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON trust_lines "
        "FOR EACH STATEMENT EXECUTE FUNCTION trust_lines_append_only()"
    )
