"""What brings a link to the client: a message of its own, or the reminder that waits for it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.add_column(sa.Column("brought_by", sa.String(length=16), nullable=False, server_default="message"))
