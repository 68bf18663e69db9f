"""A movement has its reference as others may write it, and a match is found by its right side."""

import sqlalchemy as sa
from alembic import op

from orchestrator.domain.references import normalise
from orchestrator.storage.types import Ordered

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BATCH = 5000


def upgrade() -> None:
    some = sa.text("source = 'clio_ledger' AND reference_normalised <> ''")
    with op.batch_alter_table("movements", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reference_normalised", Ordered, nullable=False, server_default=""))
    _fill(op.get_bind())
    op.create_index(
        "ix_movements_by_reference", "movements", ["account", "reference_normalised"],
        sqlite_where=some, postgresql_where=some,
    )  # fmt: skip
    with op.batch_alter_table("matches", schema=None) as batch_op:
        batch_op.drop_index("ix_matches_of_run")
        batch_op.create_index("ix_matches_of_right", ["run_id", "leg", "right_id"], unique=False)


def _fill(connection: sa.Connection) -> None:
    """In batches: the account of a large firm must not stand in memory."""
    movements = sa.table("movements", *map(sa.column, ("id", "reference", "reference_normalised")))
    chosen = sa.select(movements.c.id, movements.c.reference).where(movements.c.reference != "")
    filled = sa.update(movements).where(movements.c.id == sa.bindparam("movement"))
    filled = filled.values(reference_normalised=sa.bindparam("text"))
    last = 0
    while page := connection.execute(chosen.where(movements.c.id > last).order_by(movements.c.id).limit(BATCH)).all():
        connection.execute(filled, [{"movement": row.id, "text": normalise(row.reference)[:200]} for row in page])
        last = page[-1].id
