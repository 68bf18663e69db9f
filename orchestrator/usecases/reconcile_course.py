"""A run's way from its first comparison to its statement: small steps, each one transaction that also keeps the place.

Killed anywhere, it goes on at the last step that was committed and comes to the same end: a step depends on nothing but
the run's inputs and the steps before it (T42).
"""

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from re import compile as pattern
from typing import Any

from orchestrator.domain import matching
from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.batches import Credit, batches, nets
from orchestrator.domain.breaks import BREAKS, TRANSIT_DAYS
from orchestrator.domain.consequences import Found, Seen, roots
from orchestrator.domain.ids import effect_key
from orchestrator.domain.leftovers import FROM_TRUST, Around, explain, joined
from orchestrator.domain.matching import (
    LADDER,
    SAME_MONEY_DAYS,
    Candidate,
    Difference,
    Item,
    Leg,
    Rule,
    Verdict,
    effective,
)
from orchestrator.domain.movements import PROCESSORS, Source
from orchestrator.domain.references import Ambiguous, Provider, Resolved, normalise
from orchestrator.domain.three_way import Line, Statement, apart
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import OrchestratorError
from orchestrator.storage.repository import Row
from orchestrator.storage.runs import Window
from orchestrator.storage.three_way import Cut
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.keep_breaks import keep_breaks

PAGE = 8000
"""Movements of a source in one step: some hundred kilobytes, some tens of milliseconds of the one writer's time."""

MOST_KEPT = 20_000
"""Answers of the lookup table that a run keeps at once."""

LINES = 50_000
"""Rows of the book, or of the client ledgers, that are held against each other in one step: the database alone looks at them."""

LEFTOVERS = 300
"""Movements without a partner in one step: each is looked for elsewhere."""

ASKED: dict[str, str] = {Source.LAWPAY: Provider.LAWPAY, Source.BANK: Provider.BANK, Source.CLIO_LEDGER: Provider.CLIO}
OPAQUE = pattern(r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9_-]{20,24}")
"""LawPay's ids look like this: about 22 letters and digits of both cases."""

MOST_GATHERED = 20_000
"""Differences of a run that are held against each other: whoever has more of them looks at none by itself."""

CANDIDATE_DAYS = 30
MOST_CANDIDATES = 5


Memo = dict[str, dict[str, tuple[int, ...]]]
"""What the lookup table said to texts, by provider: none is unknown, several are ambiguous."""


class RunTaken(OrchestratorError):
    """Another worker took the run further since this step began."""


