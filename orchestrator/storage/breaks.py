"""Differences that reconciliation found: one row from the first run that saw it to the one that no longer does."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import CHUNK, Repository
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

    def of_account(self, account: str) -> list[sa.RowMapping]:
        """Every break of an account, settled ones first: of two with one fingerprint the standing one comes last."""
        mine = sa.select(breaks).where(breaks.c.account == account)
        return self.rows(mine.order_by(sa.case((breaks.c.state == "settled", 0), else_=1), breaks.c.id))

    def known(self, account: str) -> dict[str, int]:
        """The ids of an account's breaks that are not settled, by fingerprint."""
        mine = sa.select(breaks.c.fingerprint, breaks.c.id).where(
            breaks.c.account == account, breaks.c.state.in_(STANDING)
        )
        return dict(self.connection.execute(mine).all())

    def by_id(self, ids: Collection[int]) -> list[sa.RowMapping]:
        wanted = sorted(ids)
        found: list[sa.RowMapping] = []
        for start in range(0, len(wanted), CHUNK):
            found += self.rows(
                sa.select(breaks).where(breaks.c.id.in_(wanted[start : start + CHUNK])).order_by(breaks.c.id)
            )
        return found

    def add(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """The ids of new breaks, in the order given."""
        found: list[int] = []
        for start in range(0, len(rows), CHUNK):
            values = [
                {"state": "open", "opened_at": self.now, "updated_at": self.now, **row}
                for row in rows[start : start + CHUNK]
            ]
            added = sa.insert(breaks).returning(breaks.c.id, sort_by_parameter_order=True)
            found += self.connection.execute(added, values).scalars()
        return found

    def again(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """The next run says the same, maybe in other words: each row names its `break_id`."""
        if rows:
            names = ("run_id", "money_cents", "cause", "candidates", "movement_ids", "matter_id", "reference")
            said = {name: sa.bindparam(f"new_{name}", type_=breaks.c[name].type) for name in names}
            same = sa.update(breaks).where(breaks.c.id == sa.bindparam("break_id"))
            changed = same.values(**said, state="open", updated_at=self.now)
            self.connection.execute(
                changed, [{"break_id": row["break_id"], **{f"new_{name}": row[name] for name in names}} for row in rows]
            )

    def settle(self, ids: Collection[int]) -> None:
        """The newest run no longer sees them."""
        wanted = sorted(ids)
        for start in range(0, len(wanted), CHUNK):
            mine = breaks.c.id.in_(wanted[start : start + CHUNK])
            self.change(sa.update(breaks).where(mine).values(state="settled", updated_at=self.now))

    def look_after(self, break_id: int, **values: Any) -> bool:
        """A person's own words about a break: who looks after it, why it is there, until when it is cured (T43)."""
        mine = sa.update(breaks).where(breaks.c.id == break_id, breaks.c.state.in_(STANDING))
        return self.change(mine.values(**values, updated_at=self.now)) == 1
