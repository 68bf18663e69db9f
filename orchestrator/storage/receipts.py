"""Stored inbound webhooks, before anything is done with them."""

from collections.abc import Collection
from datetime import datetime

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

    def by_kind(self) -> dict[str, int]:
        """Usable deliveries by kind, repeats included."""
        grouped = sa.select(receipts.c.kind, sa.func.sum(receipts.c.seen)).where(receipts.c.status == "stored")
        return {row[0]: int(row[1]) for row in self.connection.execute(grouped.group_by(receipts.c.kind))}

    def of(self, source: str) -> int:
        """Deliveries of one source, repeats included."""
        told = sa.select(sa.func.coalesce(sa.func.sum(receipts.c.seen), 0)).where(receipts.c.source == source)
        return int(self.connection.execute(told).scalar_one())

    def listed(
        self, *, ids: Collection[int] = (), since: datetime | None = None, kind: str | None = None, limit: int | None = None
    ) -> list[sa.RowMapping]:  # fmt: skip
        """Stored deliveries without their bodies, the newest first: these ids, or those received since then."""
        columns = [column for column in receipts.c if column.name != "body"]
        chosen = sa.select(*columns).order_by(receipts.c.id.desc()).limit(limit)
        if ids:
            chosen = chosen.where(receipts.c.id.in_(ids))
        if since is not None:
            chosen = chosen.where(receipts.c.received_at >= since)
        if kind is not None:
            chosen = chosen.where(receipts.c.kind == kind)
        return self.rows(chosen)

    def counts(self) -> dict[str, int]:
        """Deliveries by status, repeats included."""
        grouped = sa.select(receipts.c.status, sa.func.sum(receipts.c.seen)).group_by(receipts.c.status)
        return {row[0]: int(row[1]) for row in self.connection.execute(grouped)}
