"""Money that clients send through a link, from the moment they press the button until it may still go back."""

from decimal import Decimal
from functools import partial

from orchestrator.sandbox.firm import bills, ledger, links
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.ledger import How
from orchestrator.sandbox.firm.money import UNDER_WAY, Bill, Link, Payment
from orchestrator.sandbox.firm.things import ZERO, cents
from orchestrator.sandbox.refusal import unprocessable

METHODS = {"card": "Credit Card", "echeck": "eCheck"}
STATES = UNDER_WAY | {"completed", "completed_requiring_allocation", "voided", "failed", "canceled"}
SETTLED = frozenset({"completed", "completed_requiring_allocation"})


def payable(books: Books, link: Link) -> str | None:
    """None when the link can be paid now, otherwise the sentence that tells the payer why not."""
    if not link.active:
        return (
            "This payment link has already been used."
            if link.clio_payments_payment
            else "This payment link has expired."
        )
    if link.bill is not None and link.bill.state not in {"awaiting_payment", "paid"}:
        return "This invoice can no longer be paid."
    if link.bill is not None and link.bill.state == "paid" and not books.rules.accept_after_paid:
        return "This invoice has already been paid."
    return None


def pay(
    books: Books,
    link: Link,
    *,
    method: str = "card",
    amount: Decimal | None = None,
    settle_after: float | None = None,
    final_state: str = "completed",
    quietly: bool = False,
) -> Payment:
    """Take the client's money: the link is used up, the payment authorised, and settled later in sandbox time."""
    refused = payable(books, link)
    if refused:
        raise unprocessable(refused)
    if method not in METHODS or final_state not in STATES:
        raise unprocessable(f"{method} ending {final_state} is not a way to pay.")
    payment = Payment(
        amount=_amount(books, link, amount),
        currency=link.currency,
        state="pending",
        clio_payments_link=link,
        method=method,
        confirmation_number=books.token(10).upper(),
        email_address=link.email_address,
        description=link.description,
        destination_account=link.destination_account,
        contact=link.contact or link.destination_contact or (link.bill.client if link.bill else None),
        user=link.user,
        deposit_as_revenue=link.destination_account is None or link.destination_account.type == "Operating",
        bills=[link.bill] if link.bill else links.owed_by(books, link.contact) if link.contact else [],
    )
    link.clio_payments_payment = payment
    if link.bill:
        link.bill.payments.append(payment)
    books.add(payment, quietly=quietly)
    _note(books, payment)
    links.end(books, link, "use")
    set_state(books, payment, "authorized", quietly=quietly)
    wait = DELAYS[method](books) if settle_after is None else settle_after
    if wait > 0:
        books.clock.after(wait, partial(_settle_if_under_way, books, payment, final_state))
    else:
        set_state(books, payment, final_state, quietly=quietly)
    return payment


def set_state(books: Books, payment: Payment, state: str, *, quietly: bool = False) -> None:
    """Move the payment; money that arrives is allocated, and the bill's pending figure follows."""
    if state not in STATES:
        raise unprocessable(f"{state} is not a payment state.")
    arrives = state in SETTLED and payment.state not in SETTLED
    payment.state = state
    if arrives:
        left = _allocate(books, payment, quietly=quietly)
        payment.state = "completed" if left == 0 and state == "completed" else "completed_requiring_allocation"
    books.touch(payment, quietly=quietly)
    _note(books, payment)
    for bill in payment.bills:
        bills.settle(books, bill, quietly=quietly)


def send_back(books: Books, payment: Payment, why: str, amount: Decimal | None = None) -> None:
    """Refund, chargeback or late return: not a state of the payment, only its allocations and the bill show it."""
    if payment.state not in SETTLED:
        raise unprocessable(f"Payment {payment.id} is {payment.state}; only settled money can go back.")
    wanted = payment.amount if amount is None else cents(amount)
    taken: dict[int, float] = {}
    left = wanted
    for share in reversed([share for share in payment.allocations if share.voided_at is None]):
        if left > 0:
            back = bills.take_back(books, share, left)
            taken[share.bill.id] = float(back)
            left -= back
    if payment.destination_account is not None:
        words = f"{why.capitalize()} of {payment.confirmation_number}"
        ledger.enter(
            books,
            payment.destination_account,
            -wanted,
            How(online=True, imposed=why != "refund", description=words),
            client=payment.contact,
            matter=payment.matters[0] if payment.matters else None,
            bill=payment.bills[0] if payment.bills else None,
        )
    books.journal.add(
        "payment.reversed",
        payment.id,
        why=why,
        amount=float(wanted),
        bills=taken,
        confirmation=payment.confirmation_number,
    )


def _amount(books: Books, link: Link, amount: Decimal | None) -> Decimal:
    owed = links.open_amount(books, link)
    if link.amount is not None:
        return link.amount
    chosen = amount if amount is not None else owed
    if chosen is None or chosen <= 0 or (owed is not None and chosen > owed):
        raise unprocessable("Please enter an amount up to what is open.")
    return cents(chosen)


def _settle_if_under_way(books: Books, payment: Payment, state: str) -> None:
    if payment.state in UNDER_WAY:
        set_state(books, payment, state)


def _allocate(books: Books, payment: Payment, *, quietly: bool) -> Decimal:
    """Spread the money over the bills, oldest first; what fits nowhere is returned."""
    account = payment.destination_account or books.operating_account()
    left = payment.amount
    for bill in payment.bills:
        share = min(left, _room(bill))
        if share > 0:
            paid = bills.Paid(into=account, how=METHODS[payment.method], payment=payment, quietly=quietly)
            payment.allocations.append(bills.allocate(books, bill, share, paid))
            left -= share
    matter = payment.matters[0] if payment.matters else None
    if payment.contact is not None or matter is not None:
        number = payment.confirmation_number
        payment.bank_transaction = ledger.enter(
            books,
            account,
            payment.amount,
            How(online=True, confirmation=number, description=f"Clio Payments {number}"),
            client=payment.contact,
            matter=matter,
            bill=payment.bills[0] if payment.bills else None,
            allocation=payment.allocations[0] if payment.allocations else None,
        )
    return ZERO if payment.clio_payments_link.is_allocated_as_revenue else left


def _room(bill: Bill) -> Decimal:
    return bill.balance if bill.state == "awaiting_payment" else ZERO


def _note(books: Books, payment: Payment) -> None:
    books.journal.add(
        f"payment.{payment.state}",
        payment.id,
        amount=float(payment.amount),
        method=payment.method,
        link_id=payment.clio_payments_link.id,
        by=payment.clio_payments_link.by,
        confirmation=payment.confirmation_number,
        bill_ids=[bill.id for bill in payment.bills],
        matter_ids=[matter.id for matter in payment.matters],
        allocated=float(sum((share.amount for share in payment.allocations), ZERO)),
    )


DELAYS = {
    "card": lambda books: books.rules.card_settles_after,
    "echeck": lambda books: books.rules.echeck_settles_after,
}
