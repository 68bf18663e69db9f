"""What a payment means for the books: pure double entries."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.domain.payments import RECEIVED, Allocation, Payment


@dataclass(frozen=True, slots=True)
class Line:
    """One side of an entry; debits are positive, credits negative, in cents."""

    account: str
    amount_cents: int
    bill_id: int | None = None
    matter_id: int | None = None


def standing_cents(payment: Payment) -> int:
    """What of a payment is with the firm now: nothing before it completed, and less what was voided since.

    A refund or a chargeback is no payment state; it shows as a voided allocation (API notes §5, §10).
    """
    if payment.state not in RECEIVED:
        return 0
    return payment.amount_cents - sum(part.amount_cents for part in payment.allocations if part.voided_at is not None)


def entry(payment: Payment, *, booked_cents: int) -> list[Line]:
    """The lines that take the books from `booked_cents` to what stands now; empty when nothing changed; their sum is zero."""
    delta = standing_cents(payment) - booked_cents
    if delta == 0:
        return []
    bank = Line(f"bank:{payment.account_id}", delta, matter_id=_only(payment.matter_ids))
    return [bank, *_against(payment, delta)]


def _against(payment: Payment, delta: int) -> list[Line]:
    parts = [part for part in payment.allocations if (part.voided_at is None) == (delta > 0)]
    if sum(part.amount_cents for part in parts) == abs(delta):
        sign = -1 if delta > 0 else 1
        return [_receivable(part, sign, payment) for part in parts]
    # What Clio has not tied to bills stays visible as unallocated client money until a person decides.
    return [Line("unallocated", -delta, bill_id=_only(payment.bill_ids), matter_id=_only(payment.matter_ids))]


def _receivable(part: Allocation, sign: int, payment: Payment) -> Line:
    account = "receivable" if part.bill_id is not None else "unallocated"
    return Line(account, sign * part.amount_cents, bill_id=part.bill_id, matter_id=_only(payment.matter_ids))


def _only(ids: Sequence[int]) -> int | None:
    return ids[0] if len(ids) == 1 else None
