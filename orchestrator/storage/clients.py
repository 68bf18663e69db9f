"""What Clio says of clients beside their bills: its own reminders, custom fields, credit that no bill has taken."""

from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa

from orchestrator.domain.contacts import Contact
from orchestrator.domain.payments import CreditMemo
from orchestrator.storage.repository import CHUNK, Repository
from orchestrator.storage.tables import clients, credit_memos, readings


class Clients(Repository):
    # ── when each list was read ──

    def read_at(self, name: str) -> datetime | None:
        """When this list was last read to its end."""
        found: datetime | None = self.connection.execute(
            sa.select(readings.c.read_at).where(readings.c.name == name)
        ).scalar_one_or_none()
        return found

    def was_read(self, name: str, *, at: datetime) -> None:
        statement = self.insert(readings).values(name=name, read_at=at)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"read_at": at}))

    # ── what they say ──

    def put_reminded(self, ids: Iterable[int]) -> None:
        """Clio itself reminds these clients, and nobody else."""
        self.change(sa.update(clients).where(clients.c.clio_reminds.is_(True)).values(clio_reminds=False))
        for ident in ids:
            statement = self.insert(clients).values(id=ident, clio_reminds=True, custom_fields={})
            self.connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"clio_reminds": True}))

    def put_contacts(self, read: Iterable[Contact]) -> None:
        for contact in read:
            fields = contact.custom_fields
            statement = self.insert(clients).values(id=contact.id, clio_reminds=False, custom_fields=fields)
            self.connection.execute(
                statement.on_conflict_do_update(index_elements=["id"], set_={"custom_fields": fields})
            )

    def reminded_by_clio(self, ids: Collection[int]) -> set[int]:
        """Those of these clients whom Clio itself reminds."""
        return {row["id"] for row in self._of(ids) if row["clio_reminds"]}

    def fields(self, ids: Collection[int]) -> dict[int, dict[str, str]]:
        """The custom fields of these clients, as far as they were read."""
        return {row["id"]: row["custom_fields"] for row in self._of(ids)}

    # ── credit ──

    def put_credits(self, read: Iterable[CreditMemo]) -> None:
        for memo in read:
            values = {
                "id": memo.id, "client_id": memo.client_id, "unapplied_cents": memo.unapplied_cents,
                "updated_at": memo.updated_at,
            }  # fmt: skip
            self.connection.execute(
                self.insert(credit_memos).values(**values).on_conflict_do_update(index_elements=["id"], set_=values)
            )

    def credits_gone(self, ids: Collection[int]) -> None:
        """Credit that Clio no longer shows is none."""
        self.change(sa.update(credit_memos).where(credit_memos.c.id.in_(ids)).values(unapplied_cents=0))

    def open_credits(self) -> list[int]:
        """The memos of which something is unapplied."""
        return list(
            self.connection.execute(sa.select(credit_memos.c.id).where(credit_memos.c.unapplied_cents > 0)).scalars()
        )

    def credit(self) -> dict[int, int]:
        """Unapplied cents by client, of those who have any."""
        summed = (
            sa.select(credit_memos.c.client_id, sa.func.sum(credit_memos.c.unapplied_cents))
            .where(credit_memos.c.client_id.is_not(None), credit_memos.c.unapplied_cents > 0)
            .group_by(credit_memos.c.client_id)
        )
        return {int(client): int(cents) for client, cents in self.connection.execute(summed)}

    def _of(self, ids: Collection[int]) -> list[sa.RowMapping]:
        wanted = sorted(set(ids))
        found: list[sa.RowMapping] = []
        for start in range(0, len(wanted), CHUNK):
            found += self.rows(sa.select(clients).where(clients.c.id.in_(wanted[start : start + CHUNK])))
        return found