class Course:
    """One step of one run, in the transaction it is given."""

    def __init__(self, rt: Runtime, work: Work, run: Row, account: FirmAccount, memo: Memo | None = None) -> None:
        self._said: Memo = memo if memo is not None else {}
        self._rt = rt
        self._work = work
        self._run = run
        self._account = account
        self._place: dict[str, Any] = dict(run["place"])
        inputs = run["inputs"]
        signed = work.runs.period_of(inputs["period"])
        before = work.runs.get(signed["run_id"]) if signed is not None else None
        self._before = before
        self._window = Window(
            account.key, account.currency, run["opened_on"], run["cut_off"], inputs["upto"],
            locked_upto=before["inputs"]["upto"] if before is not None else None,
            carried_from=before["id"] if before is not None else None,
        )  # fmt: skip
        self._cut = Cut(account.key, run["cut_off"], inputs["upto"], inputs.get("lines") or 0)
        self._bank = work.bank_files.get(inputs["bank_file"])
        self._phases = self._all_phases()

    def step(self) -> tuple[int, int]:
        """Do the next page of work and keep the place; returns how many phases are over, and of how many."""
        phase, after = self._place["phase"], self._place["after"]
        following = self._phases[phase](after)
        over = following is None
        place = self._place | {"phase": phase + 1 if over else phase, "after": following}
        values: dict[str, Any] = {"place": place}
        if over and phase + 1 == len(self._phases):
            values |= self._ending()
        if not self._work.runs.step(self._run, **values):
            raise RunTaken("The run went on elsewhere.")
        return phase + over, len(self._phases)

    def _all_phases(self) -> Sequence[Callable[[Any], Any]]:
        by_leg = {leg: [partial(self._climb, rule) for rule in LADDER[1:] if rule.leg is leg] for leg in Leg}
        ours = [self._settle, self._uncleared, self._pass_on]
        bank = [*ours, self._bank_references, self._bank_lines, *by_leg[Leg.BANK], self._slips]
        return [
            self._link,
            self._ledger,
            *by_leg[Leg.PROCESSOR][:1],
            self._unapplied,
            *by_leg[Leg.PROCESSOR][1:2],
            self._name,
            *by_leg[Leg.PROCESSOR][2:],
            self._came_and_went,
            *(bank if self._bank is not None else [self._pass_on]),
            partial(self._explain, Leg.PROCESSOR),
            *([partial(self._explain, Leg.BANK)] if self._bank is not None else [self._wait_for_bank]),
            self._foreign,
            *([self._in_ledgers, self._in_book, self._halves] if self._account.is_trust else []),
            self._negative,
            self._draws,
            self._after_lock,
            self._gather,
        ]

    # ── the ladder ──

    def _link(self, after: int | None) -> int | None:
        """Ledger lines that name their transaction, and every movement that the processor has."""
        looks, end = self._work.runs.first_looks(self._window, after or 0, PAGE)
        self._hear(looks)
        named = self._named_as(self._contradictable(looks))
        found = matching.clean(looks, named)
        self._keep_pairs(Leg.PROCESSOR, LADDER[0].name, found.pairs)
        verdict = matching.decide(LADDER[0], self._work.runs.linked(self._window, found.rest), named)
        self._keep(Leg.PROCESSOR, verdict)
        self._pool(Leg.PROCESSOR, verdict.left_over)
        # What our books hold for no bill is told apart before references are compared; what went back goes with it.
        held = self._held()
        paired = self._by_reference([look[0] for look in found.alone if look[2] > 0 and look[8] not in held])
        self._work.runs.pool(
            self._run["id"], Leg.PROCESSOR, [_alone(look) for look in found.alone if look[0] not in paired]
        )
        return end

    def _hear(self, looks: Sequence[matching.Look]) -> None:
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
    def _contradictable(looks: Sequence[matching.Look]) -> dict[str, set[str]]:
        """The references whose matters could contradict a ledger line's, by source."""
        return {
            source: {look[6] for look in looks if look[12] is not None and look[7] is None and look[5] == source} - {""}
            for source in PROCESSORS
            if source in ASKED
        }

    def _name(self, after: int | None) -> int | None:
        """What no id and no reference tied to Clio's ledger: the lookup table may know its matter."""
        found = self._work.runs.leftovers(self._run["id"], Leg.PROCESSOR, after or 0, PAGE)
        items = [item for item in found if item.matter_id is None and not item.right]
        named = self._named(items)
        known = {item.id: matter for item in items if (matter := matching.only(named.get(item.reference, ())))}
        last = found[-1].id if len(found) == PAGE else None
        self._work.runs.name(self._run["id"], known, after or 0, last)
        return last

    def _by_reference(self, alone: Sequence[int]) -> set[int]:
        """Match payments that no line names with the only line of their reference; returns which."""
        looks = self._work.runs.second_looks(self._window, alone)
        pairs = matching.clean(looks, self._named_as(self._contradictable(looks))).pairs
        self._keep_pairs(Leg.PROCESSOR, "exact_reference", pairs)
        return {ident for ident, _, _ in pairs}

    def _keep_pairs(self, leg: Leg, rule: str, pairs: Sequence[tuple[int, int, Any]]) -> None:
        self._work.runs.keep_pairs(self._run["id"], leg, rule, pairs)
        self._count(leg, {rule: len(pairs)})
        self._chain(array("q", [ident for one, other, _ in pairs for ident in (one, other)]).tobytes())

    def _ledger(self, after: int | None) -> int | None:
        """Ledger lines that name no payment there is, and whose reference finds none for certain: all of it may find one."""
        items = self._work.runs.unseen(self._window, self._run["id"], after or 0, PAGE)
        self._pool(Leg.PROCESSOR, items)
        return items[-1].id if len(items) == PAGE else None

    def _unapplied(self, _after: None) -> None:
        """What our books hold for no bill, before anything but an id is compared.

        The payment that was there first has its reference, and the line of a cheque has its amount and matter.
        """
        self._apart_from_clio(self._held())

    def _held(self) -> Mapping[str, int]:
        return self._work.journal.unallocated(self._run["inputs"].get("unallocated") or 0)

    def _came_and_went(self, _after: None) -> None:
        self._apart_from_clio(dict.fromkeys(self._work.runs.taken_back(self._run["id"]), 0))

    def _apart_from_clio(self, held: Mapping[str, int]) -> None:
        """Those of these charges that no ledger line answers, each with what our books hold of it and what went back."""
        charges = self._work.runs.open_at_processors(self._run["id"], held, by="external_id")
        back: dict[str | None, list[Item]] = defaultdict(list)
        for item in self._work.runs.open_at_processors(self._run["id"], held, by="parent"):
            back[item.parent].append(item)
        verdict = Verdict()
        for item in charges:
            of_it, cents = back[item.external_id], held[item.external_id]
            matching.apart_from_clio(item, of_it, held=cents > 0, trust=self._account.is_trust, verdict=verdict)
        self._keep(Leg.PROCESSOR, verdict, pooled=True)

    def _climb(self, rule: Rule, after: str | None) -> str | None:
        """One rung, over what the rungs before it left."""
        items, end = self._work.runs.grouped(self._run["id"], rule, after or "", PAGE)
        verdict = matching.decide(rule, items, self._named(items) if rule.leg is Leg.PROCESSOR else {})
        self._keep(rule.leg, verdict, pooled=True)
        return end

    def _settle(self, _after: None) -> None:
        """Whole days of a processor's in one line of the bank's; or a little less, with a fee taken out of it (T16)."""
        by_source: dict[str, dict[date, int]] = {}
        for named, cents in self._place["days"].items():
            source, _, day = named.partition("|")
            by_source.setdefault(source, {})[date.fromisoformat(day)] = cents
        came_in = [Credit(*line) for line in self._work.runs.bank_credits(self._window)]
        whole = _each_once({source: batches(days, came_in) for source, days in sorted(by_source.items())})
        taken = {ident for fits in whole.values() for ident in fits}
        free = [line for line in came_in if line.id not in taken]
        # Money that the ledger has in exactly this amount is no day less a fee.
        known = self._work.runs.alike(self._run["id"], {line.amount_cents for line in free})
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
        items, end = self._work.runs.matched_on(self._run["id"], uncleared, after or 0, PAGE)
        self._pool(Leg.BANK, items)
        return end

    def _pass_on(self, after: int | None) -> int | None:
        """Ledger lines that the processor does not know: the bank must. And those it contradicts, unless a day's sum has them."""
        found = self._work.runs.passing(self._run["id"], after or 0, PAGE)
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
        self._work.runs.leave(self._run["id"], Leg.PROCESSOR, [item.id for item in free], state="passed")
        return found[-1][1].id if len(found) == PAGE else None

    def _names_nothing_seen(self, unmatched: Sequence[Item]) -> set[int]:
        """Those that name a payment no processor shows; one whose payment the signed period before has seen is none of them.

        Nor is the other end of a draw: a processor shows it where it left, in another account of the firm's.
        """
        naming = [item for item in self._still_open(unmatched, Leg.PROCESSOR) if self._names_payment(item)]
        ends = self._work.runs.other_ends(self._window, naming)
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
        carried = self._work.runs.carried(self._window.carried_from, leg, old)
        return [item for item in items if item.id not in old or item.id in carried]

    def _bank_references(self, after: int | None) -> int | None:
        """Ledger lines and the only line of the bank that has their reference."""
        looks, end = self._work.runs.bank_looks(self._window, self._run["id"], after or 0, PAGE)
        days = {look[9]: on for look, on in looks}
        found = matching.clean((look for look, _ in looks), {})
        pairs = [(line, ident, days[line]) for ident, line, _ in found.pairs]
        self._keep_pairs(Leg.BANK, "exact_reference", pairs)
        self._work.runs.leave(self._run["id"], Leg.BANK, [line for line, _, _ in pairs])
        return end

    def _bank_lines(self, after: str | None) -> str | None:
        items = self._work.runs.at_bank(self._window, self._run["id"], after or "", PAGE)
        self._pool(Leg.BANK, items)
        return items[-1].external_id if len(items) == PAGE else None

    def _slips(self, _after: None) -> None:
        """Deposits of one day on one slip: the sum of what the ledger has left of that day."""
        totals, ids = self._work.runs.open_days(self._run["id"], Leg.BANK)
        found = batches(totals, self._open_credits())
        slips = [
            matching.Match("deposit_slip", tuple(ids(run)), (ident,), run[0]) for ident, run in sorted(found.items())
        ]
        self._remember(Leg.BANK, slips, ())
        self._work.runs.leave(
            self._run["id"], Leg.BANK, [one for match in slips for one in (*match.lefts, *match.rights)]
        )

    def _open_credits(self) -> Iterable[Credit]:
        return (Credit(*row) for row in self._work.runs.open_credits(self._run["id"], Leg.BANK))

    # ── what is left ──

    def _explain(self, leg: Leg, after: int | None) -> int | None:
        """Each movement without a partner: a break with its cause, an item still on its way, or nothing."""
        items = self._work.runs.leftovers(self._run["id"], leg, after or 0, LEFTOVERS)
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
            self._work.runs.leave(self._run["id"], leg, ids, state=state)
        return items[-1].id if len(items) == LEFTOVERS else None

    def _around(self, leg: Leg, items: Sequence[Item]) -> dict[int, Around]:
        """What is known about each, fetched for all of them at once."""
        named = self._named(items, every=True) if leg is Leg.PROCESSOR else {}
        elsewhere = self._work.runs.elsewhere(self._window, items)
        alike = self._alike([item for item in items if leg is Leg.PROCESSOR and not item.right])
        equals = self._equals(leg, items) if leg is Leg.BANK else {}
        counted = self._work.runs.still_counted(self._window, [item for item in items if item.status == "failed"])
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
        sets = self._work.runs.in_sets(self._run["id"], leg, {item.amount_cents for item in items})
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
        lines = self._work.runs.alike(self._run["id"], {item.amount_cents for item in items})
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

    def _wait_for_bank(self, after: int | None) -> int | None:
        """Nothing of the bank's was imported: what the ledger has is open, and nobody is blamed for it."""
        found = self._work.runs.leftovers(self._run["id"], Leg.BANK, after or 0, PAGE)
        self._work.runs.leave(self._run["id"], Leg.BANK, [item.id for item in found], state="outstanding")
        return found[-1].id if len(found) == PAGE else None

    def _foreign(self, _after: None) -> None:
        for row in self._work.runs.foreign(self._window):
            cause = f"it is in {row['currency']}, the account in {self._account.currency}"
            said = Difference(
                "currency_mismatch", (), abs(row["amount_cents"]), cause, row["reference"], row["matter_id"]
            )
            self._say(said, row["on"], [row["id"]], f"{row['source']}:{row['external_id']}")

    def _in_ledgers(self, after: str | None) -> str | None:
        """Lines of Clio's book that our client ledgers do not have like it (T36)."""
        if after is None and not self._work.three_way.posts(self._cut):
            self._say_unposted()
            return None
        names, end = self._work.three_way.book_apart(self._cut, after or "", LINES)
        self._place["apart"] = self._place.get("apart", False) or bool(names)
        self._say_apart(self._work.three_way.lines(self._cut, names))
        return end

    def _in_book(self, after: int | None) -> int | None:
        """Lines of our client ledgers that Clio's book does not have (T36); none, if all of the book are there and as many."""
        if after is None and not self._place.get("apart", False) and self._work.three_way.as_many(self._cut):
            return None
        names, end = self._work.three_way.ledgers_apart(self._cut, after or 0, LINES)
        self._say_apart(self._work.three_way.lines(self._cut, names))
        return end

    def _halves(self, _after: None) -> None:
        """Lines of ours that moved money inside the account and lost their other half."""
        self._say_apart(self._work.three_way.halves(self._cut))

    def _say_apart(self, lines: Iterable[Line]) -> None:
        for line in lines:
            said = apart(line)
            if said is not None:
                ids = [line.movement_id] if line.movement_id is not None else []
                self._say(said, line.on, ids, f"line:{line.name}")

    def _say_unposted(self) -> None:
        """An account that posts nothing has one reason for it, not one for each line."""
        book = self._work.runs.book_cents(self._account.key, self._run["cut_off"], self._window.upto)
        if book:
            cause = f"Clio's book comes to {matching.dollars(book)}, and no line of it is in any client ledger"
            self._say(Difference("missing_in_ledgers", (), abs(book), cause), self._run["cut_off"], [], "every line")

    def _negative(self, _after: None) -> None:
        """Every ledger below zero is a break of its own, whatever the totals say (T36)."""
        if not self._account.is_trust:
            return
        for row in self._work.three_way.ledgers(self._cut):
            if row["cents"] < 0:
                whose = f"client {row['client_id'] or '-'}, matter {row['matter_id'] or '-'}"
                cause = f"the {row['ledger'].replace('_', ' ')} ledger of {whose} is {matching.dollars(row['cents'])}"
                said = Difference("negative_ledger", (), -row["cents"], cause, matter_id=row["matter_id"] or None)
                self._say(said, self._run["cut_off"], [], f"{row['ledger']}:{row['client_id']}:{row['matter_id']}")

    def _draws(self, _after: None) -> None:
        """Trust money out for a bill without an authorised draw, and authorised draws without a ledger line (T19, T24)."""
        if not self._account.is_trust or not self._rt.settings.trust.signatories:
            return
        # What happened before anybody looked here was authorised elsewhere, or was not.
        watched = self._work.runs.watched_since(self._account.key)
        since = watched.astimezone(self._account.zone).date() if watched is not None else self._run["cut_off"]
        for row in self._work.runs.draw_lines(self._window):
            if row["draw_id"] is None and row["on"] >= since:
                said = Difference(
                    "unauthorised_draw", (), abs(row["amount_cents"]), "Clio's ledger shows a draw that nobody authorised",
                    row["reference"], row["matter_id"],
                )  # fmt: skip
                self._say(said, row["on"], [row["id"]], f"{row['source']}:{row['external_id']}")
        late = datetime.combine(self._run["cut_off"] - timedelta(days=TRANSIT_DAYS), time(), self._account.zone)
        for row in self._work.runs.draws_waiting(self._account.key, late):
            day = row["authorised_at"].astimezone(self._account.zone).date()
            cause = f"draw {row['id']} was authorised on {day} and stands in no ledger"
            said = Difference("draw_not_posted", (), row["amount_cents"], cause, matter_id=row["matter_id"])
            self._say(said, day, [], f"draw:{row['id']}")

    def _reconcile_draws(self) -> None:
        """A posted draw is reconciled when no source contradicts its line, and the bank has told of it."""
        if self._bank is None:
            return
        told = self._bank["ends_on"]
        posted = [(line, draw) for line, day, draw in self._work.runs.posted_draws(self._window) if day <= told]
        alone = self._work.runs.alone(self._run["id"], [line for line, _ in posted])
        for line, draw in posted:
            if line not in alone and self._work.trust.reconciled(draw):
                self._work.audit.line("draw_reconciled", "draw", draw, run=self._run["id"])

    def _after_lock(self, _after: None) -> None:
        """What was changed in the ledger of a signed period since it was signed."""
        if self._window.locked_upto is None:
            return
        for row in self._work.runs.changed_since(self._window):
            cause = f"the ledger line of {row['on']} was changed after its period was signed"
            money = abs(row["amount_cents"] - row["was_cents"])
            said = Difference("changed_after_lock", (), money, cause, row["reference"], row["matter_id"])
            self._say(said, row["on"], [row["id"]], f"{row['source']}:{row['external_id']}:{row['version']}")

    def _gather(self, _after: None) -> None:
        """Several differences with one root are one for a person, with its consequences under it."""
        run_id, found = self._run["id"], []
        for page in self._work.runs.differences_in_pages(run_id):
            lines = self._work.movements.rows_of([ident for row in page for ident in row["movement_ids"]])
            for row in page:
                about = (lines[ident] for ident in row["movement_ids"] if ident in lines)
                seen = tuple(Seen(line["id"], line["source"], line["on"], line["amount_cents"]) for line in about)
                near = (one["movement_id"] for one in row["candidates"])
                found.append(Found(row["fingerprint"], row["kind"], seen, tuple(ident for ident in near if ident)))
            if len(found) > MOST_GATHERED:
                return
        self._work.runs.put_under(run_id, roots(found))

    def _say(self, difference: Difference, since: date, ids: Sequence[int], about: str) -> None:
        self._work.runs.keep_differences(self._run["id"], [self._row(difference, since, ids, [about])])

    # ── the end ──

    def _ending(self) -> dict[str, Any]:
        """The three-way statement, the digest, and the breaks brought up to date."""
        run_id, cut_off, upto = self._run["id"], self._run["cut_off"], self._window.upto
        book = self._work.runs.book_cents(self._account.key, cut_off, upto)
        on_the_way, going_out = self._work.runs.open_sum(run_id)
        before = Statement(**self._before["statement"]) if self._before is not None else None
        statement = Statement(
            bank_cents=self._bank_figure(),
            bank_until=min(cut_off, self._bank["ends_on"]).isoformat() if self._bank is not None else None,
            deposits_cents=on_the_way,
            withdrawals_cents=-going_out,
            book_cents=book,
            # Whose the firm's own money is needs no ledger.
            ledgers_cents=self._work.three_way.cents(self._cut) if self._account.is_trust else book,
            opening_cents=before.book_cents if before is not None else None,
            corrected_cents=self._corrected(before),
        )
        found = self._work.runs.fingerprints(run_id)
        kinds = Counter(kind for _, kind, root in found if root is None)
        digest = hashlib.sha256(self._place["chain"].encode())
        for fingerprint, _, _ in found:
            digest.update(fingerprint.encode())
        digest.update(repr(statement.told()).encode())
        counts = {
            "matches": dict(sorted(self._place["rules"].items())),
            "breaks": dict(sorted(kinds.items())),
            "outstanding": self._work.runs.count_of(run_id, "outstanding"),
        }
        alike = self._work.runs.alike_before(self._run, digest.hexdigest())
        if self._is_newest():
            keep_breaks(self._rt, self._work, alike or self._run, self._account)
            if self._account.is_trust:
                self._reconcile_draws()
        ended = {"finished_at": self._work.now, "digest": digest.hexdigest()}
        if alike is not None:
            # More is known and says the same: no new version of it, and nothing to keep twice (T42).
            self._work.runs.forget(run_id)
            self._work.audit.line(
                "run_confirmed", "run", alike["id"], digest=alike["digest"], inputs=self._run["inputs_digest"]
            )
            return ended | {"state": "same", "version": -run_id, "place": {"same_as": alike["id"]}}
        self._work.audit.line("run_finished", "run", run_id, digest=digest.hexdigest(), breaks=sum(kinds.values()))
        return ended | {"state": "finished", "statement": statement.told(), "counts": counts}

    def _bank_figure(self) -> int | None:
        """What the bank itself says it held at the cut-off; never the ledger's word or the processor's (T38)."""
        if self._bank is None:
            return None
        later = self._work.runs.bank_cents(
            self._account.key, self._run["cut_off"], self._bank["ends_on"], self._window.upto
        )
        return int(self._bank["closing_cents"]) - later

    def _corrected(self, before: Statement | None) -> int:
        """By how much the book of the signed period came to differ since: its corrections stand in this one (T12, T41)."""
        if before is None:
            return 0
        closed = self._run["opened_on"] - timedelta(days=1)
        return self._work.runs.book_cents(self._account.key, closed, self._window.upto) - before.book_cents

    def _is_newest(self) -> bool:
        newest = self._work.runs.newest(self._account.key)
        return newest is None or self._run["cut_off"] >= newest["cut_off"]

    # ── shared ──

    def _named(self, items: Sequence[Item], *, every: bool = False) -> matching.Named:
        """The matters that the references of these movements name, asked all at once.

        Only where somebody could contradict: a reference that stands on both sides alike says nothing new.
        """
        asked: dict[str, set[str]] = {}
        for item in items:
            if item.matter_id is None and item.reference and (every or not item.right) and item.source in ASKED:
                asked.setdefault(item.source, set()).add(item.reference)
        return self._named_as(asked)

    def _named_as(self, asked: Mapping[str, Collection[str]]) -> matching.Named:
        """The matters that texts name, by the source that carried them."""
        found: dict[str, tuple[int, ...]] = {}
        for source, texts in asked.items():
            said = self._answers(ASKED[source], texts)
            found.update((text, said[text]) for text in texts)
        return found

    def _answers(self, provider: str, texts: Collection[str]) -> dict[str, tuple[int, ...]]:
        """The lookup table's answers to these texts at least, each asked for once in a while; what is kept has a limit."""
        known = self._said.setdefault(provider, {})
        if len(known) > MOST_KEPT:
            known.clear()
        new = [text for text in texts if text not in known]
        for text, said in self._work.references.resolve_all(provider, new).items() if new else ():
            known[text] = (
                (said.matter_id,)
                if isinstance(said, Resolved)
                else said.candidates
                if isinstance(said, Ambiguous)
                else ()
            )
        return known

    def _pool(self, leg: Leg, items: Iterable[Item]) -> None:
        self._work.runs.pool(self._run["id"], leg, [_pooled(leg, item) for item in items])

    def _keep(self, leg: Leg, verdict: Verdict, *, pooled: bool = False) -> None:
        self._remember(leg, verdict.matches, verdict.differences)
        self._bear(verdict.costs)
        if pooled:
            done = [ident for match in verdict.matches for ident in (*match.lefts, *match.rights)]
            self._work.runs.leave(self._run["id"], leg, done)
            broken = [item.id for difference in verdict.differences for item in difference.items]
            self._work.runs.leave(self._run["id"], leg, broken, state="break")
        elif verdict.differences:
            items = [item for difference in verdict.differences for item in difference.items]
            self._pool(leg, items)
            self._work.runs.leave(self._run["id"], leg, [item.id for item in items], state="break")

    def _bear(self, costs: Sequence[Item]) -> None:
        """Fees and chargebacks out of trust at a client's cost, though every record agrees on them (T15, F67)."""
        for item in costs if self._account.is_trust else ():
            cause = f"{matching.dollars(-item.amount_cents)} left the trust account as a {item.kind} at a client's cost"
            said = Difference(FROM_TRUST[item.kind], (), -item.amount_cents, cause, item.reference)
            self._say(said, item.on, [item.id], f"{item.source}:{item.external_id}")

    def _remember(self, leg: Leg, found: Sequence[matching.Match], differences: Sequence[Difference]) -> None:
        self._count(leg, self._work.runs.keep_matches(self._run["id"], leg, found))
        self._chain(repr([(leg.value, match.rule, match.lefts, match.rights) for match in found]).encode())
        rows = [
            self._row(
                one, min(item.on for item in one.items), [item.id for item in one.items],
                [f"{item.source}:{item.external_id}" for item in one.items],
            )
            for one in differences
        ]  # fmt: skip
        self._work.runs.keep_differences(self._run["id"], rows)

    def _count(self, leg: Leg, matched: Mapping[str, int]) -> None:
        """How many matches each rule has made, by leg and rule."""
        for rule, count in matched.items():
            if count:
                named = f"{leg.value}.{rule}"
                self._place["rules"][named] = self._place["rules"].get(named, 0) + count

    def _chain(self, found: bytes) -> None:
        """What was matched so far, as one digest: the same inputs come to the same one."""
        self._place["chain"] = hashlib.sha256(self._place["chain"].encode() + found).hexdigest()

    def _kind(self, difference: Difference) -> str:
        """A late return is worse once the money is used: the matter's ledger no longer holds it."""
        if difference.kind != "late_return" or difference.matter_id is None or not self._account.is_trust:
            return difference.kind
        held = self._work.runs.matter_cents(
            self._account.key, difference.matter_id, self._run["cut_off"], self._window.upto
        )
        return "late_return_after_use" if held < difference.money_cents else "late_return"

    def _row(self, one: Difference, since: date, ids: Sequence[int], about: Sequence[str]) -> dict[str, Any]:
        kind = self._kind(one)
        assert kind in BREAKS, kind
        return {
            "fingerprint": effect_key("break", self._account.key, kind, *sorted(about)),
            "kind": kind,
            "money_cents": one.money_cents,
            "cause": one.cause,
            "reference": one.reference,
            "matter_id": one.matter_id,
            "candidates": [candidate._asdict() for candidate in one.candidates],
            "movement_ids": sorted(ids),
            "since": since,
        }


