"""Stored inbound webhooks, before anything is done with them."""

import sqlalchemy as sa

from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import receipts


class Receipts(Repository):
    def add(
        self, *, source: str, digest: str, body: bytes, kind: str | None, object_id: int | None, event: str | None, status: str
    ) -> bool:  # fmt: skip
        """Keep a delivery; False when the same bytes were kept before, which are then counted, not kept again (F16, F19)."""
        new = self.add_once(
            receipts,
            source=source,
            digest=digest,
            body=body,
            kind=kind,
            object_id=object_id,
            event=event,
            status=status,
            received_at=self.now,
        )
        if not new:
            again = sa.update(receipts).where(receipts.c.source == source, receipts.c.digest == digest)
            self.change(again.values(seen=receipts.c.seen + 1))
        return new

    def counts(self) -> dict[str, int]:
        """Deliveries by status, repeats included."""
        grouped = sa.select(receipts.c.status, sa.func.sum(receipts.c.seen)).group_by(receipts.c.status)
        return {row[0]: int(row[1]) for row in self.connection.execute(grouped)}
