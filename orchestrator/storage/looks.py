"""What a run compares, read side by side: payments with their ledger lines, and what is left of either."""

from collections.abc import Collection, Iterable
from datetime import date
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa

from orchestrator.domain.first_look import Look
from orchestrator.domain.matching import SAME_REFERENCE_DAYS, Item, Leg
from orchestrator.domain.movements import Source
from orchestrator.storage.items import COMPARED, Items, day_of, first, rights, whole
from orchestrator.storage.repository import parts
from orchestrator.storage.tables import movements, unmatched
from orchestrator.storage.windows import (
    Window,
    filled,
    is_matched,
    of_ledger,
    of_processor,
    same_text,
    there_is,
    within,
)

LOOKED_AT = ("id", "on", "amount_cents", "status", "kind", "source", "reference", "matter_id", "external_id")
LOOKED_AT_IN_LINE = ("id", "amount_cents", "status", "matter_id")
"""What a first look sees of a payment, and of a ledger line, in the order of `Look`."""


class Looks(Items):
    def first_looks(self, window: Window, after: int, size: int) -> tuple[list[Look], int | None]:
        """The next movements of the processors, by id, each with all ledger lines that name it; and where they end.

        What belongs together was seen at about the same time, so both are read from the same pages of the database.
        """
        chosen = _first_looks(window)
        looks, end = whole(lambda size: self.tuples(chosen, after=after, size=size), first, size)
        return cast(list[Look], looks), end

    def linked(self, window: Window, ids: Collection[int]) -> list[Item]:
        """These movements of the processors and all ledger lines that name them, as complete groups."""
        compared = [movements.c[name] for name in COMPARED]
        chosen = sa.select(movements.c.external_id, sa.literal_column("0"), movements.c.id, *compared)
        lines = sa.select(movements.c.link, sa.literal_column("1"), movements.c.id, *compared)
        named = lines.where(of_ledger(window, movements))
        found: list[Item] = []
        for part in parts(ids):
            ours = self.items(chosen.where(movements.c.id.in_(part)))
            found += ours
            found += self.items(named.where(movements.c.link.in_([item.key for item in ours])))
        return sorted(found)

    def second_looks(self, window: Window, ids: Collection[int]) -> list[Look]:
        """Those of these payments that no line names, each with the one line of its reference, in order of id.

        Only where nobody else of the window has that reference, be it as its id, and no line the payment's id: then no other
        rung, and no other page, could say anything about the two.
        """
        found = (row for part in parts(ids) for row in self.tuples(_second_looks(window), ids=part))
        return [look for look, _ in _near(found)]

    def bank_looks(
        self, window: Window, run_id: int, after: int, size: int
    ) -> tuple[list[tuple[Look, Any]], int | None]:
        """The next open ledger lines of the bank's leg, by id, each with the one line of the bank that has its reference.

        That one stands where a `Look` has a payment, the ledger line where it has a line; beside it the day on which that
        settled. Only where nobody else has that reference; and where they end.
        """
        line, other, twin = movements.alias("line"), movements.alias("other"), unmatched.alias("twin")
        text = unmatched.c.reference
        pool = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.BANK, unmatched.c.state == "open")
        mine = sa.and_(pool, unmatched.c.right == 0, unmatched.c.movement_id > after)
        of_bank = sa.and_(within(window), movements.c.source == Source.BANK, same_text(movements, text))
        nobody_else = ~sa.or_(
            is_matched(run_id, Leg.BANK),
            there_is(
                twin.c.run_id == run_id, twin.c.leg == Leg.BANK, twin.c.reference == text,
                twin.c.movement_id != unmatched.c.movement_id,
            ),
            there_is(
                within(window, other), other.c.source == Source.BANK, same_text(other, text),
                other.c.id != movements.c.id,
            ),
        )  # fmt: skip
        own = [movements.c[name] for name in LOOKED_AT]
        theirs = [line.c[name] for name in LOOKED_AT_IN_LINE]
        both = unmatched.join(line, line.c.id == unmatched.c.movement_id).join(movements, of_bank)
        chosen = sa.select(*own, *theirs, unmatched.c.on).select_from(both).where(mine, nobody_else)
        found = self.tuples(chosen.order_by(unmatched.c.movement_id).limit(size))
        return _near(found), found[-1][9] if len(found) == size else None

    def book_rest(self, window: Window, run_id: int, after: int, size: int) -> list[Item]:
        """The next lines of Clio's ledger, by id, that are neither matched with a payment nor in the pool: they name none."""
        pool = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR)
        known = sa.or_(
            is_matched(run_id, Leg.PROCESSOR), there_is(pool, unmatched.c.movement_id == movements.c.id)
        )  # fmt: skip
        mine = rights().where(of_ledger(window, movements), movements.c.id > after, ~known)
        return self.items(mine.order_by(movements.c.id).limit(size))

    def bank_rest(self, window: Window, run_id: int, after: str, size: int) -> list[Item]:
        """The next lines of the bank that are not matched, by name: so the index has them, side by side."""
        of_bank = sa.and_(within(window), movements.c.source == Source.BANK, movements.c.external_id > after)
        mine = rights().where(of_bank, ~is_matched(run_id, Leg.BANK))
        return self.items(mine.order_by(movements.c.external_id).limit(size))

    def bank_credits(self, window: Window) -> list[tuple[int, date, int]]:
        """What the bank's lines of the window brought in: each with its day and cents."""
        mine = sa.and_(within(window), movements.c.source == Source.BANK, movements.c.amount_cents > 0)
        chosen = sa.select(movements.c.id, movements.c.on, movements.c.amount_cents).where(mine)
        found = self.tuples(chosen.order_by(movements.c.external_id))
        return [(ident, day_of(on), cents) for ident, on, cents in sorted(found)]


