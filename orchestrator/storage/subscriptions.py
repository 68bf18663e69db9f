"""Our webhook subscriptions, one a model, with secrets encrypted at rest, and how each fares."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import subscriptions

ALARM_AT = 10
"""Deliveries refused in a row on an address that nobody can guess: something between Clio and us alters them (F21)."""


class Subscriptions(Repository):
    def all(self) -> list[sa.RowMapping]:
        return self.rows(sa.select(subscriptions).order_by(subscriptions.c.model))

    def get(self, model: str) -> sa.RowMapping | None:
        return self.one(sa.select(subscriptions).where(subscriptions.c.model == model))

    def put(self, model: str, **values: Any) -> None:
        """Create or change the subscription of a model."""
        values |= {"updated_at": self.now}
        if self.change(sa.update(subscriptions).where(subscriptions.c.model == model).values(**values)) == 0:
            self.connection.execute(sa.insert(subscriptions).values(model=model, **({"offered": []} | values)))

    def fared(self, genuine: Mapping[str, int], refused: Mapping[str, int]) -> None:
        """Count deliveries by model, genuine and refused ones; a genuine one ends a row of refusals."""
        # In the order of the models, so that two web processes never wait for each other.
        for model in sorted({*genuine, *refused}):
            mine = sa.update(subscriptions).where(subscriptions.c.model == model)
            bad = refused.get(model, 0)
            values: dict[str, Any] = {"delivered_at": self.now, "refused_in_a_row": 0} if genuine.get(model) else {}
            if bad:
                values |= {"refused": subscriptions.c.refused + bad, "refused_at": self.now}
                values.setdefault("refused_in_a_row", subscriptions.c.refused_in_a_row + bad)
            self.change(mine.values(**values))

    def rewrap(self, model: str, **sealed: Any) -> None:
        """The same secrets under another key; nothing else of the subscription has changed."""
        self.change(sa.update(subscriptions).where(subscriptions.c.model == model).values(**sealed))
