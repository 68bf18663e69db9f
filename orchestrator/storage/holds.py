"""What people said that silences reminders: append-only, a hold ends by a row that names it."""

from collections.abc import Collection
from datetime import date

import sqlalchemy as sa

from orchestrator.domain.silence import HoldKind, Subject
from orchestrator.storage.repository import Repository, Row
from orchestrator.storage.tables import reminder_holds


class Holds(Repository):
    def add(self, subject: Subject, subject_id: int, kind: HoldKind, *, until: date | None, why: str, by: str) -> int:
        values = {"subject_kind": subject, "subject_id": subject_id, "kind": kind, "until": until, "why": why}
        added = sa.insert(reminder_holds).values(**values, made_by=by, made_at=self.now).returning(reminder_holds.c.id)
        return int(self.connection.execute(added).scalar_one())

    def end(self, hold: Row, *, why: str, by: str) -> bool:
        """Write that a hold is over; False when it was."""
        copied = {name: hold[name] for name in ("subject_kind", "subject_id", "kind", "until")}
        return self.add_once(reminder_holds, **copied, why=why, made_by=by, made_at=self.now, ends=hold["id"])

    def get(self, hold_id: int) -> Row | None:
        """A hold, whether it stands or not."""
        mine = sa.and_(reminder_holds.c.id == hold_id, reminder_holds.c.ends.is_(None))
        return self.one(sa.select(reminder_holds).where(mine))

    def standing(self, subject: Subject, ids: Collection[int]) -> list[Row]:
        """The holds on these that nobody has ended, whatever their last day."""
        mine = self._standing().where(reminder_holds.c.subject_kind == subject)
        return self.among(mine, reminder_holds.c.subject_id, ids)

    def listed(self, *, limit: int = 200) -> list[Row]:
        """Every hold that nobody has ended, the newest first."""
        return self.rows(self._standing().order_by(None).order_by(reminder_holds.c.id.desc()).limit(limit))

    @staticmethod
    def _standing() -> sa.Select[tuple[object, ...]]:
        ending = reminder_holds.alias("ending")
        ended = sa.exists().where(ending.c.ends == reminder_holds.c.id)
        chosen = sa.select(reminder_holds).where(reminder_holds.c.ends.is_(None), sa.not_(ended))
        return chosen.order_by(reminder_holds.c.id)
