"""What a transaction at LawPay means: movements for reconciliation, money for the books, and whether it is what was asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.domain.accounts import AccountClass, FirmAccount
from orchestrator.domain.books import BANK, Booked, Line
from orchestrator.domain.gateway import (
    CAME_TO_NOTHING,
    GatewayAccount,
    Transaction,
    TransactionStatus,
    TransactionType,
)
from orchestrator.domain.lawpay_pages import looks_like_ours, parse_reference, plain
from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source

# ── movements ──

_KINDS = {
    TransactionType.CHARGE: MovementKind.DEPOSIT,
    TransactionType.REFUND: MovementKind.REFUND,
    TransactionType.CREDIT: MovementKind.DISBURSEMENT,
    TransactionType.OTHER: MovementKind.OTHER,
}
_STATUSES = {
    TransactionStatus.COMPLETED: MovementStatus.SETTLED,
    TransactionStatus.VOIDED: MovementStatus.VOIDED,
    TransactionStatus.FAILED: MovementStatus.FAILED,
}

RETURNED = ":return"
"""Ends the external id of what took a completed transaction back: the gateway has none for it."""


def signed_cents(seen: Transaction) -> int:
    """Above zero into its account, below zero out of it."""
    return -seen.amount_cents if seen.type in {TransactionType.REFUND, TransactionType.CREDIT} else seen.amount_cents


def movements_of(
    seen: Transaction, *, account: str | None, zone: ZoneInfo, completed_at: datetime | None
) -> list[Movement]:
    """What moved, as LawPay saw it; `completed_at` is when it was first known to be COMPLETED, None if it never was.

    A completed eCheck that comes back keeps its deposit, because that money was in the account, and gets a return of its
    own (T44): the gateway shows the two as one transaction that now reads FAILED.
    """
    came_back = completed_at is not None and seen.status in CAME_TO_NOTHING
    status = MovementStatus.SETTLED if came_back else _STATUSES.get(seen.status, MovementStatus.PENDING)
    moved = Movement(
        source=Source.LAWPAY,
        external_id=seen.id,
        account=account,
        amount_cents=signed_cents(seen),
        currency=seen.currency,
        on=seen.created_at.astimezone(zone).date(),
        at=seen.created_at,
        kind=_KINDS[seen.type],
        status=status,
        reference=seen.reference,
        parent=seen.charge_id,
    )
    if not came_back:
        return [moved]
    back = Movement(
        source=Source.LAWPAY,
        external_id=f"{seen.id}{RETURNED}",
        account=account,
        amount_cents=-signed_cents(seen),
        currency=seen.currency,
        on=seen.modified_at.astimezone(zone).date(),
        at=seen.modified_at,
        kind=MovementKind.RETURN,
        status=MovementStatus.SETTLED,
        reference=seen.reference,
        parent=seen.id,
    )
    return [moved, back]


# ── accounts ──


def doubt_about(account: FirmAccount | None, said: GatewayAccount) -> str | None:
    """Why nothing may be collected or matched through this gateway account, a reason's code; None when all agree (T1)."""
    if account is None:
        return "lawpay_account_unknown"
    if said.trust is None:
        return "lawpay_trust_unknown"
    if said.trust is not (account.account_class is AccountClass.TRUST):
        return "account_class_disagrees"
    return None


# ── what was asked, and what came ──


@dataclass(frozen=True, slots=True)
class Asked:
    """The link that a reference leads to; `used_by` is the transaction that has used it."""

    reference: str
    amount_cents: int
    currency: str
    account: str
    live: bool
    ended_at: datetime
    """When it was over in our books, if it is."""
    used_by: str | None


