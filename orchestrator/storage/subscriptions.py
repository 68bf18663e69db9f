"""Our webhook subscriptions, one a model, with secrets encrypted at rest."""

from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import subscriptions


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
