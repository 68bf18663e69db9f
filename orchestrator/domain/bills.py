"""Bills: Clio makes them, we mirror them. The client-facing word is "invoice"."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from orchestrator.domain.contacts import Client


class BillState(StrEnum):
    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    VOID = "void"
    DELETED = "deleted"


TRANSITIONS: dict[BillState, set[BillState]] = {
    BillState.DRAFT: {BillState.AWAITING_APPROVAL, BillState.AWAITING_PAYMENT, BillState.DELETED},
    BillState.AWAITING_APPROVAL: {BillState.DRAFT, BillState.AWAITING_PAYMENT, BillState.DELETED},
    BillState.AWAITING_PAYMENT: {BillState.DRAFT, BillState.PAID, BillState.VOID},
    BillState.PAID: {BillState.AWAITING_PAYMENT, BillState.VOID},
    BillState.VOID: set(),
    BillState.DELETED: set(),
}
"""The life of a bill at Clio (API notes §4); we may see any later state first, so this is for asking, not for refusing facts."""

UNISSUED = {BillState.DRAFT, BillState.AWAITING_APPROVAL}
GONE = {BillState.VOID, BillState.DELETED}


class BillKind(StrEnum):
    """`trust_kind` is a request for a deposit, never a debt (API notes §4)."""

    REVENUE = "revenue_kind"
    TRUST = "trust_kind"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill with everything that decides about asking for its money; amounts in cents of `currency`."""

    id: int
    etag: str
    number: str
    state: BillState
    kind: BillKind
    issued_on: date | None
    due_on: date | None
    total_cents: int
    paid_cents: int
    balance_cents: int
    pending_cents: int
    currency: str | None
    client: Client | None
    matter_ids: tuple[int, ...]
    next_states: frozenset[str]
    created_at: datetime
    updated_at: datetime
    credited_cents: int = 0
    """What of it was forgiven by credit."""
    sent_by_clio: bool = False
    """Clio sent it to the client, or shared it with them."""

    @property
    def open_cents(self) -> int:
        """What may still be asked for: balance less what is on its way, never below zero (API notes §4)."""
        return max(0, self.balance_cents - self.pending_cents)