def deviations(
    charge: Transaction, asked: Asked | None, *, account: str | None, doubt: str | None, settled_at: datetime | None
) -> tuple[str, ...]:
    """Every way in which a charge is not what was asked, as codes of reasons; none when it is, to the cent (F65, F68, F69).

    `account` is the configured account it went into, `doubt` what is unclear about that account, `settled_at` since when
    nothing is open on the bill. What was paid before a page or a bill was over is honoured, whenever we hear of it (F12).
    """
    if asked is None:
        if parse_reference(charge.reference) is None and looks_like_ours(charge.reference):
            return ("lawpay_reference_edited",)
        return ("lawpay_reference_unknown",)
    taken = asked.used_by is not None and asked.used_by != charge.id
    first = asked.used_by is None
    found = (
        (plain(charge.reference) != plain(asked.reference), "lawpay_reference_edited"),
        (taken, "lawpay_paid_twice"),
        (first and not asked.live and asked.ended_at < charge.created_at, "lawpay_link_over"),
        (first and asked.live and settled_at is not None and settled_at < charge.created_at, "lawpay_bill_settled"),
        (charge.currency != asked.currency, "lawpay_currency_differs"),
        (charge.amount_cents != asked.amount_cents, "lawpay_amount_differs"),
        (account != asked.account, "lawpay_wrong_account"),
        (account == asked.account and doubt is not None, doubt or ""),
    )
    return tuple(code for applies, code in found if applies)


QUESTIONS = (
    "lawpay_reference_edited",
    "lawpay_reference_unknown",
    "lawpay_paid_twice",
    "lawpay_link_over",
    "lawpay_bill_settled",
    "lawpay_bill_gone",
    "lawpay_currency_differs",
    "lawpay_amount_differs",
    "lawpay_wrong_account",
)
"""Codes of `deviations` that are about one payment; what is unclear about an account is asked once for the account."""

AT_FIRST_SIGHT = frozenset({"lawpay_link_over", "lawpay_bill_settled"})
"""Deviations of the moment in which a page was used: they stay, whatever becomes of page and bill later."""

BILL_GONE = "lawpay_bill_gone"

TOO_MUCH = AT_FIRST_SIGHT | {"lawpay_paid_twice", BILL_GONE}
"""Deviations of money that is the client's for certain: the bill, or another payment, was there first (T5, F63)."""

IN_DOUBT = frozenset(
    {"lawpay_currency_differs", "lawpay_wrong_account", "lawpay_trust_unknown", "account_class_disagrees"}
)
"""Deviations with which nothing is booked at all (T1, T50)."""


def is_too_much(found: Sequence[str]) -> bool:
    """Whether a charge that deviates so is held for the client in our books, for no bill, until it went back or is settled."""
    return bool(TOO_MUCH & set(found)) and not IN_DOUBT & set(found)


# ── the books ──


def recorded(*, paid_cents: int, before_cents: int, booked_cents: int, exactly: bool) -> bool:
    """Whether a bill's paid amount has risen by this payment since it was asked for: Clio has no better sign of it."""
    rose = paid_cents - before_cents
    return rose == booked_cents if exactly else rose >= booked_cents


def standing_cents(charge: Transaction, refunds: Sequence[Transaction]) -> int:
    """What of a charge is with the firm now: nothing before it completed, and less what went back or is on its way back.

    A refund that was voided or failed took nothing; `amount_refunded` says so too, and the greater of both counts.
    """
    if charge.type is not TransactionType.CHARGE or charge.status is not TransactionStatus.COMPLETED:
        return 0
    went_back = sum(refund.amount_cents for refund in refunds if refund.status not in CAME_TO_NOTHING)
    return charge.amount_cents - min(charge.amount_cents, max(went_back, charge.refunded_cents))


def entry(
    standing: int, *, account: str, against: str, bill_id: int, matter_id: int | None, booked: Booked
) -> list[Line]:
    """The lines that take the books of a payment to what stands now; none when they show it, and their sum is zero."""
    wanted = {(f"{BANK}{account}", None): standing, (against, bill_id): -standing}
    return [
        Line(name, cents, bill, matter_id)
        for name, bill in sorted(wanted.keys() | booked.keys(), key=lambda place: not place[0].startswith(BANK))
        if (cents := wanted.get((name, bill), 0) - booked.get((name, bill), 0))
    ]
