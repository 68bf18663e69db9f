"""Statement files of the bank: which days they cover, and what the bank says it holds at their ends."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from orchestrator.storage.repository import Repository, Row
from orchestrator.storage.tables import bank_files


class BankFiles(Repository):
    def keep(self, **values: Any) -> int:
        added = sa.insert(bank_files).values(**values, imported_at=self.now).returning(bank_files.c.id)
        return int(self.connection.execute(added).scalar_one())

    def get(self, file_id: int | None) -> Row | None:
        return None if file_id is None else self.one(sa.select(bank_files).where(bank_files.c.id == file_id))

    def of_digest(self, account: str, digest: str) -> Row | None:
        """The import of exactly these bytes (F73)."""
        same = sa.and_(bank_files.c.account == account, bank_files.c.digest == digest)
        return self.one(sa.select(bank_files).where(same))

    def first_day(self, account: str) -> date | None:
        """The first day that the bank's statements cover."""
        mine = sa.select(sa.func.min(bank_files.c.begins_on)).where(bank_files.c.account == account)
        first: date | None = self.connection.execute(mine).scalar_one()
        return first

    def covering(self, account: str, day: date) -> Row | None:
        """The statement that says what the bank held at the end of a day, or else on the last day before that it speaks of."""
        mine = sa.and_(bank_files.c.account == account, bank_files.c.begins_on <= day)
        return self.one(
            sa.select(bank_files).where(mine).order_by(bank_files.c.ends_on.desc(), bank_files.c.id.desc()).limit(1)
        )

    def listed(self, account: str) -> list[Row]:
        """All statements of an account, the newest day first."""
        mine = sa.select(bank_files).where(bank_files.c.account == account)
        return self.rows(mine.order_by(bank_files.c.ends_on.desc(), bank_files.c.id.desc()))
