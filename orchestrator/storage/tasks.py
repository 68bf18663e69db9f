"""Tasks we asked people for in Clio, by our key."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import tasks


class Tasks(Repository):
    def intend(self, key: str, purpose: str, *, matter_id: int | None, **facts: Any) -> bool:
        """Remember a task we are about to ask for; False when it is intended already."""
        return self.add_once(
            tasks, key=key, purpose=purpose, matter_id=matter_id, facts=facts, complete=False, created_at=self.now
        )

    def made(self, key: str, clio_id: int) -> None:
        self.change(sa.update(tasks).where(tasks.c.key == key).values(clio_id=clio_id))

    def get(self, key: str) -> sa.RowMapping | None:
        return self.one(sa.select(tasks).where(tasks.c.key == key))

    def keyed(self, keys: Collection[str]) -> dict[str, sa.RowMapping]:
        """Those of these tasks that were ever intended, by their key."""
        return {row["key"]: row for row in self.rows(sa.select(tasks).where(tasks.c.key.in_(keys)))}

    def latest(self, purpose: str, matter_ids: Collection[int]) -> dict[int, sa.RowMapping]:
        """For each of these matters, the newest task of this purpose."""
        chosen = sa.select(tasks).where(tasks.c.purpose == purpose, tasks.c.matter_id.in_(matter_ids))
        return {row["matter_id"]: row for row in self.rows(chosen.order_by(tasks.c.created_at))}

    def any_open(self) -> bool:
        """Whether anything we asked a person for is not known to be completed, made at Clio already or not."""
        return (
            self.connection.execute(sa.select(tasks.c.key).where(tasks.c.complete.is_(False)).limit(1)).first()
            is not None
        )

    def ours(self, clio_ids: list[int]) -> list[sa.RowMapping]:
        """Those of these Clio tasks that we asked for."""
        return self.rows(sa.select(tasks).where(tasks.c.clio_id.in_(clio_ids)))

    def completed(self, key: str) -> bool:
        """Note that a person completed it; False when that was known."""
        done = sa.update(tasks).where(tasks.c.key == key, tasks.c.complete.is_(False)).values(complete=True)
        return self.change(done) == 1
