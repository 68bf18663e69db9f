"""What a run said does not fit, in its own words."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import CHUNK, Repository, Row, parts
from orchestrator.storage.tables import differences


class Differences(Repository):
    def keep(self, run_id: int, found: Sequence[Mapping[str, Any]]) -> None:
        """The same difference twice is one."""
        if found:
            once = self.insert(differences).on_conflict_do_nothing()
            self.connection.execute(once, [{"run_id": run_id, **row} for row in found])

    def of_run(self, run_id: int) -> list[Row]:
        """What a run said does not fit, the most money first, without what only follows from it."""
        mine = sa.select(differences).where(differences.c.run_id == run_id, differences.c.root.is_(None))
        return self.rows(mine.order_by(differences.c.money_cents.desc(), differences.c.id))

    def in_pages(self, run_id: int) -> Iterator[list[Row]]:
        """What a run said does not fit, in the order in which it was found."""
        after = 0
        mine = sa.select(differences).where(differences.c.run_id == run_id).order_by(differences.c.id)
        while page := self.rows(mine.where(differences.c.id > after).limit(CHUNK)):
            yield page
            after = page[-1]["id"]

    def fingerprints(self, run_id: int) -> list[tuple[str, str, str | None]]:
        """The fingerprints of what a run found, each with its kind and its root's, in their order."""
        named = (differences.c.fingerprint, differences.c.kind, differences.c.root)
        mine = sa.select(*named).where(differences.c.run_id == run_id).order_by(differences.c.fingerprint)
        return [(row[0], row[1], row[2]) for row in self.connection.execute(mine)]

    def put_under(self, run_id: int, found: Mapping[str, str]) -> None:
        """Consequences stand under their roots, by fingerprint."""
        if found:
            mine = sa.and_(differences.c.run_id == run_id, differences.c.fingerprint == sa.bindparam("one"))
            moved = sa.update(differences).where(mine).values(root=sa.bindparam("under"))
            self.connection.execute(moved, [{"one": one, "under": root} for one, root in sorted(found.items())])

    def consequences(self, run_ids: Collection[int]) -> dict[tuple[int, str], list[Row]]:
        """What some runs found that follows from something else, by run and root."""
        found: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for part in parts(run_ids):
            mine = sa.and_(differences.c.run_id.in_(part), differences.c.root.is_not(None))
            for row in self.rows(sa.select(differences).where(mine).order_by(differences.c.id)):
                found[row["run_id"], row["root"]].append(row)
        return found
