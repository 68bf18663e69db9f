"""What every step of a run stands on: its inputs, its place, and how it keeps what it found."""

import hashlib
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from orchestrator.domain import matching
from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.breaks import BREAKS
from orchestrator.domain.ids import effect_key
from orchestrator.domain.leftovers import FROM_TRUST
from orchestrator.domain.matching import Difference, Item, Leg, Verdict, effective
from orchestrator.domain.movements import Source
from orchestrator.domain.references import Ambiguous, Provider, Resolved, normalise
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.three_way import Cut
from orchestrator.storage.unit_of_work import Work
from orchestrator.storage.windows import Window

PAGE = 8000
"""Movements of a source in one step: some hundred kilobytes, some tens of milliseconds of the one writer's time."""

MOST_KEPT = 20_000
"""Answers of the lookup table that a run keeps at once."""

ASKED: dict[str, str] = {Source.LAWPAY: Provider.LAWPAY, Source.BANK: Provider.BANK, Source.CLIO_LEDGER: Provider.CLIO}

Memo = dict[str, dict[str, tuple[int, ...]]]
"""What the lookup table said to texts, by provider: none is unknown, several are ambiguous."""


class Ground:
    """One step of one run, in the transaction it is given."""

    def __init__(self, rt: Runtime, work: Work, run: Row, account: FirmAccount, memo: Memo | None = None) -> None:
        self._said: Memo = memo if memo is not None else {}
        self._rt = rt
        self._work = work
        self._run = run
        self._account = account
        self._place: dict[str, Any] = dict(run["place"])
        inputs = run["inputs"]
        signed = work.periods.get(inputs["period"])
        before = work.runs.get(signed["run_id"]) if signed is not None else None
        self._before = before
        self._window = Window(
            account.key, account.currency, run["opened_on"], run["cut_off"], inputs["upto"],
            locked_upto=before["inputs"]["upto"] if before is not None else None,
            carried_from=before["id"] if before is not None else None,
        )  # fmt: skip
        self._cut = Cut(account.key, run["cut_off"], inputs["upto"], inputs.get("lines") or 0)
        self._bank = work.bank_files.get(inputs["bank_file"])

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
        self._work.pool.add(self._run["id"], leg, [_pooled(leg, item) for item in items])

    def _keep_pairs(self, leg: Leg, rule: str, pairs: Sequence[tuple[int, int, Any]]) -> None:
        self._work.matches.keep_pairs(self._run["id"], leg, rule, pairs)
        self._count(leg, {rule: len(pairs)})
        self._chain(array("q", [ident for one, other, _ in pairs for ident in (one, other)]).tobytes())

    def _keep(self, leg: Leg, verdict: Verdict, *, pooled: bool = False) -> None:
        self._remember(leg, verdict.matches, verdict.differences)
        self._bear(verdict.costs)
        if pooled:
            done = [ident for match in verdict.matches for ident in (*match.lefts, *match.rights)]
            self._work.pool.leave(self._run["id"], leg, done)
            broken = [item.id for difference in verdict.differences for item in difference.items]
            self._work.pool.leave(self._run["id"], leg, broken, state="break")
        elif verdict.differences:
            items = [item for difference in verdict.differences for item in difference.items]
            self._pool(leg, items)
            self._work.pool.leave(self._run["id"], leg, [item.id for item in items], state="break")

    def _bear(self, costs: Sequence[Item]) -> None:
        """Fees and chargebacks out of trust at a client's cost, though every record agrees on them (T15, F67)."""
        for item in costs if self._account.is_trust else ():
            cause = f"{matching.dollars(-item.amount_cents)} left the trust account as a {item.kind} at a client's cost"
            said = Difference(FROM_TRUST[item.kind], (), -item.amount_cents, cause, item.reference)
            self._say(said, item.on, [item.id], f"{item.source}:{item.external_id}")

    def _remember(self, leg: Leg, found: Sequence[matching.Match], differences: Sequence[Difference]) -> None:
        self._count(leg, self._work.matches.keep(self._run["id"], leg, found))
        self._chain(repr([(leg.value, match.rule, match.lefts, match.rights) for match in found]).encode())
        rows = [
            self._row(
                one, min(item.on for item in one.items), [item.id for item in one.items],
                [f"{item.source}:{item.external_id}" for item in one.items],
            )
            for one in differences
        ]  # fmt: skip
        self._work.differences.keep(self._run["id"], rows)

    def _count(self, leg: Leg, matched: Mapping[str, int]) -> None:
        """How many matches each rule has made, by leg and rule."""
        for rule, count in matched.items():
            if count:
                named = f"{leg.value}.{rule}"
                self._place["rules"][named] = self._place["rules"].get(named, 0) + count

    def _chain(self, found: bytes) -> None:
        """What was matched so far, as one digest: the same inputs come to the same one."""
        self._place["chain"] = hashlib.sha256(self._place["chain"].encode() + found).hexdigest()

    def _say(self, difference: Difference, since: date, ids: Sequence[int], about: str) -> None:
        self._work.differences.keep(self._run["id"], [self._row(difference, since, ids, [about])])

    def _kind(self, difference: Difference) -> str:
        """A late return is worse once the money is used: the matter's ledger no longer holds it."""
        if difference.kind != "late_return" or difference.matter_id is None or not self._account.is_trust:
            return difference.kind
        held = self._work.figures.matter_cents(
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
