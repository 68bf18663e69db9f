"""What a payment means for the books: pure double entries."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain.payments import RECEIVED, Allocation, Payment

Booked = Mapping[tuple[str, int | None], int]
"""What the books show of one payment: cents by account and bill."""

BANK = "bank:"


@dataclass(frozen=True, slots=True)
class Line:
    """One side of an entry; debits are positive, credits negative, in cents."""

    account: str
    amount_cents: int
    bill_id: int | None = None
    matter_id: int | None = None


def standing_cents(payment: Payment) -> int:
    """What of a payment is with the firm now: nothing before it completed, and less what went back since.

    A refund or a chargeback is no payment state; it shows as a voided allocation, beside which a new one keeps what
    did not go back (API notes §5, §10).
    """
    if payment.state not in RECEIVED:
        return 0
    parts: dict[int | None, list[Allocation]] = defaultdict(list)
    for part in sorted(payment.allocations, key=lambda part: part.id):
        parts[part.bill_id].append(part)
    went_back = sum(_not_kept(of_bill) for of_bill in parts.values())
    # Money that was moved from one bill to another is voided on the first and stands on the second.
    return max(_allocated(payment), payment.amount_cents - went_back)


RECEIVABLE = "receivable"

DEPOSIT = "held_for_clients"
"""What stands against a deposit into trust: nobody owed it, and it is not the firm's (T2)."""

UNALLOCATED = "unallocated"
"""What stands against money that came in and is for no bill yet: client money until a person decides (T5)."""


def entry(payment: Payment, *, booked: Booked, deposits: Collection[int] = ()) -> list[Line]:
    """The lines that take the books of this payment to what stands now; none when they show it, and their sum is zero.

    `deposits` are those of its bills that asked for a deposit, not for what was owed.
    """
    wanted = _wanted(payment, deposits)
    return [
        Line(account, cents, bill_id, _only(payment.matter_ids))
        for account, bill_id in sorted(wanted.keys() | booked.keys(), key=_bank_first)
        if (cents := wanted.get((account, bill_id), 0) - booked.get((account, bill_id), 0))
    ]


def received_cents(lines: Iterable[Line]) -> int:
    """What an entry brings into the bank, or takes out of it."""
    return sum(line.amount_cents for line in lines if line.account.startswith(BANK))


def shares(lines: Iterable[Line]) -> dict[int, int]:
    """What an entry brings to each bill it names, or takes from it."""
    found: dict[int, int] = defaultdict(int)
    for line in lines:
        if line.bill_id is not None:
            found[line.bill_id] -= line.amount_cents
    return {bill_id: cents for bill_id, cents in found.items() if cents}


def applied_cents(lines: Iterable[Line]) -> int:
    """What an entry applies to what was asked for, or takes off it: all that is not in the bank and not for nobody yet."""
    return -sum(
        line.amount_cents for line in lines if line.account != UNALLOCATED and not line.account.startswith(BANK)
    )


def _wanted(payment: Payment, deposits: Collection[int]) -> dict[tuple[str, int | None], int]:
    standing = standing_cents(payment)
    wanted: dict[tuple[str, int | None], int] = defaultdict(int)
    wanted[f"{BANK}{payment.account_id}", None] = standing
    # What Clio has not tied to bills stays visible as unallocated client money until a person decides.
    wanted[UNALLOCATED, _only(payment.bill_ids)] = -standing
    for part in payment.allocations if standing else ():
        if part.voided_at is None and part.bill_id is not None:
            wanted[DEPOSIT if part.bill_id in deposits else RECEIVABLE, part.bill_id] -= part.amount_cents
            wanted[UNALLOCATED, _only(payment.bill_ids)] += part.amount_cents
    return wanted


def _not_kept(parts: Iterable[Allocation]) -> int:
    """What was voided of one bill's share, in the order of allocation, and not allocated to it again."""
    freed = 0
    for part in parts:
        freed -= min(freed, part.amount_cents)
        freed += part.amount_cents if part.voided_at is not None else 0
    return freed


def _allocated(payment: Payment) -> int:
    return sum(part.amount_cents for part in payment.allocations if part.voided_at is None)


def _bank_first(place: tuple[str, int | None]) -> tuple[bool, str, int]:
    account, bill_id = place
    return not account.startswith(BANK), account, bill_id or 0


def _only(ids: Sequence[int]) -> int | None:
    return ids[0] if len(ids) == 1 else None
