"""Retainers: when a matter's trust money has fallen below its evergreen level, and how much to ask for. Pure.

A request for a deposit is no debt: it is never overdue, and what it brings is the client's until it is earned (T2).

wanted ─► asked     Clio took the request; `bill_id` once its trust bill was seen
wanted ─► tasked    Clio did not: a person is asked to make it
any    ─► over      the balance is back, the bill was paid or is gone, or it is not wanted any more
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from orchestrator.domain.money import typed
from orchestrator.errors import Rejected


class RetainerState(StrEnum):
    WANTED = "wanted"
    ASKED = "asked"
    TASKED = "tasked"
    OVER = "over"


RETAINER_TRANSITIONS: dict[RetainerState, set[RetainerState]] = {
    RetainerState.WANTED: {RetainerState.ASKED, RetainerState.TASKED, RetainerState.OVER},
    RetainerState.ASKED: {RetainerState.OVER},
    RetainerState.TASKED: {RetainerState.OVER},
    RetainerState.OVER: set(),
}


@dataclass(frozen=True, slots=True)
class Level:
    """Below `threshold_cents` a matter's money is brought back to `target_cents`."""

    threshold_cents: int
    target_cents: int


@dataclass(frozen=True, slots=True)
class TrustAsk:
    """A request for a deposit into trust, for one matter; `note` carries our key. Whole units of the currency only."""

    client_id: int
    matter_id: int
    amount_cents: int
    issued_on: date
    due_on: date
    note: str


@dataclass(frozen=True, slots=True)
class TrustLine:
    """A line of a trust request as Clio lists it: what a request of ours is found again by."""

    bill_id: int | None
    matter_id: int | None
    note: str
    total_cents: int


UNIT = 100
"""Clio declares a matter's amount as an integer: asked in whole units, it means the same in either reading."""


def level_of(
    fields: Mapping[str, str], *, threshold_field: str | None, target_field: str | None, default: Level | None
) -> Level | None:
    """The level that a matter's own fields name, else the firm's default for it; None when it has none.

    `Rejected` (`evergreen_unreadable`) for a field that is no amount: nobody is asked for a guess.
    """
    own = _cents(fields.get(threshold_field)) if threshold_field is not None else None
    threshold = own if own is not None else default.threshold_cents if default is not None else None
    if not threshold:
        return None
    named = _cents(fields.get(target_field)) if target_field is not None else None
    # A matter with a threshold of its own is not filled up to a default that was meant for another threshold.
    usual = default.target_cents if default is not None and own is None else threshold
    return Level(threshold, max(threshold, named if named is not None else usual))


def missing_cents(level: Level, balance_cents: int) -> int:
    """What to ask for, in whole units upwards; zero while the money is at its threshold or above."""
    if balance_cents >= level.threshold_cents:
        return 0
    return -(-(level.target_cents - balance_cents) // UNIT) * UNIT


def _cents(text: str | None) -> int | None:
    """An amount as people type it into a field: `2500`, `2,500.00`, `$2,500`."""
    if text is None or not text.strip():
        return None
    with suppress(Rejected):
        if (amount := typed(text)) >= 0:
            return amount
    raise Rejected("The matter's evergreen field is not an amount.", reason="evergreen_unreadable")
