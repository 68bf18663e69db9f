"""Dirty marks: "look at this object". Marks of a kind are drained together; one made during a drain calls for the next."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.kinds import KINDS, Kind
from orchestrator.storage.jobs import Jobs
from orchestrator.storage.repository import CHUNK, Repository
from orchestrator.storage.tables import dirty, drains


class DirtyMarks(Repository):
    def mark(self, kind: Kind, ids: Iterable[int]) -> str | None:
        """Mark objects and make sure, in the same commit, that a drain job will read them; returns that job's trace."""
        marks = [{"kind": kind, "object_id": object_id, "mark": 1, "marked_at": self.now} for object_id in set(ids)]
        if not marks:
            return None
        generation = self._generation(kind)
        for start in range(0, len(marks), CHUNK):
            statement = self.insert(dirty).values(
                sorted(marks[start : start + CHUNK], key=lambda mark: mark["object_id"])
            )
            self.connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["kind", "object_id"], set_={"mark": dirty.c.mark + 1, "marked_at": self.now}
                )
            )
        jobs = Jobs(self.connection, self._now)
        jobs.add(f"sync.{kind}", generation)
        return jobs.trace_of(f"sync.{kind}", generation)

    def begin_drain(self, kind: Kind, *, limit: int) -> dict[int, int]:
        """The marked objects of a kind, oldest first, as {id: mark}; later marks will call for another drain."""
        self.change(sa.update(drains).where(drains.c.kind == kind).values(generation=drains.c.generation + 1))
        chosen = sa.select(dirty.c.object_id, dirty.c.mark).where(dirty.c.kind == kind)
        rows = self.connection.execute(chosen.order_by(dirty.c.marked_at, dirty.c.object_id).limit(limit))
        return {row.object_id: row.mark for row in rows}

    def drained(self, kind: Kind, read: dict[int, int]) -> None:
        """Clear the marks that were read; one that was marked again meanwhile, or did not fit, is drained next."""
        # In order, as `mark` inserts them: two transactions that meet here must not wait for each other.
        for object_id, mark in sorted(read.items()):
            self.change(
                sa.delete(dirty).where(dirty.c.kind == kind, dirty.c.object_id == object_id, dirty.c.mark == mark)
            )
        left = self.connection.execute(sa.select(dirty.c.object_id).where(dirty.c.kind == kind).limit(1)).first()
        if left is not None:
            # Not marked again: another drain may be reading it now, and would then never be done with it.
            Jobs(self.connection, self._now).add(f"sync.{kind}", self._generation(kind))

    def _generation(self, kind: Kind) -> int:
        """Which drain will read what is marked now; locked against `begin_drain`, so that it does, or we see the next."""
        locked = sa.select(drains.c.generation).where(drains.c.kind == kind).with_for_update(read=True)
        return int(self.connection.execute(locked).scalar_one())

    def watermark(self, kind: Kind) -> datetime | None:
        """Up to where the sweep of this kind has read, or None before the first."""
        mark: datetime | None = self.connection.execute(
            sa.select(drains.c.watermark).where(drains.c.kind == kind)
        ).scalar_one()
        return mark

    def place(self, kind: Kind) -> tuple[datetime | None, datetime | None, str | None]:
        """The watermark, and if a sweep stopped in the middle of its list, when it began and where it goes on."""
        row = self.connection.execute(
            sa.select(drains.c.watermark, drains.c.sweep_began, drains.c.sweep_at).where(drains.c.kind == kind)
        ).one()
        return row.watermark, row.sweep_began, row.sweep_at

    def turn_page(self, kind: Kind, *, began: datetime, at: str, found: int) -> None:
        """A page of the sweep that began at `began` is applied, in this commit; its list goes on at `at`."""
        self._sweep(kind, found, sweep_began=began, sweep_at=at)

    def begin_again(self, kind: Kind) -> None:
        """Forget where the sweep stopped: the list is read from the watermark again (F37)."""
        self._sweep(kind, 0, sweep_began=None, sweep_at=None)

    def swept(self, kind: Kind, *, up_to: datetime, found: int) -> None:
        """Move the watermark, in the commit that applied the last page; `found` is what no webhook had told."""
        self._sweep(kind, found, watermark=up_to, sweep_began=None, sweep_at=None)

    def _sweep(self, kind: Kind, found: int, **values: object) -> None:
        counted = {"found_by_sweep": drains.c.found_by_sweep + found, "found_at": self.now} if found else {}
        self.change(sa.update(drains).where(drains.c.kind == kind).values(**values, **counted))

    def summary(self) -> dict[str, dict[str, Any]]:
        """For each kind: marks waiting, watermark, how much sweeps found that no webhook had told, and when last."""
        waiting = self.tally(dirty.c.kind)
        return {
            row["kind"]: {
                "waiting": waiting.get(row["kind"], 0),
                "watermark": row["watermark"],
                "found_by_sweep": row["found_by_sweep"],
                "found_at": row["found_at"],
            }
            for row in self.rows(sa.select(drains).where(drains.c.kind.in_(list(KINDS))).order_by(drains.c.kind))
        }
