"""What a dry run would have done, and that a database belongs to one."""

from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import imagined, jobs, origin


class Imagined(Repository):
    def add(self, verb: str, subject_kind: str, subject_id: int | None, **facts: Any) -> int:
        """Keep one act; returns the id by which the imagined object is known, below zero as Clio's never are."""
        values = {"verb": verb, "subject_kind": subject_kind, "subject_id": subject_id, "facts": facts, "at": self.now}
        added = sa.insert(imagined).values(**values).returning(imagined.c.id)
        return -int(self.connection.execute(added).scalar_one())

    def get(self, ident: int) -> sa.RowMapping | None:
        return self.one(sa.select(imagined).where(imagined.c.id == -ident))

    def of(self, verb: str) -> list[sa.RowMapping]:
        """All acts of one kind, oldest first."""
        return self.rows(sa.select(imagined).where(imagined.c.verb == verb).order_by(imagined.c.id))

    def listed(self, *, limit: int) -> list[sa.RowMapping]:
        """The newest acts first."""
        return self.rows(sa.select(imagined).order_by(imagined.c.id.desc()).limit(limit))

    def counts(self) -> dict[str, int]:
        """Acts by verb."""
        return self.tally(imagined.c.verb)

    # ── whose database it is ──

    def begun(self) -> sa.RowMapping | None:
        """How this database was begun: `dry_run` and `begun_at`; None as long as no worker has used it."""
        return self.one(sa.select(origin.c.dry_run, origin.c.begun_at))

    def begin(self, *, dry_run: bool) -> bool:
        """Whether this database is a dry run's: decided once and for good, by the first process that works on it.

        One that was at work before it could be marked is live.
        """
        known = self.begun()
        if known is not None:
            return bool(known["dry_run"])
        used = self.connection.execute(sa.select(jobs.c.id).limit(1)).first() is not None
        self.add_once(origin, id=1, dry_run=dry_run and not used, begun_at=self.now)
        decided = self.begun()
        assert decided is not None
        return bool(decided["dry_run"])
