"""Signs of life: the last time each part did its work, on both clocks."""

from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import pulses
from orchestrator.storage.types import real_now


class Pulses(Repository):
    def beat(self, name: str, **facts: Any) -> None:
        """This part is alive now."""
        values = {"at_real": real_now(), "at": self.now, "facts": facts or None}
        statement = self.insert(pulses).values(name=name, **values)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))

    def facts(self, name: str) -> dict[str, Any]:
        """What this part last said; KeyError when it never did."""
        row = self.one(sa.select(pulses.c.facts).where(pulses.c.name == name))
        if row is None:
            raise KeyError(name)
        return dict(row["facts"] or {})

    def ages(self) -> dict[str, dict[str, Any]]:
        """For each part: seconds of real time since its last sign, the firm's moment of it, and its facts."""
        rows = self.rows(
            sa.select(pulses, (real_now() - pulses.c.at_real).label("age_seconds")).order_by(pulses.c.name)
        )
        return {
            row["name"]: {"age_seconds": row["age_seconds"], "at": row["at"], "facts": row["facts"]} for row in rows
        }
