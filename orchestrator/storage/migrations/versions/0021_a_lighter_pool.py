"""The pool of a run is written with half the indexes: the others hold only what no name has matched."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    some = sa.text("money <> ''")
    with op.batch_alter_table("unmatched", schema=None) as batch_op:
        batch_op.drop_index("ix_unmatched_of_run")
        for name, *columns in (("money", "money", "right"), ("amount", "amount_cents")):
            batch_op.drop_index(f"ix_unmatched_{name}")
            batch_op.create_index(
                f"ix_unmatched_{name}", ["run_id", "leg", *columns], sqlite_where=some, postgresql_where=some
            )
