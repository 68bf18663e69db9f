"""What is the same money at first sight, on a few columns of each movement: by far the most are seen no closer (F74)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator.domain.matching import COSTS, Named, only
from orchestrator.domain.movements import MovementStatus

_SETTLED = MovementStatus.SETTLED.value


class Look(NamedTuple):
    """What a first look needs of a payment, and of a ledger line that names it or has its reference: None where there is none.

    Several lines of one movement are as many looks. `on` is a day as the database has it: it is only handed on.
    """

    id: int
    on: Any
    amount_cents: int
    status: str
    kind: str
    source: str
    reference: str
    matter_id: int | None
    name: str
    line_id: int | None
    line_cents: int | None
    line_status: str | None
    line_matter_id: int | None


@dataclass(slots=True)
class FirstLook:
    """What is clear at once, and what is not."""

    pairs: list[tuple[int, int, Any]] = field(default_factory=list)
    """The same money for certain, by `exact_id`: the movement's id, the line's, and the movement's day."""
    alone: list[Look] = field(default_factory=list)
    """No line names these."""
    rest: list[int] = field(default_factory=list)
    """The ids of those that the rule itself must see."""


def clean(looks: Iterable[Look], named: Named) -> FirstLook:
    """The pairs about which there is nothing to say, which are by far the most, and everything else.

    It decides as `same_id` does, on a few columns of each: nine movements of ten are seen no closer than this.
    """
    found = FirstLook()
    pairs, rest = found.pairs, found.rest
    last, several = 0, set[int]()
    for look in looks:
        ident, on, cents, status, kind, _, reference, matter, _, line, theirs, standing, whose = look
        if line is None:
            found.alone.append(look)
        elif ident == last:
            several.add(ident)
        elif theirs == cents and status == standing == _SETTLED and kind not in COSTS:
            ours = matter or (whose and only(named.get(reference, ())))
            if ours is None or whose is None or ours == whose:
                pairs.append((ident, line, on))
            else:
                rest.append(ident)
        else:
            rest.append(ident)
        last = ident
    lines = Counter(line for _, line, _ in pairs)
    if several or len(lines) < len(pairs):
        # One of each, or it is the rule's to say.
        found.pairs = [pair for pair in pairs if pair[0] not in several and lines[pair[1]] == 1]
        found.rest = sorted({*rest, *several, *(pair[0] for pair in pairs)} - {pair[0] for pair in found.pairs})
    return found
