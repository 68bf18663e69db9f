"""Anything that waits for a person: one queue."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import exceptions


def tick_key(topic: str) -> str:
    """The key under which every failed tick of a topic is one exception, however many slots it fails in."""
    return f"tick:{topic}"


# Asked with every bill and every job: built once.
_IS_OPEN = sa.select(exceptions.c.id).where(
    exceptions.c.kind == sa.bindparam("of_kind"),
    exceptions.c.key == sa.bindparam("under"),
    exceptions.c.state == "open",
)


class Exceptions(Repository):
    def open(
        self, kind: str, key: object, summary: str, *, subject: tuple[str, int] | None = None, job_id: int | None = None,
        money_cents: int | None = None,
    ) -> None:  # fmt: skip
        """Ask for a person; the same (kind, key) while open is only counted. `kind` is a code of `domain.reasons`."""
        values: dict[str, Any] = {
            "kind": kind,
            "key": str(key),
            "subject_kind": subject[0] if subject else None,
            "subject_id": subject[1] if subject else None,
            "job_id": job_id,
            "money_cents": money_cents,
            "summary": summary,
            "state": "open",
            "times": 1,
            "opened_at": self.now,
            "updated_at": self.now,
        }
        if not self.add_once(exceptions, **values):
            again = sa.update(exceptions).where(self._open(kind, key))
            money = {"money_cents": money_cents} if money_cents is not None else {}
            again = again.values(
                times=exceptions.c.times + 1, updated_at=self.now, summary=summary, job_id=job_id, **money
            )
            self.change(again)

    def open_new(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """`open` for many at once, none of which can be open already: kind, key, summary, subject and money_cents of each."""
        stamp = {"state": "open", "times": 1, "opened_at": self.now, "updated_at": self.now}
        values = [
            {name: value for name, value in row.items() if name != "subject"}
            | {"key": str(row["key"]), "subject_kind": row["subject"][0], "subject_id": row["subject"][1]}
            | stamp
            for row in rows
        ]
        if values:
            self.connection.execute(sa.insert(exceptions), values)

    def close(self, kind: str, key: object) -> None:
        """What called for a person is settled; closing what is not open does nothing."""
        self._settle(exceptions.c.kind == kind, exceptions.c.key == str(key))

    def close_all(self, kinds: Collection[str], key: object) -> None:
        """`close` for several kinds at once."""
        self._settle(exceptions.c.kind.in_(kinds), exceptions.c.key == str(key))

    def close_job(self, job_id: int) -> None:
        """The job that was parked has been given back to the workers."""
        self._settle(exceptions.c.job_id == job_id)

    def close_tick(self, topic: str) -> None:
        """A tick of this topic succeeded: whatever an earlier one called for a person for is over."""
        self._settle(exceptions.c.key == tick_key(topic))

    def resolve(self, exception_id: int) -> bool:
        """A person settled it; no fact is edited by that. False when it was not open."""
        return self._settle(exceptions.c.id == exception_id) == 1

    def is_open(self, kind: str, key: object) -> bool:
        """Whether a person is still wanted for this."""
        return self.connection.execute(_IS_OPEN, {"of_kind": kind, "under": str(key)}).first() is not None

    def told_at(self, kind: str, key: object) -> datetime | None:
        """When a person was called for this last, while one still is."""
        row = self.one(sa.select(exceptions.c.updated_at).where(self._open(kind, key)))
        return row["updated_at"] if row is not None else None

    def standing(self, kinds: Collection[str], key: object) -> list[str]:
        """Those of `kinds` for which a person is still wanted under this key."""
        mine = sa.and_(exceptions.c.kind.in_(kinds), exceptions.c.key == str(key), exceptions.c.state == "open")
        return [row["kind"] for row in self.rows(sa.select(exceptions.c.kind).where(mine))]

    def keys_standing(self, kinds: Collection[str], keys: Collection[str]) -> set[str]:
        """Those of these keys under which a person is still wanted for any of `kinds`."""
        mine = sa.and_(exceptions.c.kind.in_(kinds), exceptions.c.key.in_(keys), exceptions.c.state == "open")
        return set(self.connection.execute(sa.select(exceptions.c.key).where(mine)).scalars())

    def assign(self, exception_id: int, owner: str | None) -> None:
        """Who looks after it from now on; None for nobody."""
        mine = sa.update(exceptions).where(exceptions.c.id == exception_id)
        self.change(mine.values(owner=owner, updated_at=self.now))

    def listed(
        self, *, state: str | None = "open", kind: str | None = None, owner: str | None = None, unassigned: bool = False,
        before: datetime | None = None, about: tuple[str, int] | None = None, limit: int | None = 200,
    ) -> list[sa.RowMapping]:  # fmt: skip
        """The most money first, then the oldest; `before` leaves out what was opened since."""
        chosen = sa.select(exceptions)
        if state:
            chosen = chosen.where(exceptions.c.state == state)
        if kind:
            chosen = chosen.where(exceptions.c.kind == kind)
        if owner:
            chosen = chosen.where(exceptions.c.owner == owner)
        if unassigned:
            chosen = chosen.where(exceptions.c.owner.is_(None))
        if about:
            chosen = chosen.where(exceptions.c.subject_kind == about[0], exceptions.c.subject_id == about[1])
        if before:
            chosen = chosen.where(exceptions.c.opened_at <= before)
        money = sa.func.coalesce(exceptions.c.money_cents, 0).desc()
        return self.rows(chosen.order_by(money, exceptions.c.id).limit(limit))

    def about(self, subject_kind: str, subject_id: int) -> list[sa.RowMapping]:
        """Every exception about one thing, settled ones included, oldest first."""
        mine = sa.and_(exceptions.c.subject_kind == subject_kind, exceptions.c.subject_id == subject_id)
        return self.rows(sa.select(exceptions).where(mine).order_by(exceptions.c.id))

    def keyed(self, key: object) -> list[sa.RowMapping]:
        """Every exception under one key, settled ones included, oldest first."""
        return self.rows(sa.select(exceptions).where(exceptions.c.key == str(key)).order_by(exceptions.c.id))

    def get(self, exception_id: int) -> sa.RowMapping | None:
        return self.one(sa.select(exceptions).where(exceptions.c.id == exception_id))

    def open_counts(self) -> dict[str, int]:
        """Open exceptions by kind."""
        return self.tally(exceptions.c.kind, exceptions.c.state == "open")

    def _open(self, kind: str, key: object) -> sa.ColumnElement[bool]:
        return sa.and_(exceptions.c.kind == kind, exceptions.c.key == str(key), exceptions.c.state == "open")

    def _settle(self, *which: sa.ColumnElement[bool]) -> int:
        """Nobody is wanted any more for the open ones of these; returns how many there were."""
        mine = sa.update(exceptions).where(exceptions.c.state == "open", *which)
        return self.change(mine.values(state="resolved", updated_at=self.now))
