"""Audit lines are chained by hashes, the existing ones too."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from orchestrator.domain.audit_chain import GENESIS, Line, line_hash
from orchestrator.storage.types import Instant, Json

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PIECE = 500
SAID = ("seq", "at", "actor", "action", "subject_kind", "subject_id", "facts")


def upgrade() -> None:
    op.add_column("audit", sa.Column("prev", sa.String(length=64), nullable=True))
    op.add_column("audit", sa.Column("hash", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_audit_hash"), "audit", ["hash"])
    _chain()


def _chain() -> None:
    connection = op.get_bind()
    kinds: dict[str, Any] = {"at": Instant(), "facts": Json, "seq": sa.BigInteger()}
    audit = sa.table("audit", *(sa.column(name, kinds.get(name, sa.String())) for name in (*SAID, "prev", "hash")))
    sealed = sa.update(audit).where(audit.c.seq == sa.bindparam("of"))
    sealed = sealed.values(prev=sa.bindparam("before"), hash=sa.bindparam("own"))
    after, prev = 0, GENESIS
    while True:
        chosen = sa.select(*(audit.c[name] for name in SAID)).where(audit.c.seq > after).order_by(audit.c.seq)
        rows = connection.execute(chosen.limit(PIECE)).mappings().all()
        if not rows:
            return
        values = []
        for row in rows:
            own = line_hash(Line(**row), prev)
            values.append({"of": row["seq"], "before": prev, "own": own})
            after, prev = row["seq"], own
        connection.execute(sealed, values)
