"""Audit lines: who did what to which thing and why, written in the transaction that did it."""

from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import audit

WORKER = "worker"


class Audit(Repository):
    def line(self, action: str, subject_kind: str, subject_id: object, *, actor: str = WORKER, **facts: Any) -> None:
        """Append one line; facts are ids, codes and amounts, never names or addresses."""
        self.connection.execute(
            sa.insert(audit).values(
                at=self.now,
                actor=actor,
                action=action,
                subject_kind=subject_kind,
                subject_id=str(subject_id),
                facts=facts,
            )
        )

    def about(self, subject_kind: str, subject_id: object) -> list[sa.RowMapping]:
        """Every line about one thing, oldest first."""
        chosen = sa.select(audit).where(audit.c.subject_kind == subject_kind, audit.c.subject_id == str(subject_id))
        return self.rows(chosen.order_by(audit.c.seq))
