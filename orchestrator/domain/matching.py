"""Which sightings are of the same money: a ladder of rules over sorted groups, each certain or silent (T36, T37, F74).

Every rule sees the movements of one account that share one key, both sides at once, and says which belong together, which
contradict each other, and which it leaves to the next rule. Nothing is remembered between groups, so a million movements
pass through in constant memory, and the same movements always come out the same (T42).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from orchestrator.domain.movements import MovementKind, MovementStatus


class Leg(StrEnum):
    """What is compared with what: the payment processor with Clio's ledger, and that ledger with the bank."""

    PROCESSOR = "processor"
    BANK = "bank"


SIDES = {Leg.PROCESSOR: ("LawPay", "Clio"), Leg.BANK: ("Clio", "the bank")}
"""Who stands left and who stands right, as a person calls them."""


class Item(NamedTuple):
    """One movement in one rule's stream, sorted by `key`; `right` says on which side of its leg it stands."""

    key: str
    right: int
    id: int
    source: str
    external_id: str
    amount_cents: int
    on: date
    kind: str
    status: str
    reference: str
    matter_id: int | None
    client_id: int | None
    bill_id: int | None
    parent: str | None


class Match(NamedTuple):
    """Movements that are the same money; one side may be several. Both only in a set of equals (`SET`), which pairs nobody."""

    rule: str
    lefts: tuple[int, ...]
    rights: tuple[int, ...]
    on: date
    """The day of the left side: what a day's deposit at the bank is made of."""


NOT_YET = date.max
"""The day of a match whose payment has not settled: no line of the bank's can be made of it."""


class Candidate(NamedTuple):
    """A movement, or a matter, that a person may find to be the missing half; `why` says what speaks for it."""

    movement_id: int | None
    matter_id: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What contradicts: `kind` is a row of `BREAKS`, `money_cents` what is at stake, never below zero."""

    kind: str
    items: tuple[Item, ...]
    money_cents: int
    cause: str
    reference: str = ""
    matter_id: int | None = None
    candidates: tuple[Candidate, ...] = ()


@dataclass(slots=True)
class Verdict:
    """What a rule said about some groups."""

    matches: list[Match] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    left_over: list[Item] = field(default_factory=list)
    costs: list[Item] = field(default_factory=list)
    """Fees and chargebacks that a ledger line of a client's bears, though both sides agree on them (T15)."""


Named = Mapping[str, tuple[int, ...]]
"""The matters that a reference names, by its text: none is unknown, several are ambiguous."""


Decide = Callable[[Sequence[Item], Named, Verdict], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rung of the ladder: movements with the same `column` stand together, and `decide` says what they are."""

    name: str
    leg: Leg
    column: str
    decide: Decide
    both: bool = False
    """Whether it leaves a group over, unseen, that stands on one side only."""


SAME_REFERENCE = "exact_reference"
"""What the rule of references is called, on either leg."""


SAME_REFERENCE_DAYS = 45
"""One reference may stand on every charge of a monthly plan: beyond this, equal references are another month's."""


SAME_MONEY_DAYS = 5
"""How far the same money's day may lie apart in two records: a weekend and a holiday."""


def effective(item: Item) -> int:
    """What it is worth: nothing once it has failed or was voided."""
    return 0 if item.status in WORTHLESS else item.amount_cents


WORTHLESS = {MovementStatus.FAILED.value, MovementStatus.VOIDED.value}


COSTS = {MovementKind.FEE.value, MovementKind.CHARGEBACK.value}


def decide(rule: Rule, items: Iterable[Item], named: Named) -> Verdict:
    """Apply one rule to complete groups, sorted by key; items with an empty key are left over."""
    verdict = Verdict()
    for key, group in groupby(items, key=_key):
        # Whatever order the database gave equals in, a rule sees them in one: by side and id (T42).
        members = sorted(group)
        if key:
            rule.decide(members, named, verdict)
        else:
            verdict.left_over += members
    return verdict


def _key(item: Item) -> str:
    return item[0]


def only(ids: Sequence[int]) -> int | None:
    return ids[0] if len(ids) == 1 else None


def dollars(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


SET = "_set"
"""The end of a rule's name when what it matched is a set of equals: so many here, as many there."""