def _pooled(leg: Leg, item: Item) -> tuple[Any, ...]:
    """A row of `POOLED`: what the rules of a leg will group this movement by; `_name` fills in the rest."""
    right, cents, matter = item.right, effective(item), item.matter_id
    reference = normalise(item.reference)[:200]
    name = reference if right else normalise(item.external_id)[:200]
    money = str(cents) if cents and leg is Leg.BANK else ""
    own = item.source == Source.CLIO_LEDGER and item.client_id
    client = f"{item.client_id}|{abs(cents)}|{item.on}" if own else ""
    return right, item.id, matter, cents, item.on.isoformat(), name, reference, money, client, ""


def _alone(look: matching.Look) -> tuple[Any, ...]:
    """The same for a processor's movement that no line names."""
    ident, on, cents, status, _, _, text, matter, name, *_ = look
    cents = 0 if status in matching.WORTHLESS else cents
    return 0, ident, matter, cents, on, normalise(name)[:200], normalise(text)[:200], "", "", ""


def _each_once(found: dict[str, dict[int, tuple[date, ...]]]) -> dict[str, dict[int, tuple[date, ...]]]:
    """Without the lines that could be the day of more than one processor: they are nobody's."""
    shared = Counter(ident for fits in found.values() for ident in fits)
    return {source: {one: days for one, days in fits.items() if shared[one] == 1} for source, fits in found.items()}
