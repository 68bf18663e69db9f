"""Movements: money into or out of one account, as one source saw it. What sources disagree about is reconciliation's."""

import hashlib
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum

from orchestrator.domain.references import normalise


class Source(StrEnum):
    """Who saw it. Only a bank's own word says what a bank holds (T38)."""

    CLIO_LEDGER = "clio_ledger"
    CLIO_PAYMENTS = "clio_payments"
    LAWPAY = "lawpay"
    BANK = "bank"


PROCESSORS = (Source.LAWPAY, Source.CLIO_PAYMENTS)
"""Who saw payments pass: two views of one processor."""


class MovementKind(StrEnum):
    DEPOSIT = "deposit"
    DRAW = "draw"
    REFUND = "refund"
    RETURN = "return"
    CHARGEBACK = "chargeback"
    FEE = "fee"
    TRANSFER = "transfer"
    DISBURSEMENT = "disbursement"
    INTEREST = "interest"
    OTHER = "other"


class MovementStatus(StrEnum):
    PENDING = "pending"
    SETTLED = "settled"
    FAILED = "failed"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One sighting; (source, external id) names it for good, whatever else about it changes later."""

    source: Source
    external_id: str
    account: str | None
    """`FirmAccount.key`; None when the source names an account that is not configured."""
    amount_cents: int
    """Signed: above zero into the account, below zero out of it."""
    currency: str
    on: date
    """In the account's own time zone (T49)."""
    at: datetime | None
    kind: MovementKind
    status: MovementStatus
    reference: str = ""
    """As the source has it, never edited."""
    matter_id: int | None = None
    """Only what the source itself says: Clio does, LawPay and banks do not."""
    client_id: int | None = None
    bill_id: int | None = None
    payment_id: int | None = None
    parent: str | None = None
    """The external id of what it belongs to: a refund's charge, or the payment behind a ledger line."""

    @property
    def link(self) -> str:
        """What it says it belongs to: its parent, or else its very reference, which people fill with the payment's id."""
        return (self.parent or self.reference.strip())[:200]

    @property
    def reference_normalised(self) -> str:
        """Its reference as others may write it: without case, spaces, punctuation or leading zeros."""
        return normalise(self.reference)[:200]

    @property
    def name_normalised(self) -> str:
        """A payment's id as a ledger line may write it; others are called by nothing."""
        return normalise(self.external_id)[:200] if self.source in PROCESSORS else ""

    @property
    def digest(self) -> str:
        """The same for equal sightings, whenever they were read."""
        values = [str(getattr(self, field.name)) for field in fields(self) if field.name != "at"]
        # The same instant is written differently in different zones.
        values.append(str(self.at.timestamp()) if self.at is not None else "")
        return hashlib.sha256("\x1f".join(values).encode()).hexdigest()
