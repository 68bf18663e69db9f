"""Payments: a set of states with ranks, because webhooks skip, repeat and reorder them (API notes §10)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PaymentState(StrEnum):
    """Clio Payments' own names."""

    PENDING = "pending"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    AUTHORIZED = "authorized"
    COMPLETED = "completed"
    COMPLETED_REQUIRING_ALLOCATION = "completed_requiring_allocation"
    VOIDED = "voided"
    FAILED = "failed"
    CANCELED = "canceled"


UNDER_WAY = {PaymentState.PENDING, PaymentState.REQUIRES_CONFIRMATION, PaymentState.AUTHORIZED}
"""Money on its way: do not remind, do not count as paid."""

RECEIVED = {PaymentState.COMPLETED, PaymentState.COMPLETED_REQUIRING_ALLOCATION}
FELL_THROUGH = {PaymentState.VOIDED, PaymentState.FAILED, PaymentState.CANCELED}


@dataclass(frozen=True, slots=True)
class Allocation:
    """What part of a payment went to which bill; `voided_at` is how a refund or chargeback shows (API notes §5)."""

    id: int
    bill_id: int | None
    amount_cents: int
    voided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment made through a link of this app."""

    id: int
    state: PaymentState
    amount_cents: int
    currency: str
    link_id: int | None
    bill_ids: tuple[int, ...]
    matter_ids: tuple[int, ...]
    account_id: int | None
    created_at: datetime
    updated_at: datetime
    allocations: tuple[Allocation, ...] = ()
    line_id: int | None = None
    """The ledger line that it left at Clio."""


@dataclass(frozen=True, slots=True)
class CreditMemo:
    """Credit that a client was given; `unapplied_cents` is what of it no bill has taken, nothing once it is void."""

    id: int
    client_id: int | None
    unapplied_cents: int
    updated_at: datetime
