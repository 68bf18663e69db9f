"""What a run has not matched yet, while it is under way; when it is finished, its outstanding items."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.matching import Item, Leg, Rule
from orchestrator.storage.items import COMPARED, Items, first, item, whole
from orchestrator.storage.repository import Row, parts
from orchestrator.storage.tables import movements, unmatched
from orchestrator.storage.windows import CARRIED, carried_by, filled

MOST_ALIKE = 1000
"""Candidates that are looked at for a few hundred movements: what has more of them is nobody's certain partner."""

POOLED = ("right", "movement_id", "matter_id", "amount_cents", "on", "name", "reference", "money", "client", "matter")
"""What the rules group a movement by, and what it is worth there."""

INDEXED = ("name", "reference", "money")
"""Columns by which the other side of a group is looked up; by any other the groups are counted."""


class Pool(Items):
    def add(self, run_id: int, leg: Leg, rows: Iterable[tuple[Any, ...]]) -> None:
        """What is open in a leg from now on: rows of `POOLED`."""
        self.add_all(unmatched, POOLED, list(rows), run_id=run_id, leg=leg.value, state="open")

    def grouped(self, run_id: int, rule: Rule, after: str, size: int) -> tuple[list[Item], str | None]:
        """The next complete groups of what is open in a rule's leg, by its column of the pool, and where they end.

        Of a column that is not `INDEXED` only groups of several.
        """
        key = unmatched.c[rule.column]
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == rule.leg, unmatched.c.state == "open")
        chosen = self._pooled(key).where(mine, key > after, filled(key))
        other = unmatched.alias("other")
        named = other.c[rule.column]
        pool = sa.and_(other.c.run_id == run_id, other.c.leg == rule.leg, other.c.state == "open", filled(named))
        if rule.column not in INDEXED:
            enough = sa.func.count() > 1
            if rule.both:
                enough = sa.func.min(other.c.right) < sa.func.max(other.c.right)
            chosen = chosen.where(key.in_(sa.select(named).where(pool, named > after).group_by(named).having(enough)))
        elif rule.both:
            across = sa.and_(pool, named == key, other.c.right == 1 - unmatched.c.right)
            chosen = chosen.where(sa.exists(sa.select(sa.literal(1)).where(across)))
        return whole(lambda size: self.items(chosen.order_by(key).limit(size)), first, size)

    def leftovers(self, run_id: int, leg: Leg, after: int, size: int) -> list[Item]:
        """The next open movements of a leg, by id."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == leg, unmatched.c.state == "open")
        chosen = self._pooled(sa.literal_column("''")).where(mine, unmatched.c.movement_id > after)
        return self.items(chosen.order_by(unmatched.c.movement_id).limit(size))

    def taken_back(self, run_id: int) -> set[str]:
        """The ids of movements that a processor has taken back, wholly or in part, by what no rule has matched."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR, unmatched.c.right == 0)
        joined = sa.select(movements.c.parent).join(unmatched, unmatched.c.movement_id == movements.c.id)
        back = joined.where(mine, unmatched.c.state == "open", movements.c.parent.is_not(None))
        return set(self.connection.execute(back.distinct()).scalars())

    def open_at_processors(self, run_id: int, names: Collection[str], *, by: str) -> list[Item]:
        """What no rule has matched yet of the processors' movements with these ids, or with these parents."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR, unmatched.c.right == 0)
        chosen = self._pooled(sa.literal_column("''")).where(mine, unmatched.c.state == "open")
        some = (chosen.where(movements.c[by].in_(part)).order_by(movements.c.id) for part in parts(names))
        return [item for statement in some for item in self.items(statement)]

    def name(self, run_id: int, matters: Mapping[int, int], after: int, upto: int | None) -> None:
        """Matters that were found for some movements in the processor's leg; and by what its next ones, by id, go from now on.

        By far the most never come so far: money and matter are filled in, and their indexes kept, only for those that do.
        """
        leg = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR)
        if matters:
            mine = sa.and_(leg, unmatched.c.movement_id == sa.bindparam("of"))
            found = [{"of": ident, "by": matter} for ident, matter in sorted(matters.items())]
            self.connection.execute(sa.update(unmatched).where(mine).values(matter_id=sa.bindparam("by")), found)
        cents, matter = (sa.cast(unmatched.c[name], sa.String) for name in ("amount_cents", "matter_id"))
        known = sa.func.coalesce(matter, "")
        here = sa.and_(leg, unmatched.c.movement_id > after)
        if upto is not None:
            here = sa.and_(here, unmatched.c.movement_id <= upto)
        self.change(sa.update(unmatched).where(here).values(money=cents + "|" + known, matter=known))

    def passing(self, run_id: int, after: int, size: int) -> list[tuple[str, Item]]:
        """The next ledger lines that stand in the processor's leg, by id, each with its state there."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR, unmatched.c.right == 1)
        chosen = self._pooled(sa.literal_column("''")).add_columns(unmatched.c.state)
        here = chosen.where(mine, unmatched.c.movement_id > after).order_by(unmatched.c.movement_id)
        return [(row[-1], item(row[:-1])) for row in self.tuples(here.limit(size))]

    @staticmethod
    def _pooled(key: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Pool rows as items: the day they settled on, and the matter that was found for them."""
        own = {"on": unmatched.c.on, "matter_id": unmatched.c.matter_id}
        compared = [own.get(name, movements.c[name]) for name in COMPARED]
        chosen = sa.select(key, unmatched.c.right, unmatched.c.movement_id, *compared)
        return chosen.select_from(unmatched.join(movements, movements.c.id == unmatched.c.movement_id))

    def leave(self, run_id: int, leg: Leg, movement_ids: Collection[int], *, state: str | None = None) -> None:
        """Take these out of a leg's pool, or let them stand there in another state."""
        what = "DELETE FROM unmatched" if state is None else "UPDATE unmatched SET state = ?"
        mine = f"{what} WHERE run_id = ? AND leg = ? AND movement_id = ?".replace("?", self.hole)
        first = (run_id, leg.value) if state is None else (state, run_id, leg.value)
        if wanted := sorted(set(movement_ids)):
            self.connection.exec_driver_sql(mine, [(*first, ident) for ident in wanted])

    def rest_of(self, run_id: int) -> sa.Select[Any]:
        """Everything of a run that stands unmatched, with what was seen of it."""
        joined = unmatched.join(movements, movements.c.id == unmatched.c.movement_id)
        own = [unmatched.c.id.label("place"), unmatched.c.leg, unmatched.c.right, unmatched.c.state.label("standing")]
        found = [unmatched.c.matter_id.label("found_matter_id"), movements]
        return sa.select(*own, *found).select_from(joined).where(unmatched.c.run_id == run_id)

    def standing(self, run_id: int, *states: str) -> list[Row]:
        """The rows of a run that stand in these states, the oldest day first."""
        chosen = self.rest_of(run_id).where(unmatched.c.state.in_(states))
        return self.rows(chosen.order_by(movements.c.on, movements.c.id))

    def open_sum(self, run_id: int) -> tuple[int, int]:
        """What Clio's ledger has and the bank not yet, in cents: money in on its way, and money out."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.BANK, unmatched.c.right == 0)
        counted = sa.and_(mine, unmatched.c.state == "outstanding")
        into = sa.func.coalesce(
            sa.func.sum(sa.case((unmatched.c.amount_cents > 0, unmatched.c.amount_cents), else_=0)), 0
        )
        out = sa.func.coalesce(
            sa.func.sum(sa.case((unmatched.c.amount_cents < 0, unmatched.c.amount_cents), else_=0)), 0
        )
        plus, minus = self.connection.execute(sa.select(into, out).where(counted)).one()
        return int(plus), int(minus)

    def open_days(self, run_id: int, leg: Leg) -> tuple[dict[date, int], Callable[[Collection[date]], list[int]]]:
        """What is open on the left of a leg coming in, by day; and a way to ask which movements a few days are made of."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == leg, unmatched.c.state == "open")
        into = sa.and_(mine, unmatched.c.right == 0, unmatched.c.amount_cents > 0, filled(unmatched.c.money))
        totals = sa.select(unmatched.c.on, sa.func.sum(unmatched.c.amount_cents)).where(into).group_by(unmatched.c.on)

        def of(days: Collection[date]) -> list[int]:
            some = sa.select(unmatched.c.movement_id).where(into, unmatched.c.on.in_(days))
            return list(self.connection.execute(some.order_by(unmatched.c.movement_id)).scalars())

        return {day: int(cents) for day, cents in self.connection.execute(totals)}, of

    def open_credits(self, run_id: int, leg: Leg) -> Iterator[tuple[int, date, int]]:
        """What is open on the right of a leg coming in."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == leg, unmatched.c.state == "open")
        into = sa.and_(mine, unmatched.c.right == 1, unmatched.c.amount_cents > 0, filled(unmatched.c.money))
        chosen = sa.select(unmatched.c.movement_id, unmatched.c.on, unmatched.c.amount_cents).where(into)
        for row in self.connection.execute(chosen.order_by(unmatched.c.id).execution_options(yield_per=1000)):
            yield row[0], row[1], row[2]

    def carried(self, run_id: int, leg: Leg, movement_ids: Collection[int]) -> set[int]:
        """Those of these that a signed run left open in a leg."""
        found: set[int] = set()
        for part in parts(movement_ids):
            mine = carried_by(run_id, leg).where(unmatched.c.movement_id.in_(part))
            found |= set(self.connection.execute(mine).scalars())
        return found

    def alike(self, run_id: int, amounts: Collection[int]) -> dict[int, list[Row]]:
        """Ledger lines that no processor's movement was matched with, by amount."""
        mine = sa.and_(unmatched.c.run_id == run_id, unmatched.c.leg == Leg.PROCESSOR, unmatched.c.right == 1)
        lines = sa.and_(mine, filled(unmatched.c.money))
        found: dict[int, list[Row]] = defaultdict(list)
        for part in parts(amounts):
            chosen = sa.select(unmatched).where(lines, unmatched.c.amount_cents.in_(part)).order_by(unmatched.c.id)
            for row in self.rows(chosen.limit(MOST_ALIKE)):
                found[row["amount_cents"]].append(row)
        return found

    def alone(self, run_id: int, movement_ids: Collection[int]) -> set[int]:
        """Those of these that stand unmatched in a run, in any leg that could have matched them."""
        found: set[int] = set()
        for part in parts(movement_ids):
            open_ = sa.and_(unmatched.c.run_id == run_id, unmatched.c.state.in_(CARRIED))
            mine = sa.select(unmatched.c.movement_id).where(open_, unmatched.c.movement_id.in_(part))
            found |= set(self.connection.execute(mine).scalars())
        return found

    def count_of(self, run_id: int, state: str) -> int:
        mine = sa.select(sa.func.count()).where(unmatched.c.run_id == run_id, unmatched.c.state == state)
        return int(self.connection.execute(mine).scalar_one())
