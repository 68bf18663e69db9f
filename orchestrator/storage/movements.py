"""What each source saw of the firm's money: append-only, a changed sighting being a new version (T12, T44)."""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date

import sqlalchemy as sa

from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.storage.repository import CHUNK, Repository
from orchestrator.storage.tables import movements

NAMES = tuple(field.name for field in dataclasses.fields(Movement))


def to_movement(row: sa.RowMapping) -> Movement:
    values = {name: row[name] for name in NAMES}
    return Movement(
        **values
        | {
            "source": Source(row["source"]),
            "kind": MovementKind(row["kind"]),
            "status": MovementStatus(row["status"]),
        }
    )


class Movements(Repository):
    def see(self, seen: Sequence[Movement]) -> int:
        """Keep what is new or changed and return how many rows that made; what was known already makes none (F73)."""
        latest = {(movement.source, movement.external_id): movement for movement in seen}
        distinct = list(latest.values())
        return sum(self._see(distinct[start : start + CHUNK]) for start in range(0, len(distinct), CHUNK))

    def _see(self, seen: Sequence[Movement]) -> int:
        ids: dict[Source, list[str]] = defaultdict(list)
        for movement in seen:
            ids[movement.source].append(movement.external_id)
        known = {(source, name): row for source, of in ids.items() for name, row in self.heads(source, of).items()}
        return sum(
            self._add(movement, before)
            for movement in seen
            if (before := known.get((movement.source, movement.external_id))) is None
            or before["digest"] != movement.digest
        )

    def _add(self, movement: Movement, before: sa.RowMapping | None) -> bool:
        """Add a version after `before`, which ends with it; False when another transaction was first."""
        version = before["version"] + 1 if before is not None else 1
        values = dataclasses.asdict(movement) | {
            "version": version, "digest": movement.digest, "seen_at": self.now, "link": movement.link,
            "reference_normalised": movement.reference_normalised, "name_normalised": movement.name_normalised,
        }  # fmt: skip
        row = self.insert(movements).values(**values).on_conflict_do_nothing().returning(movements.c.id)
        added = self.connection.execute(row).scalar_one_or_none()
        if added is not None and before is not None:
            self.change(sa.update(movements).where(movements.c.id == before["id"]).values(ended_by=added))
        return added is not None

    def heads(self, source: Source, external_ids: Collection[str]) -> dict[str, sa.RowMapping]:
        """The newest version of each of these, by its external id."""
        mine = sa.select(movements).where(movements.c.source == source, movements.c.ended_by.is_(None))
        return {row["external_id"]: row for row in self.among(mine, movements.c.external_id, external_ids)}

    def current(
        self, *, account: str | None = None, source: Source | None = None, since: date | None = None,
        until: date | None = None, limit: int | None = None,
    ) -> list[Movement]:  # fmt: skip
        """What is known now, in order of day: of one account, one source, or from and to a day (both included)."""
        chosen = sa.select(movements).where(movements.c.ended_by.is_(None))
        if account is not None:
            chosen = chosen.where(movements.c.account == account)
        if source is not None:
            chosen = chosen.where(movements.c.source == source)
        if since is not None:
            chosen = chosen.where(movements.c.on >= since)
        if until is not None:
            chosen = chosen.where(movements.c.on <= until)
        return [to_movement(row) for row in self.rows(chosen.order_by(movements.c.on, movements.c.id).limit(limit))]

    def versions(self, source: Source, external_id: str) -> list[sa.RowMapping]:
        """Everything that was ever known of one movement, oldest first (T44)."""
        same = sa.and_(movements.c.source == source, movements.c.external_id == external_id)
        return self.rows(sa.select(movements).where(same).order_by(movements.c.version))

    def rows_of(self, ids: Collection[int]) -> dict[int, sa.RowMapping]:
        """These rows, whatever version they are, by id."""
        return {row["id"]: row for row in self.among(sa.select(movements), movements.c.id, ids)}

    def newest(self) -> int:
        """The id of the last row: everything up to it is one state of knowledge (T44)."""
        return int(self.connection.execute(sa.select(sa.func.coalesce(sa.func.max(movements.c.id), 0))).scalar_one())
