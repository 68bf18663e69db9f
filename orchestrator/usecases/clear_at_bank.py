"""What must have reached the bank: whole days of a processor's, and what the processor does not know."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from re import compile as pattern

from orchestrator.domain import matching
from orchestrator.domain.batches import Credit, batches, nets
from orchestrator.domain.first_look import clean
from orchestrator.domain.matching import SAME_REFERENCE, Difference, Item, Leg
from orchestrator.usecases.reconcile_ground import PAGE, Ground

OPAQUE = pattern(r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9_-]{20,24}")
"""LawPay's ids look like this: about 22 letters and digits of both cases."""


class AtBank(Ground):
    """The steps between the two legs, and those of the bank's that are no rung."""

    def _settle(self, _after: None) -> None:
        """Whole days of a processor's in one line of the bank's; or a little less, with a fee taken out of it (T16)."""
        by_source: dict[str, dict[date, int]] = {}
        for named, cents in self._place["days"].items():
            source, _, day = named.partition("|")
            by_source.setdefault(source, {})[date.fromisoformat(day)] = cents
        came_in = [Credit(*line) for line in self._work.looks.bank_credits(self._window)]
        whole = _each_once({source: batches(days, came_in) for source, days in sorted(by_source.items())})
        taken = {ident for fits in whole.values() for ident in fits}
        free = [line for line in came_in if line.id not in taken]
        # Money that the ledger has in exactly this amount is no day less a fee.
        known = self._work.pool.alike(self._run["id"], {line.amount_cents for line in free})
        free = [line for line in free if line.amount_cents not in known]
        rest = {
            source: {day: cents for day, cents in days.items() if all(day not in run for run in whole[source].values())}
            for source, days in by_source.items()
        }
        short = _each_once(
            {source: {one: (day,) for one, day in nets(days, free).items()} for source, days in rest.items()}
        )
        cleared: set[str] = set()
        for rule, found in (("batch_deposit", whole), ("net_deposit", short)):
            for source, fits in sorted(found.items()):
                lines = [matching.Match(rule, (), (one,), day) for one, days in sorted(fits.items()) for day in days]
                self._remember(Leg.BANK, lines, ())
                cleared |= {f"{source}|{line.on}" for line in lines}
        arrived = {line.id: line for line in free}
        for source, fits in short.items():
            for ident, (day,) in sorted(fits.items()):
                self._net(arrived[ident], day, by_source[source][day])
        self._place["cleared"] = sorted(cleared)

    def _net(self, line: Credit, day: date, gross: int) -> None:
        got = matching.dollars(line.amount_cents)
        cause = f"the payments of {day} are {matching.dollars(gross)}, the bank received {got} on {line.on}"
        said = Difference("net_deposit", (), gross - line.amount_cents, cause)
        self._say(said, day, [line.id], f"{day}:{line.amount_cents}")

    def _uncleared(self, after: int | None) -> int | None:
        """Ledger lines known to the processor whose day the bank has not shown as one sum, and all that goes out."""
        cleared = set(self._place["cleared"])
        uncleared: dict[str, list[date]] = {}
        for named in self._place["days"].keys() - cleared:
            source, _, day = named.partition("|")
            uncleared.setdefault(source, []).append(date.fromisoformat(day))
        items, end = self._work.matches.matched_on(self._run["id"], uncleared, after or 0, PAGE)
        self._pool(Leg.BANK, items)
        return end

    def _pass_on(self, after: int | None) -> int | None:
        """Ledger lines that the processor does not know: the bank must. And those it contradicts, unless a day's sum has them."""
        found = self._work.pool.passing(self._run["id"], after or 0, PAGE)
        cleared = {date.fromisoformat(named.partition("|")[2]) for named in self._place.get("cleared", ())}
        lost = self._names_nothing_seen([item for state, item in found if state == "open"])
        free = [item for state, item in found if state == "open" and item.id not in lost]
        told = [
            item
            for state, item in found
            if (item.id in lost and item.amount_cents < 0)
            or (state == "break" and (item.amount_cents < 0 or item.on not in cleared))
        ]
        self._pool(Leg.BANK, [item._replace(right=0) for item in self._still_open([*free, *told])])
        self._work.pool.leave(self._run["id"], Leg.PROCESSOR, [item.id for item in free], state="passed")
        return found[-1][1].id if len(found) == PAGE else None

    def _names_nothing_seen(self, unmatched: Sequence[Item]) -> set[int]:
        """Those that name a payment no processor shows; one whose payment the signed period before has seen is none of them.

        Nor is the other end of a draw: a processor shows it where it left, in another account of the firm's.
        """
        naming = [item for item in self._still_open(unmatched, Leg.PROCESSOR) if self._names_payment(item)]
        ends = self._work.around.other_ends(self._window, naming)
        return {item.id for item in naming if item.id not in ends}

    def _names_payment(self, item: Item) -> bool:
        """Whether it says that a processor has it: by its parent, or by an id that nobody makes up."""
        return item.parent is not None or (
            self._account.lawpay_ids != () and bool(OPAQUE.fullmatch(item.reference.strip()))
        )

    def _still_open(self, items: Sequence[Item], leg: Leg = Leg.BANK) -> Sequence[Item]:
        """Without what the signed period before matched in this leg already: only its other half is carried on."""
        if self._window.carried_from is None:
            return items
        old = [
            item.id for item in items if item.on < self._window.opened_on and item.id <= (self._window.locked_upto or 0)
        ]
        carried = self._work.pool.carried(self._window.carried_from, leg, old)
        return [item for item in items if item.id not in old or item.id in carried]

    def _bank_references(self, after: int | None) -> int | None:
        """Ledger lines and the only line of the bank that has their reference."""
        looks, end = self._work.looks.bank_looks(self._window, self._run["id"], after or 0, PAGE)
        days = {look[9]: on for look, on in looks}
        found = clean((look for look, _ in looks), {})
        pairs = [(line, ident, days[line]) for ident, line, _ in found.pairs]
        self._keep_pairs(Leg.BANK, SAME_REFERENCE, pairs)
        self._work.pool.leave(self._run["id"], Leg.BANK, [line for line, _, _ in pairs])
        return end

    def _bank_lines(self, after: str | None) -> str | None:
        items = self._work.looks.bank_rest(self._window, self._run["id"], after or "", PAGE)
        self._pool(Leg.BANK, items)
        return items[-1].external_id if len(items) == PAGE else None

    def _slips(self, _after: None) -> None:
        """Deposits of one day on one slip: the sum of what the ledger has left of that day."""
        totals, ids = self._work.pool.open_days(self._run["id"], Leg.BANK)
        found = batches(totals, self._open_credits())
        slips = [
            matching.Match("deposit_slip", tuple(ids(run)), (ident,), run[0]) for ident, run in sorted(found.items())
        ]
        self._remember(Leg.BANK, slips, ())
        self._work.pool.leave(
            self._run["id"], Leg.BANK, [one for match in slips for one in (*match.lefts, *match.rights)]
        )

    def _open_credits(self) -> Iterable[Credit]:
        return (Credit(*row) for row in self._work.pool.open_credits(self._run["id"], Leg.BANK))

    def _wait_for_bank(self, after: int | None) -> int | None:
        """Nothing of the bank's was imported: what the ledger has is open, and nobody is blamed for it."""
        found = self._work.pool.leftovers(self._run["id"], Leg.BANK, after or 0, PAGE)
        self._work.pool.leave(self._run["id"], Leg.BANK, [item.id for item in found], state="outstanding")
        return found[-1].id if len(found) == PAGE else None


def _each_once(found: dict[str, dict[int, tuple[date, ...]]]) -> dict[str, dict[int, tuple[date, ...]]]:
    """Without the lines that could be the day of more than one processor: they are nobody's."""
    shared = Counter(ident for fits in found.values() for ident in fits)
    return {source: {one: days for one, days in fits.items() if shared[one] == 1} for source, fits in found.items()}
