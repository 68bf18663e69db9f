"""What a run found to be the same money."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.matching import NOT_YET, SET, Item, Leg, Match
from orchestrator.domain.movements import Source
from orchestrator.storage.items import COMPARED, Items, whole
from orchestrator.storage.repository import CHUNK, Row, parts
from orchestrator.storage.tables import matches, movements
from orchestrator.storage.windows import visible


class Matches(Items):
    def keep(self, run_id: int, leg: Leg, found: Iterable[Match]) -> Counter[str]:
        """Every edge of these matches; returns how many each rule has."""
        rows = [
            (match.rule, left, right, match.on.isoformat())
            for match in found
            for left in match.lefts or (None,)
            for right in match.rights or (None,)
        ]
        self.add_all(matches, ("rule", "left_id", "right_id", "on"), rows, run_id=run_id, leg=leg.value)
        return Counter(row[0] for row in rows)

    def keep_pairs(self, run_id: int, leg: Leg, rule: str, pairs: Sequence[tuple[int, int, Any]]) -> None:
        """What was clear at the first look: by far the most rows of a run."""
        self.add_all(matches, ("left_id", "right_id", "on"), pairs, run_id=run_id, leg=leg.value, rule=rule)

    def matched_on(
        self, run_id: int, days: Mapping[str, Collection[date]], after: int, size: int
    ) -> tuple[list[Item], int | None]:
        """The next ledger lines that are matched with a movement of these days of a processor, by id; and where they end."""
        left = movements.alias("taken")
        compared = [{"on": matches.c.on}.get(name, movements.c[name]) for name in COMPARED]
        chosen = sa.select(sa.literal_column("''"), sa.literal_column("0"), movements.c.id, *compared)
        both = matches.join(movements, movements.c.id == matches.c.right_id).join(left, left.c.id == matches.c.left_id)
        mine = sa.and_(matches.c.run_id == run_id, matches.c.leg == Leg.PROCESSOR, matches.c.right_id > after)
        # Lines that move money inside the account stand on both sides of their match, and reach no bank.
        inside = matches.c.rule.in_(["client_level_draw", "internal_transfer"])
        theirs = [sa.and_(left.c.source == source, matches.c.on.in_(of)) for source, of in sorted(days.items())]
        open_ = sa.or_(*theirs, matches.c.on == NOT_YET, movements.c.amount_cents < 0)
        joined = chosen.select_from(both).where(mine, ~inside, open_).order_by(matches.c.right_id)
        found, end = whole(lambda size: self.items(joined.limit(size)), lambda item: item.id, size)
        # A line that is the sum of several payments is one line.
        return list({item.id: item for item in found}.values()), end

    def of_run(self, run_id: int, after: int = 0, size: int = 5000) -> list[Row]:
        """The next matches of a run, in the order in which it found them."""
        mine = sa.and_(matches.c.run_id == run_id, matches.c.id > after)
        return self.rows(sa.select(matches).where(mine).order_by(matches.c.id).limit(size))

    def in_sets(self, run_id: int, leg: Leg, amounts: Collection[int]) -> dict[tuple[int, int], list[Row]]:
        """Movements that a leg matched as sets of equals, in order of day: by their side, left 0 and right 1, and amount."""
        found: dict[tuple[int, int], list[Row]] = defaultdict(list)
        sets = sa.and_(matches.c.run_id == run_id, matches.c.leg == leg, matches.c.rule.endswith(SET, autoescape=True))
        for right, side in enumerate((matches.c.left_id, matches.c.right_id)):
            for part in parts(amounts):
                some = sa.and_(movements.c.id.in_(sa.select(side).where(sets)), movements.c.amount_cents.in_(part))
                for row in self.rows(sa.select(movements).where(some).order_by(movements.c.on, movements.c.id)):
                    found[right, row["amount_cents"]].append(row)
        return found

    def only_in(self, run_id: int, other: int, *, limit: int = 200) -> list[dict[str, Any]]:
        """Matches that one run made and the other did not, at most so many."""
        pair = [matches.c[name] for name in ("leg", "rule", "left_id", "right_id")]
        mine, theirs = (sa.select(*pair).where(matches.c.run_id == ident) for ident in (run_id, other))
        only = mine.except_(theirs).subquery()
        return [dict(row) for row in self.rows(sa.select(only).order_by(only.c.leg, only.c.left_id).limit(limit))]

    def bank_lines(
        self, run_id: int, account: str, days: tuple[date, date], upto: int
    ) -> Iterator[tuple[Row, list[Row]]]:  # fmt: skip
        """The bank's lines of some days, each with the matches that a run made of it and the ledger lines in them."""
        mine = sa.and_(movements.c.account == account, movements.c.source == Source.BANK, movements.c.on.between(*days))
        chosen = sa.select(movements).where(mine, visible(upto)).order_by(movements.c.on, movements.c.id)
        left = movements.alias("line")
        joined = sa.select(matches.c.right_id, matches.c.left_id, matches.c.rule, matches.c.on, left.c.external_id)
        joined = joined.select_from(matches.outerjoin(left, left.c.id == matches.c.left_id))
        size, place = CHUNK, 0
        while page := self.rows(chosen.limit(size).offset(place)):
            ids = [row["id"] for row in page]
            of_run = sa.and_(matches.c.run_id == run_id, matches.c.leg == Leg.BANK, matches.c.right_id.in_(ids))
            found: dict[int, list[Row]] = defaultdict(list)
            for row in self.rows(joined.where(of_run).order_by(matches.c.id)):
                found[row["right_id"]].append(row)
            yield from ((row, found[row["id"]]) for row in page)
            place += size

    def let_go(self, run_id: int, size: int) -> int:
        """Delete at most so many matches of a run; returns how many there were."""
        some = sa.select(matches.c.id).where(matches.c.run_id == run_id).limit(size)
        return self.change(sa.delete(matches).where(matches.c.id.in_(some)))
