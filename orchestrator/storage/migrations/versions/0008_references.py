"""The matter-ID lookup table, filled with what is known already; matters and bills carry what it needs."""

import sqlalchemy as sa
from alembic import op

from orchestrator.domain.references import normalise
from orchestrator.storage.types import Instant, Serial

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STANDING = "withdrawn_at IS NULL"
MAPPED = "kind = 'mapped' AND withdrawn_at IS NULL"


def upgrade() -> None:
    table = op.create_table(
        "matter_references",
        sa.Column("id", Serial, nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("normalised", sa.String(length=255), nullable=False),
        sa.Column("matter_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("withdrawn_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matter_references")),
    )
    for column in ("reference", "normalised", "matter_id"):
        op.create_index(op.f(f"ix_matter_references_{column}"), "matter_references", [column])
    for name, columns, where in (
        ("uq_matter_references_standing", ["provider", "kind", "reference", "matter_id"], STANDING),
        ("uq_matter_references_mapped", ["provider", "reference"], MAPPED),
    ):
        op.create_index(
            name,
            "matter_references",
            columns,
            unique=True,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
    op.create_table(
        "backfills",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("done_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_backfills")),
    )
    op.add_column("matters", sa.Column("custom_number", sa.Text(), nullable=True))
    op.add_column("matters", sa.Column("client_reference", sa.Text(), nullable=True))
    op.add_column("bills", sa.Column("number_normalised", sa.String(length=255), nullable=True))
    op.create_index(op.f("ix_bills_number_normalised"), "bills", ["number_normalised"])
    _fill(table)


def _fill(table: sa.Table) -> None:
    """What the mirror knows; custom numbers and client references follow when a matter is read again, or by backfill."""
    connection = op.get_bind()
    matters = sa.table("matters", sa.column("id"), sa.column("display_number"), sa.column("updated_at", Instant()))
    rows = [
        {
            "provider": "clio", "kind": "display_number", "reference": row.display_number,
            "normalised": normalise(row.display_number)[:255], "matter_id": row.id, "source": "clio", "current": True,
            "since": row.updated_at,
        }
        for row in connection.execute(sa.select(matters))
        if row.display_number.strip()
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(table), rows)
    bills = sa.table("bills", sa.column("id"), sa.column("number"), sa.column("number_normalised"))
    found = [
        {"bill": row.id, "text": normalise(row.number)[:255]}
        for row in connection.execute(sa.select(bills.c.id, bills.c.number))
    ]
    if found:
        same = sa.update(bills).where(bills.c.id == sa.bindparam("bill"))
        connection.execute(same.values(number_normalised=sa.bindparam("text")), found)
