"""The ladder of rules: first what names its partner, last what could be no other (T36, F74)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.domain import matching
from orchestrator.domain.first_look import Look, clean
from orchestrator.domain.ladder import LADDER, apart_from_clio
from orchestrator.domain.matching import SAME_REFERENCE, Item, Leg, Rule, Verdict
from orchestrator.domain.movements import PROCESSORS
from orchestrator.domain.references import normalise
from orchestrator.usecases.reconcile_ground import ASKED, PAGE, Ground


class Ladder(Ground):
    """The steps that match the processor with Clio's ledger, and any rung of any leg."""

    def _link(self, after: int | None) -> int | None:
        """Ledger lines that name their transaction, and every movement that the processor has."""
        looks, end = self._work.looks.first_looks(self._window, after or 0, PAGE)
        self._hear(looks)
        named = self._named_as(self._contradictable(looks))
        found = clean(looks, named)
        self._keep_pairs(Leg.PROCESSOR, LADDER[0].name, found.pairs)
        verdict = matching.decide(LADDER[0], self._work.looks.linked(self._window, found.rest), named)
        self._keep(Leg.PROCESSOR, verdict)
        self._pool(Leg.PROCESSOR, verdict.left_over)
        # What our books hold for no bill is told apart before references are compared; what went back goes with it.
        held = self._held()
        paired = self._by_reference([look[0] for look in found.alone if look[2] > 0 and look[8] not in held])
        self._work.pool.add(
            self._run["id"], Leg.PROCESSOR, [_alone(look) for look in found.alone if look[0] not in paired]
        )
        return end

    def _hear(self, looks: Sequence[Look]) -> None:
        """What settled on each day at each processor, coming in: the bank may show it as one sum."""
        settled: dict[tuple[str, Any], int] = defaultdict(int)
        last = 0
        for look in looks:
            if look[2] > 0 and look[3] == "settled" and look[0] != last:
                settled[look[5], look[1]] += look[2]
            last = look[0]
        days: dict[str, int] = self._place["days"]
        for (source, on), cents in settled.items():
            days[f"{source}|{on}"] = days.get(f"{source}|{on}", 0) + cents

    @staticmethod
    def _contradictable(looks: Sequence[Look]) -> dict[str, set[str]]:
        """The references whose matters could contradict a ledger line's, by source."""
        return {
            source: {look[6] for look in looks if look[12] is not None and look[7] is None and look[5] == source} - {""}
            for source in PROCESSORS
            if source in ASKED
        }

    def _by_reference(self, alone: Sequence[int]) -> set[int]:
        """Match payments that no line names with the only line of their reference; returns which."""
        looks = self._work.looks.second_looks(self._window, alone)
        pairs = clean(looks, self._named_as(self._contradictable(looks))).pairs
        self._keep_pairs(Leg.PROCESSOR, SAME_REFERENCE, pairs)
        return {ident for ident, _, _ in pairs}

    def _ledger(self, after: int | None) -> int | None:
        """Ledger lines that name no payment there is, and whose reference finds none for certain: all of it may find one."""
        items = self._work.looks.book_rest(self._window, self._run["id"], after or 0, PAGE)
        self._pool(Leg.PROCESSOR, items)
        return items[-1].id if len(items) == PAGE else None

    def _held(self) -> Mapping[str, int]:
        return self._work.journal.unallocated(self._run["inputs"].get("unallocated") or 0)

    def _unapplied(self, _after: None) -> None:
        """What our books hold for no bill, before anything but an id is compared.

        The payment that was there first has its reference, and the line of a cheque has its amount and matter.
        """
        self._apart_from_clio(self._held())

    def _came_and_went(self, _after: None) -> None:
        self._apart_from_clio(dict.fromkeys(self._work.pool.taken_back(self._run["id"]), 0))

    def _apart_from_clio(self, held: Mapping[str, int]) -> None:
        """Those of these charges that no ledger line answers, each with what our books hold of it and what went back."""
        charges = self._work.pool.open_at_processors(self._run["id"], held, by="external_id")
        back: dict[str | None, list[Item]] = defaultdict(list)
        for item in self._work.pool.open_at_processors(self._run["id"], held, by="parent"):
            back[item.parent].append(item)
        verdict = Verdict()
        for item in charges:
            of_it, cents = back[item.external_id], held[item.external_id]
            apart_from_clio(item, of_it, held=cents > 0, trust=self._account.is_trust, verdict=verdict)
        self._keep(Leg.PROCESSOR, verdict, pooled=True)

    def _name(self, after: int | None) -> int | None:
        """What no id and no reference tied to Clio's ledger: the lookup table may know its matter."""
        found = self._work.pool.leftovers(self._run["id"], Leg.PROCESSOR, after or 0, PAGE)
        items = [item for item in found if item.matter_id is None and not item.right]
        named = self._named(items)
        known = {item.id: matter for item in items if (matter := matching.only(named.get(item.reference, ())))}
        last = found[-1].id if len(found) == PAGE else None
        self._work.pool.name(self._run["id"], known, after or 0, last)
        return last

    def _climb(self, rule: Rule, after: str | None) -> str | None:
        """One rung, over what the rungs before it left."""
        items, end = self._work.pool.grouped(self._run["id"], rule, after or "", PAGE)
        verdict = matching.decide(rule, items, self._named(items) if rule.leg is Leg.PROCESSOR else {})
        self._keep(rule.leg, verdict, pooled=True)
        return end


def _alone(look: Look) -> tuple[Any, ...]:
    """A row of `POOLED`, for a payment that no line names."""
    ident, on, cents, status, _, _, text, matter, name, *_ = look
    cents = 0 if status in matching.WORTHLESS else cents
    return 0, ident, matter, cents, on, normalise(name)[:200], normalise(text)[:200], "", "", ""
