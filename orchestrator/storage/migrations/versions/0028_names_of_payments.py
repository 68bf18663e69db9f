"""A payment has its id as a ledger line may write it, and payments too are found by their references."""

import sqlalchemy as sa
from alembic import op

from orchestrator.domain.references import normalise
from orchestrator.storage.types import Ordered

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

BATCH = 5000


def upgrade() -> None:
    named, referred = sa.text("name_normalised <> ''"), sa.text("reference_normalised <> ''")
    with op.batch_alter_table("movements", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name_normalised", Ordered, nullable=False, server_default=""))
        batch_op.drop_index("ix_movements_by_reference")
    _fill(op.get_bind())
    op.create_index(
        "ix_movements_by_reference", "movements", ["account", "source", "reference_normalised"],
        sqlite_where=referred, postgresql_where=referred,
    )  # fmt: skip
    op.create_index(
        "ix_movements_by_name", "movements", ["account", "name_normalised"], sqlite_where=named, postgresql_where=named
    )


def _fill(connection: sa.Connection) -> None:
    """In batches: the account of a large firm must not stand in memory."""
    movements = sa.table("movements", *map(sa.column, ("id", "source", "external_id", "name_normalised")))
    payments = movements.c.source.in_(["lawpay", "clio_payments"])
    chosen = sa.select(movements.c.id, movements.c.external_id).where(payments).order_by(movements.c.id).limit(BATCH)
    filled = sa.update(movements).where(movements.c.id == sa.bindparam("movement"))
    filled = filled.values(name_normalised=sa.bindparam("text"))
    last = 0
    while page := connection.execute(chosen.where(movements.c.id > last)).all():
        connection.execute(filled, [{"movement": row.id, "text": normalise(row.external_id)[:200]} for row in page])
        last = page[-1].id
