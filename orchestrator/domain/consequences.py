"""Of several differences with one root, the one that says it: the others stand under it, and go with it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from orchestrator.domain.batches import SETTLE_DAYS
from orchestrator.domain.breaks import BREAKS
from orchestrator.domain.movements import Source

BY_LINE = {"missing_at_bank", "stale_item"}
"""A line of the book that the bank cannot show, because what it has is the payment that the line was not tied to."""

BY_MONEY = {"missing_in_clio", "late_return"}
"""A line of the bank's that the book does not have: the bank's sight of what the processor shows."""

PROCESSORS = {Source.LAWPAY.value, Source.CLIO_PAYMENTS.value}


@dataclass(frozen=True, slots=True)
class Seen:
    """One movement that a difference is about."""

    id: int
    source: str
    on: date
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Found:
    """A difference by its fingerprint: what it is about, and the movements that might be its other half."""

    fingerprint: str
    kind: str
    about: tuple[Seen, ...]
    candidates: tuple[int, ...] = ()


def roots(found: Sequence[Found]) -> dict[str, str]:
    """Consequence by consequence, the difference at its root: only where there is no other it could be, and none milder than it.

    A root is what the processor contradicts: it shows what the money is, the bank only how much.
    """
    leading = [one for one in found if any(seen.source in PROCESSORS for seen in one.about)]
    by_line: dict[int, list[Found]] = defaultdict(list)
    by_money: dict[int, list[tuple[Found, date]]] = defaultdict(list)
    for one in leading:
        # Of several candidates only one has the money: nobody says which.
        only = one.candidates if len(one.candidates) == 1 else ()
        for ident in {*(seen.id for seen in one.about), *only}:
            by_line[ident].append(one)
        for seen in one.about:
            if seen.source in PROCESSORS:
                by_money[seen.amount_cents].append((one, seen.on))
    under: dict[str, str] = {}
    for one in found:
        if one.kind in BY_LINE:
            under |= _under(one, [root for seen in one.about for root in by_line[seen.id]])
    taken: dict[str, list[str]] = defaultdict(list)
    for one in found:
        if one.kind in BY_MONEY and {seen.source for seen in one.about} == {Source.BANK}:
            (seen, *_) = one.about
            near = [root for root, on in by_money[seen.amount_cents] if 0 <= (seen.on - on).days <= SETTLE_DAYS]
            for root in _under(one, near).values():
                taken[root].append(one.fingerprint)
    # Two lines of the bank's that could be one payment: neither is certain.
    return under | {ones[0]: root for root, ones in taken.items() if len(ones) == 1}


def _under(one: Found, leading: Iterable[Found]) -> dict[str, str]:
    others = {root.fingerprint: root for root in leading if root.fingerprint != one.fingerprint}
    if len(others) != 1:
        return {}
    (root,) = others.values()
    return {one.fingerprint: root.fingerprint} if BREAKS[root.kind].severity <= BREAKS[one.kind].severity else {}
