"""Signed and thereby locked periods (T41)."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository, Row
from orchestrator.storage.tables import draws, periods


class Periods(Repository):
    def get(self, period_id: int | None) -> Row | None:
        return None if period_id is None else self.one(sa.select(periods).where(periods.c.id == period_id))

    def last(self, account: str) -> Row | None:
        """The last signed period."""
        mine = sa.select(periods).where(periods.c.account == account)
        return self.one(mine.order_by(periods.c.closed_on.desc()).limit(1))

    def sign(self, **values: Any) -> bool:
        """False when that period is signed already."""
        return self.add_once(periods, **values, signed_at=self.now)

    def authorisers(self, account: str, begins: datetime, ends: datetime) -> set[str]:
        """Who authorised the draws of an account between two moments."""
        mine = sa.and_(draws.c.account == account, draws.c.authorised_at >= begins, draws.c.authorised_at < ends)
        chosen = sa.select(draws.c.authorised_by).where(mine, draws.c.authorised_by.is_not(None))
        return set(self.connection.execute(chosen.distinct()).scalars())

    def signed(self, account: str | None = None) -> list[Row]:
        chosen = sa.select(periods).order_by(periods.c.closed_on.desc(), periods.c.id.desc())
        return self.rows(chosen.where(periods.c.account == account) if account else chosen)
