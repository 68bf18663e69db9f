"""The kinds of Clio object we keep an eye on."""

from enum import StrEnum


class Kind(StrEnum):
    """Each has a drain (`sync.KIND`); those with `updated_since` also have a sweep."""

    ACTIVITY = "activity"
    MATTER = "matter"
    CONTACT = "contact"
    TASK = "task"
    BILL = "bill"
    LINK = "link"
    PAYMENT = "payment"
    LEDGER = "ledger"


KINDS: tuple[Kind, ...] = tuple(Kind)

SWEPT: tuple[Kind, ...] = (Kind.MATTER, Kind.ACTIVITY, Kind.TASK, Kind.BILL, Kind.LINK)
"""Clio lists no changed payments: a payment is swept through the link it was made with (API notes §6)."""

SWEPT_FOR_TRUST: tuple[Kind, ...] = (*SWEPT, Kind.LEDGER)


def swept(*, trust: bool) -> tuple[Kind, ...]:
    """What a firm sweeps: with configured accounts the ledger too, last, when the bills that its lines name are known."""
    return SWEPT_FOR_TRUST if trust else SWEPT
