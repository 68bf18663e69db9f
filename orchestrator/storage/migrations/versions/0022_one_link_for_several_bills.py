"""One link for several bills of a client: whose it is, and what it collects of each."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.add_column(sa.Column("client_id", sa.BigInteger(), nullable=True))
        batch_op.create_index(batch_op.f("ix_links_client_id"), ["client_id"], unique=False)
    op.create_table(
        "link_parts",
        sa.Column("link_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bill_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("link_id", "bill_id", name=op.f("pk_link_parts")),
    )
    op.create_index(op.f("ix_link_parts_bill_id"), "link_parts", ["bill_id"])
