"""Differences that reconciliation found: one row from the first run that saw it to the one that no longer does."""

from collections.abc import Collection

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import breaks

STANDING = ("open", "reopened")
"""A reopened break waits for the run that will decide about it anew."""


class Breaks(Repository):
    def standing(self, *, kinds: Collection[str] = (), account: str | None = None) -> list[sa.RowMapping]:
        """Breaks that are not settled, the oldest first."""
        chosen = sa.select(breaks).where(breaks.c.state.in_(STANDING))
        if kinds:
            chosen = chosen.where(breaks.c.kind.in_(kinds))
        if account is not None:
            chosen = chosen.where(breaks.c.account == account)
        return self.rows(chosen.order_by(breaks.c.id))

    def get(self, break_id: int) -> sa.RowMapping | None:
        return self.one(sa.select(breaks).where(breaks.c.id == break_id))

    def reopen(self, ids: Collection[int]) -> int:
        """What was unknown about them is known now: the next run of their window decides."""
        mine = sa.and_(breaks.c.id.in_(ids), breaks.c.state == "open")
        return self.change(sa.update(breaks).where(mine).values(state="reopened", updated_at=self.now))
