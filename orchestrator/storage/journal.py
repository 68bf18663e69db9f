"""The books: double entries that sum to nothing, append-only, a correction being a reversing entry (T12)."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa

from orchestrator.domain.books import UNALLOCATED, Line
from orchestrator.domain.ids import effect_key
from orchestrator.domain.links import Rail
from orchestrator.storage.repository import CHUNK, Repository
from orchestrator.storage.tables import journal, lawpay_transactions

CLIO = Rail.CLIO_PAYMENTS


class Journal(Repository):
    def post(
        self, event: str, payment_id: int, sequence: int, lines: Iterable[Line], *, currency: str, rail: Rail = CLIO
    ) -> bool:  # fmt: skip
        """One entry for a payment that had `sequence` lines before; False when it stands already.

        Payments are numbered on each rail by itself: at Clio by its own id, of LawPay by the number of our row.
        """
        on = () if rail == CLIO else (str(rail),)
        posted = False
        for place, line in enumerate(lines):
            posted |= self.add_once(
                journal,
                key=effect_key("journal", *on, payment_id, sequence, place),
                event=event,
                rail=rail,
                payment_id=payment_id,
                account=line.account,
                amount_cents=line.amount_cents,
                currency=currency,
                bill_id=line.bill_id,
                matter_id=line.matter_id,
                at=self.now,
            )
        return posted

    def entries_of(self, payment_id: int, *, rail: Rail = CLIO) -> list[sa.RowMapping]:
        return self.rows(sa.select(journal).where(*_of(payment_id, rail)).order_by(journal.c.id))

    def payments_of_bill(self, bill_id: int) -> set[int]:
        """The payments at Clio that have booked something on a bill."""
        chosen = sa.select(journal.c.payment_id).where(journal.c.bill_id == bill_id, journal.c.rail == CLIO)
        return set(self.connection.execute(chosen.distinct()).scalars())

    def reversed_at(self, bill_ids: Collection[int]) -> dict[int, datetime]:
        """When money last went back that had paid these bills, by bill."""
        wanted, found = sorted(set(bill_ids)), dict[int, datetime]()
        for start in range(0, len(wanted), CHUNK):
            paid = sa.and_(journal.c.bill_id.in_(wanted[start : start + CHUNK]), journal.c.account != UNALLOCATED)
            back = sa.and_(paid, journal.c.event == "payment_reversed")
            last = sa.select(journal.c.bill_id, sa.func.max(journal.c.at)).where(back).group_by(journal.c.bill_id)
            found |= {int(bill_id): at for bill_id, at in self.connection.execute(last)}
        return found

    def balance(self) -> int:
        """The sum of all lines in cents: zero, or the books are wrong (I4)."""
        return int(
            self.connection.execute(sa.select(sa.func.coalesce(sa.func.sum(journal.c.amount_cents), 0))).scalar_one()
        )

    def held(self) -> int:
        """Cents that came in and stayed, over all payments."""
        into = sa.select(sa.func.coalesce(sa.func.sum(journal.c.amount_cents), 0)).where(
            journal.c.account.like("bank:%")
        )
        return int(self.connection.execute(into).scalar_one())

    def newest_unallocated(self) -> int:
        """The last line of the books about money at LawPay that is for no bill."""
        last = sa.select(sa.func.coalesce(sa.func.max(journal.c.id), 0)).where(_UNALLOCATED_AT_LAWPAY)
        return int(self.connection.execute(last).scalar_one())

    def unallocated(self, upto: int) -> dict[str, int]:
        """What the books, as far as this line, hold for no bill of each charge at LawPay of which they ever did, in cents."""
        held = sa.select(lawpay_transactions.c.id, -sa.func.sum(journal.c.amount_cents))
        of_charge = held.join(journal, journal.c.payment_id == lawpay_transactions.c.number)
        mine = of_charge.where(_UNALLOCATED_AT_LAWPAY, journal.c.id <= upto).group_by(lawpay_transactions.c.id)
        return {name: int(cents) for name, cents in self.connection.execute(mine)}

    def listed(self, *, limit: int = 1000) -> list[sa.RowMapping]:
        return self.rows(sa.select(journal).order_by(journal.c.id).limit(limit))

    def booked(self, payment_id: int, *, rail: Rail = CLIO) -> dict[tuple[str, int | None], int]:
        """What the books show of this payment: cents by account and bill."""
        shown: dict[tuple[str, int | None], int] = defaultdict(int)
        for row in self.entries_of(payment_id, rail=rail):
            shown[row["account"], row["bill_id"]] += row["amount_cents"]
        return shown

    def events_of(self, payment_id: int, *, rail: Rail = CLIO) -> int:
        """How many lines this payment has so far: it rises with every entry, whatever accounts that touches."""
        lines = sa.select(sa.func.count()).where(*_of(payment_id, rail))
        return int(self.connection.execute(lines).scalar_one())


_UNALLOCATED_AT_LAWPAY = sa.and_(journal.c.rail == Rail.LAWPAY_PAGE, journal.c.account == UNALLOCATED)


def _of(payment_id: int, rail: Rail) -> tuple[sa.ColumnElement[bool], ...]:
    return journal.c.payment_id == payment_id, journal.c.rail == rail
