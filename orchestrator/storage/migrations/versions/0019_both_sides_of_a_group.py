"""Whether a group of the pool has another side is read from its index alone."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("unmatched", schema=None) as batch_op:
        for name in ("name", "reference", "money"):
            batch_op.drop_index(f"ix_unmatched_{name}")
            batch_op.create_index(f"ix_unmatched_{name}", ["run_id", "leg", name, "right"], unique=False)
