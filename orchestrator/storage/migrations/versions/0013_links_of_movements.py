"""A movement says in a column of its own what it belongs to, so that both sides can be read in one order."""

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Ordered

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("movements", schema=None) as batch_op:
        batch_op.add_column(sa.Column("link", Ordered, nullable=False, server_default=""))
        batch_op.drop_index("ix_movements_by_parent")
        batch_op.create_index("ix_movements_by_link", ["account", "source", "link"], unique=False)
    op.execute("UPDATE movements SET link = substr(coalesce(parent, trim(reference)), 1, 200)")
    with op.batch_alter_table("unmatched", schema=None) as batch_op:
        batch_op.create_index("ix_unmatched_movement", ["run_id", "leg", "movement_id"], unique=False)
