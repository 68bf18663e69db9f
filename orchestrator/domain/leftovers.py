"""What no rule could match: a break with its cause, an outstanding item, or nothing at all."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from orchestrator.domain.breaks import STALE_DAYS, TRANSIT_DAYS
from orchestrator.domain.matching import WORTHLESS, Candidate, Difference, Item, Leg, dollars, only
from orchestrator.domain.movements import MovementKind, MovementStatus


@dataclass(frozen=True, slots=True)
class Around:
    """What is known about a movement without a partner."""

    trust: bool
    seen_until: date
    """How far the other side has told: what happened later may simply not be there yet."""
    named: tuple[int, ...] | None = None
    """The matters its reference names; None when nobody was asked."""
    elsewhere: str | None = None
    """The account in which its other half stands, if it is not this one."""
    alike: tuple[Candidate, ...] = ()
    """Unmatched movements of the other side that have its amount."""
    equals: tuple[Candidate, ...] = ()
    """At the bank: movements of its own side that are matched as a set of its amount; it is only the one too many."""
    still_counted: bool = False
    """Clio's ledger counts it, though it is worth nothing any more."""


FROM_TRUST = {MovementKind.FEE.value: "fee_from_trust", MovementKind.CHARGEBACK.value: "chargeback_from_trust"}


def explain(leg: Leg, item: Item, around: Around) -> tuple[Difference | None, bool]:
    """Why it stands alone, if that is a break, and whether it is an outstanding item, which the next period carries on."""
    if item.amount_cents < 0 and around.trust and item.kind in FROM_TRUST:
        kind = FROM_TRUST[item.kind]
        return _alone(
            kind, item, around, f"{dollars(-item.amount_cents)} left the trust account as a {item.kind}"
        ), False
    if leg is Leg.PROCESSOR and item.right and around.elsewhere is not None:
        return _elsewhere(item, around), False
    if leg is Leg.PROCESSOR and item.right:
        cause = "Clio's ledger names a payment that the processor does not show"
        return _alone("missing_at_lawpay", item, around, cause), False
    if leg is Leg.PROCESSOR:
        return _not_in_clio(item, around)
    said, on_its_way = _not_in_clio_but_at_bank(item, around) if item.right else _not_at_bank(item, around)
    if said is not None and around.equals:
        more = f"{said.cause}; {len(around.equals)} equal to it are matched, and it may be any of them"
        said = replace(said, cause=more, candidates=(*said.candidates, *around.equals))
    return said, on_its_way


def joined(found: Iterable[tuple[Difference, Around]]) -> list[Difference]:
    """One difference for what a set of equals has more than the other side, however many it has more."""
    said: list[Difference] = []
    places: dict[tuple[str, tuple[Candidate, ...]], int] = {}
    for one, around in found:
        place = places.setdefault((one.kind, around.equals), len(said))
        if around.equals and place < len(said):
            before = said[place]
            money = before.money_cents + one.money_cents
            said[place] = replace(before, items=(*before.items, *one.items), money_cents=money)
        else:
            said.append(one)
    return said


def _not_in_clio(item: Item, around: Around) -> tuple[Difference | None, bool]:
    if item.status in WORTHLESS:
        if not around.still_counted:
            return None, False
        return _alone(
            "late_return", item, around, "the payment failed or was returned after its period was signed"
        ), False
    if item.status == MovementStatus.PENDING.value:
        return None, True
    if item.kind == MovementKind.RETURN.value:
        return _alone("late_return", item, around, "a payment went back, and Clio's ledger still counts it"), False
    if around.elsewhere is not None:
        return _elsewhere(item, around), False
    return _by_reference(item, around), False


def _by_reference(item: Item, around: Around) -> Difference:
    """A payment that Clio's ledger does not show, told by what its reference names."""
    if around.named is not None and len(around.named) > 1:
        several = tuple(Candidate(None, one, "the reference names it") for one in around.named)
        cause = f"its reference names the matters {', '.join(str(one) for one in around.named)}"
        return _alone("ambiguous_reference", item, around, cause, candidates=(*several, *around.alike))
    if around.named == ():
        words = "its reference names no matter in the lookup table" if item.reference.strip() else "it has no reference"
        return _alone("unmapped_reference", item, around, words)
    return _alone("missing_in_clio", item, around, "Clio's ledger has no line of this amount for its matter")


def _not_at_bank(item: Item, around: Around) -> tuple[Difference | None, bool]:
    if item.status in WORTHLESS:
        return None, False
    if around.elsewhere is not None:
        return _elsewhere(item, around), False
    age = (around.seen_until - item.on).days
    for kind, days in (("stale_item", STALE_DAYS), ("missing_at_bank", TRANSIT_DAYS)):
        if age > days:
            return _alone(
                kind, item, around, f"Clio's ledger has it since {item.on}, the bank does not after {age} days"
            ), True
    return None, True


def _not_in_clio_but_at_bank(item: Item, around: Around) -> tuple[Difference | None, bool]:
    if item.kind == MovementKind.RETURN.value:
        return _alone(
            "late_return", item, around, "the bank returned a deposit, and Clio's ledger still counts it"
        ), False
    if around.elsewhere is not None:
        return _elsewhere(item, around), False
    return _alone("missing_in_clio", item, around, "the bank has it, and Clio's ledger does not"), False


def _elsewhere(item: Item, around: Around) -> Difference:
    return _alone("wrong_account_class", item, around, f"its other half stands in account {around.elsewhere}")


def _alone(
    kind: str, item: Item, around: Around, cause: str, *, candidates: tuple[Candidate, ...] | None = None
) -> Difference:  # fmt: skip
    return Difference(
        kind, (item,), abs(item.amount_cents), cause, item.reference,
        item.matter_id or only(around.named or ()), around.alike if candidates is None else candidates,
    )  # fmt: skip