@lru_cache(maxsize=8)
def _first_looks(window: Window) -> sa.Select[Any]:
    """Built once for a run, not for each of its pages: a statement so long takes milliseconds."""
    line = movements.alias("line")
    own, theirs = [movements.c[name] for name in LOOKED_AT], [line.c[name] for name in LOOKED_AT_IN_LINE]
    named = sa.and_(of_ledger(window, line), line.c.link == movements.c.external_id)
    chosen = sa.select(*own, *theirs).select_from(movements.outerjoin(line, named))
    mine = chosen.where(of_processor(window, movements), movements.c.id > sa.bindparam("after"))
    return mine.order_by(movements.c.id).limit(sa.bindparam("size", type_=sa.Integer))


@lru_cache(maxsize=8)
def _second_looks(window: Window) -> sa.Select[Any]:
    """Built once for a run, as the first."""
    line, named, again, known, other, its = (movements.alias(f"m{number}") for number in range(6))
    text = movements.c.reference_normalised
    nobody_else = ~sa.or_(
        there_is(of_processor(window, named), named.c.external_id == line.c.link),
        there_is(of_processor(window, again), same_text(again, text), again.c.id != movements.c.id),
        there_is(of_processor(window, known), filled(known.c.name_normalised), known.c.name_normalised == text),
        there_is(of_ledger(window, other), same_text(other, text), other.c.id != line.c.id),
        there_is(of_ledger(window, its), same_text(its, movements.c.name_normalised)),
    )
    own = [movements.c[name] for name in LOOKED_AT]
    theirs = [line.c[name] for name in (*LOOKED_AT_IN_LINE, "on")]
    both = movements.join(line, sa.and_(of_ledger(window, line), same_text(line, text)))
    chosen = sa.select(*own, *theirs).select_from(both).where(nobody_else)
    return chosen.where(movements.c.id.in_(sa.bindparam("ids", expanding=True)))


def _near(found: Iterable[tuple[Any, ...]]) -> list[tuple[Look, Any]]:
    """Looks in order of id, each with the other side's day, as far as the two days are near enough for one reference."""
    return [
        (cast(Look, look), on)
        for *row, on in sorted(found)
        if abs((day_of((look := tuple(row))[1]) - day_of(on)).days) <= SAME_REFERENCE_DAYS
    ]
