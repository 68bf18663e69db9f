"""What accounts came to at the end of a day, as far as the rows up to one knew (T44)."""

from collections.abc import Iterator
from datetime import date

import sqlalchemy as sa

from orchestrator.domain.movements import Source
from orchestrator.storage.repository import CHUNK, Repository, Row
from orchestrator.storage.tables import movements
from orchestrator.storage.windows import in_book, visible, worth


class Figures(Repository):
    def first_day(self, account: str, until: date) -> date | None:
        """The first day on which anything moved in an account."""
        mine = sa.select(sa.func.min(movements.c.on)).where(movements.c.account == account, movements.c.on <= until)
        first: date | None = self.connection.execute(mine).scalar_one()
        return first

    def book_cents(self, account: str, until: date, upto: int) -> int:
        """What Clio's ledger of an account came to at the end of a day, as far as the rows up to one knew (T44)."""
        total = sa.func.coalesce(sa.func.sum(worth()), 0)
        return int(self.connection.execute(sa.select(total).where(in_book(account, until, upto))).scalar_one())

    def bank_cents(self, account: str, after: date, until: date, upto: int) -> int:
        """What the bank's own lines of these days come to, `after` excluded."""
        if after >= until:
            return 0
        total = sa.func.coalesce(sa.func.sum(movements.c.amount_cents), 0)
        mine = sa.and_(movements.c.account == account, movements.c.source == Source.BANK, visible(upto))
        days = sa.and_(movements.c.on > after, movements.c.on <= until)
        return int(self.connection.execute(sa.select(total).where(mine, days)).scalar_one())

    def matter_cents(self, account: str, matter_id: int, until: date, upto: int) -> int:
        """What Clio's ledger of a matter came to in an account at the end of a day."""
        total = sa.func.coalesce(sa.func.sum(worth()), 0)
        mine = sa.and_(in_book(account, until, upto), movements.c.matter_id == matter_id)
        return int(self.connection.execute(sa.select(total).where(mine)).scalar_one())

    def card_lines(self, account: str, until: date, upto: int) -> Iterator[Row]:
        """The lines of Clio's book of an account, owner by owner in order of day, as they are read."""
        by = [sa.func.coalesce(column, 0) for column in (movements.c.client_id, movements.c.matter_id)]
        chosen = sa.select(movements).where(in_book(account, until, upto)).order_by(*by, movements.c.on, movements.c.id)
        # A long list must not stand in memory; other statements run between its pages.
        size, place = CHUNK, 0
        while page := self.rows(chosen.limit(size).offset(place)):
            yield from page
            place += size
