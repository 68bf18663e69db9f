"""Requests to fill a matter's trust money up again."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.evergreen import RETAINER_TRANSITIONS, RetainerState
from orchestrator.domain.ids import effect_key
from orchestrator.errors import Stale
from orchestrator.storage.repository import Repository, Row
from orchestrator.storage.tables import retainers

OPEN = tuple(state for state, following in RETAINER_TRANSITIONS.items() if following)


class Retainers(Repository):
    def want(self, *, matter_id: int, **facts: Any) -> Row | None:
        """One more request for a matter that has none open; None when it has one."""
        counted = sa.select(sa.func.count()).where(retainers.c.matter_id == matter_id)
        key = effect_key("retainer", matter_id, self.connection.execute(counted).scalar_one() + 1)
        added = self.add_once(
            retainers, matter_id=matter_id, state=RetainerState.WANTED, key=key, created_at=self.now, updated_at=self.now,
            **facts,
        )  # fmt: skip
        return self.open_of(matter_id) if added else None

    def get(self, retainer_id: int) -> Row | None:
        return self.one(sa.select(retainers).where(retainers.c.id == retainer_id))

    def open_of(self, matter_id: int) -> Row | None:
        mine = sa.and_(retainers.c.matter_id == matter_id, retainers.c.state.in_(OPEN))
        return self.one(sa.select(retainers).where(mine))

    def last_of(self, matter_id: int) -> Row | None:
        """The newest request of a matter, open or not."""
        mine = sa.select(retainers).where(retainers.c.matter_id == matter_id)
        return self.one(mine.order_by(retainers.c.id.desc()).limit(1))

    def of_bill(self, bill_id: int) -> Row | None:
        return self.one(sa.select(retainers).where(retainers.c.bill_id == bill_id))

    def of_bills(self, bill_ids: Collection[int]) -> dict[int, Row]:
        """Those of these bills that are requests of ours, by bill."""
        chosen = sa.select(retainers).where(retainers.c.bill_id.in_(bill_ids))
        return {row["bill_id"]: row for row in self.rows(chosen)}

    def move(self, row: Row, state: RetainerState, **values: Any) -> None:
        """Along `RETAINER_TRANSITIONS` only; one that has moved meanwhile raises `Stale`."""
        if state not in RETAINER_TRANSITIONS[RetainerState(row["state"])]:
            raise Stale(f"Retainer {row['id']} is {row['state']}: it cannot become {state}.")
        moved = sa.update(retainers).where(retainers.c.id == row["id"], retainers.c.state == row["state"])
        if self.change(moved.values(state=state, updated_at=self.now, **values)) != 1:
            raise Stale(f"Retainer {row['id']} moved while we looked.")

    def answered(self, row: Row, bill_id: int) -> None:
        """This bill is the request."""
        mine = sa.update(retainers).where(retainers.c.id == row["id"])
        self.change(mine.values(bill_id=bill_id, updated_at=self.now))

    def listed(self, *, states: Collection[str] = (), limit: int = 200) -> list[Row]:
        """The newest first."""
        chosen = sa.select(retainers).order_by(retainers.c.id.desc()).limit(limit)
        return self.rows(chosen.where(retainers.c.state.in_(states)) if states else chosen)
