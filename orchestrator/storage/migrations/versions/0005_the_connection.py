"""The connection: who we are at Clio, the attempts to connect, and how each subscription fares."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from orchestrator.storage.types import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Defaults stand in the database too: a process of the former version goes on inserting while the fleet is upgraded.
FARES: tuple[sa.Column[Any], ...] = (
    sa.Column("asked_at", Instant(), nullable=True),
    sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("confirmed_at", Instant(), nullable=True),
    sa.Column("previous_path_token", sa.String(length=64), nullable=True),
    sa.Column("delivered_at", Instant(), nullable=True),
    sa.Column("refused", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("refused_in_a_row", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("refused_at", Instant(), nullable=True),
)


def upgrade() -> None:
    for column in FARES:
        op.add_column("subscriptions", column)
    op.create_table(
        "connections",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("proof", sa.String(length=64), nullable=False),
        sa.Column("connected_at", Instant(), nullable=False),
        sa.Column("checked_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_connections")),
    )
    op.create_table(
        "authorisations",
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("declined", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_authorisations")),
    )
