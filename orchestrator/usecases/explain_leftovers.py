"""Each movement without a partner: a break with its cause, an item still on its way, or nothing; and the roots of breaks."""

from collections.abc import Sequence

from orchestrator.domain import matching
from orchestrator.domain.consequences import Found, Seen, roots
from orchestrator.domain.leftovers import Around, explain, joined
from orchestrator.domain.matching import SAME_MONEY_DAYS, Candidate, Difference, Item, Leg
from orchestrator.usecases.reconcile_ground import Ground

LEFTOVERS = 300
"""Movements without a partner in one step: each is looked for elsewhere."""

MOST_GATHERED = 20_000
"""Differences of a run that are held against each other: whoever has more of them looks at none by itself."""

CANDIDATE_DAYS = 30
MOST_CANDIDATES = 5


class Leftovers(Ground):
    """The steps that look at what no rule has matched."""

    def _explain(self, leg: Leg, after: int | None) -> int | None:
        """Each movement without a partner: a break with its cause, an item still on its way, or nothing."""
        items = self._work.pool.leftovers(self._run["id"], leg, after or 0, LEFTOVERS)
        around = self._around(leg, items)
        differences: list[tuple[Difference, Around]] = []
        outstanding: list[int] = []
        breaks: list[int] = []
        gone: list[int] = []
        for item in items:
            difference, on_its_way = explain(leg, item, around[item.id])
            if difference is not None:
                differences.append((difference, around[item.id]))
            (outstanding if on_its_way else breaks if difference is not None else gone).append(item.id)
        self._remember(leg, (), joined(differences))
        for ids, state in ((outstanding, "outstanding"), (breaks, "break"), (gone, None)):
            self._work.pool.leave(self._run["id"], leg, ids, state=state)
        return items[-1].id if len(items) == LEFTOVERS else None

    def _around(self, leg: Leg, items: Sequence[Item]) -> dict[int, Around]:
        """What is known about each, fetched for all of them at once."""
        named = self._named(items, every=True) if leg is Leg.PROCESSOR else {}
        elsewhere = self._work.around.elsewhere(self._window, items)
        alike = self._alike([item for item in items if leg is Leg.PROCESSOR and not item.right])
        equals = self._equals(leg, items) if leg is Leg.BANK else {}
        counted = self._work.around.still_counted(self._window, [item for item in items if item.status == "failed"])
        until = self._run["cut_off"] if self._bank is None else min(self._run["cut_off"], self._bank["ends_on"])
        return {
            item.id: Around(
                trust=self._account.is_trust,
                seen_until=until,
                named=self._matters_of(item, named) if leg is Leg.PROCESSOR else None,
                elsewhere=elsewhere.get(item.id),
                alike=alike.get(item.id, ()),
                equals=equals.get(item.id, ()),
                still_counted=item.id in counted,
            )
            for item in items
        }

    @staticmethod
    def _matters_of(item: Item, named: matching.Named) -> tuple[int, ...]:
        return (item.matter_id,) if item.matter_id is not None else named.get(item.reference, ())

    def _equals(self, leg: Leg, items: Sequence[Item]) -> dict[int, tuple[Candidate, ...]]:
        """Movements that were matched as a set of one amount, beside which each of these is one too many."""
        found: dict[int, tuple[Candidate, ...]] = {}
        sets = self._work.matches.in_sets(self._run["id"], leg, {item.amount_cents for item in items})
        for item in items:
            near = [
                row
                for row in sets.get((item.right, item.amount_cents), ())
                if abs((row["on"] - item.on).days) <= SAME_MONEY_DAYS
            ]
            found[item.id] = tuple(
                Candidate(row["id"], row["matter_id"], f"equal to it, on {row['on']}; matched as one of a set")
                for row in near
            )
        return found

    def _alike(self, items: Sequence[Item]) -> dict[int, tuple[Candidate, ...]]:
        """Lines of Clio's ledger without a payment that have the amount, the nearest day first."""
        found: dict[int, tuple[Candidate, ...]] = {}
        lines = self._work.pool.alike(self._run["id"], {item.amount_cents for item in items})
        for item in items:
            near = [
                row for row in lines.get(item.amount_cents, ()) if abs((row["on"] - item.on).days) <= CANDIDATE_DAYS
            ]
            near.sort(key=lambda row: (abs((row["on"] - item.on).days), row["movement_id"]))
            found[item.id] = tuple(
                Candidate(row["movement_id"], row["matter_id"], f"the same amount in Clio's ledger on {row['on']}")
                for row in near[:MOST_CANDIDATES]
            )
        return found

    def _gather(self, _after: None) -> None:
        """Several differences with one root are one for a person, with its consequences under it."""
        run_id, found = self._run["id"], []
        for page in self._work.differences.in_pages(run_id):
            lines = self._work.movements.rows_of([ident for row in page for ident in row["movement_ids"]])
            for row in page:
                about = (lines[ident] for ident in row["movement_ids"] if ident in lines)
                seen = tuple(Seen(line["id"], line["source"], line["on"], line["amount_cents"]) for line in about)
                near = (one["movement_id"] for one in row["candidates"])
                found.append(Found(row["fingerprint"], row["kind"], seen, tuple(ident for ident in near if ident)))
            if len(found) > MOST_GATHERED:
                return
        self._work.differences.put_under(run_id, roots(found))
