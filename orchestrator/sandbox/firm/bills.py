"""The life of a bill: made from unbilled work, approved, settled by money, reopened, voided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from orchestrator.sandbox.firm import ledger
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.ledger import How
from orchestrator.sandbox.firm.money import Activity, Allocation, BankTransaction, Bill, CreditMemo, LineItem, Payment
from orchestrator.sandbox.firm.things import ZERO, BankAccount, Contact, Matter, User, cents
from orchestrator.sandbox.refusal import Refusal, unprocessable


def unbilled(books: Books, matters: Sequence[Matter]) -> list[Activity]:
    """The entries a quick bill would take: on no bill, and billable or printed at no charge."""
    return [
        entry
        for entry in books.table(Activity).values()
        if entry.matter in matters and entry.bill is None and (entry.no_charge or not entry.non_billable)
    ]


def generate(books: Books, entries: Sequence[Activity], *, matters: Sequence[Matter], quietly: bool = False) -> Bill:
    """A person's quick bill: the entries move onto a new draft and are locked there."""
    if not entries:
        raise unprocessable("There is no unbilled work to bill.")
    dates = [entry.date for entry in entries]
    bill = blank(books, matters[0].client, matters, start_at=min(dates), end_at=max(dates))
    for entry in entries:
        if entry.bill is not None:
            raise unprocessable(f"Activity {entry.id} is already on bill {entry.bill.number}.")
        entry.bill = bill
        bill.lines.append(_line_of(books, bill, entry))
    _open(books, bill, quietly=quietly)
    for entry in entries:
        books.touch(entry, quietly=quietly)
    return bill


def request_money(
    books: Books, matter: Matter, amount: Decimal, *, kind: str = "revenue_kind", quietly: bool = False
) -> Bill:
    """A bill of one plain line: a trust request, or bulk data."""
    bill = blank(books, matter.client, [matter], kind=kind)
    line = LineItem(
        bill=bill,
        matter=matter,
        type="LineItem",
        description="Trust deposit" if kind == "trust_kind" else "Professional services",
        date=books.today(),
        price=cents(amount),
        quantity=Decimal(1),
    )
    bill.lines.append(books.add(line, quietly=True))
    return _open(books, bill, quietly=quietly)


def blank(
    books: Books,
    client: Contact,
    matters: Sequence[Matter],
    *,
    start_at: date | None = None,
    end_at: date | None = None,
    kind: str = "revenue_kind",
) -> Bill:
    """An empty draft, not yet on the books."""
    return Bill(
        number=str(next(books.bill_numbers)),
        state="draft",
        kind=kind,
        client=client,
        matters=list(matters),
        start_at=start_at,
        end_at=end_at,
        user=next(iter(books.table(User).values())),
        currency=books.money_unit,
        offers_approval=books.rules.api_may_approve,
    )


def _open(books: Books, bill: Bill, *, quietly: bool) -> Bill:
    books.add(bill, quietly=quietly)
    books.journal.add("bill.moved", bill.id, **figures(bill))
    return bill


def _line_of(books: Books, bill: Bill, entry: Activity) -> LineItem:
    in_hours = entry.type == "TimeEntry"
    line = LineItem(
        bill=bill,
        activity=entry,
        matter=entry.matter,
        user=entry.user,
        type="NoChargeLineItem" if entry.no_charge else "ActivityLineItem",
        description=entry.note or "Services",
        note=entry.note,
        date=entry.date,
        price=entry.rate,
        quantity=round(entry.worked / 3600, 4) if in_hours else entry.worked,
        fixed=entry.value,
    )
    return books.add(line, quietly=True)


def submit(books: Books, bill: Bill) -> None:
    """Hand a draft to its approver."""
    _move(books, bill, "awaiting_approval")


def send_back(books: Books, bill: Bill) -> None:
    """Reopen an approved bill as a draft; refused once money has touched it."""
    if bill.state not in {"awaiting_approval", "awaiting_payment"} or bill.paid or bill.pending:
        raise unprocessable(f"Bill {bill.number} cannot go back to draft from {bill.state}.")
    _move(books, bill, "draft")


def approve(
    books: Books, bill: Bill, *, issued_at: date | None = None, due_at: date | None = None, quietly: bool = False
) -> None:
    """Issue the bill: it now asks for money, from `issued_at` until `due_at`."""
    if bill.state not in {"draft", "awaiting_approval"}:
        raise unprocessable(f"Bill {bill.number} cannot be approved from {bill.state}.")
    bill.issued_at = issued_at or bill.issued_at or books.today()
    bill.due_at = due_at or bill.due_at or bill.issued_at + timedelta(days=books.rules.terms_days)
    _move(books, bill, "awaiting_payment", quietly=quietly)


def void(books: Books, bill: Bill) -> None:
    """Withdraw an issued bill for good; its entries become unbilled again."""
    if bill.state != "awaiting_payment":
        raise unprocessable(f"Bill {bill.number} cannot be voided from {bill.state}.")
    _refuse_paid(bill)
    _free_entries(books, bill)
    _move(books, bill, "void")


def delete(books: Books, bill: Bill) -> None:
    """Throw an unissued bill away; its entries become unbilled again."""
    if bill.state not in {"draft", "awaiting_approval"}:
        raise unprocessable(f"Bill {bill.number} cannot be deleted from {bill.state}.")
    _refuse_paid(bill)
    _free_entries(books, bill)
    bill.state = "deleted"
    books.journal.add("bill.moved", bill.id, **figures(bill))
    books.remove(bill)
    for line in bill.lines:
        books.table(LineItem).pop(line.id, None)


def withdraw(books: Books, bill: Bill) -> None:
    """What DELETE means in each state: a draft is deleted, an issued bill is voided, anything else is refused."""
    removal = WITHDRAWALS.get(bill.state)
    if removal is None:
        raise Refusal(403, f"Bill {bill.number} is {bill.state} and cannot be removed.")
    removal(books, bill)


def credit(books: Books, bill: Bill, amount: Decimal) -> None:
    """Forgive part of an issued bill."""
    if bill.state != "awaiting_payment" or not 0 < amount <= bill.balance:
        raise unprocessable(f"Bill {bill.number} cannot be credited by {amount}.")
    apply_credit(books, give_credit(books, bill.client, amount), bill)


def give_credit(books: Books, client: Contact, amount: Decimal) -> CreditMemo:
    """Credit for a client that no bill has taken yet."""
    user = next(iter(books.table(User).values()))
    memo = CreditMemo(
        amount=cents(amount), date=books.today(), contact=client, user=user, description="Courtesy credit"
    )
    books.add(memo)
    _note_credit(books, memo)
    return memo


def apply_credit(books: Books, memo: CreditMemo, bill: Bill) -> None:
    """Let a bill take of a client's credit as much as fits; the credit is no payment, and shows on the bill as such."""
    amount = min(memo.unapplied, bill.balance)
    if bill.state != "awaiting_payment" or amount <= 0 or bill.client is not memo.contact:
        raise unprocessable(f"Credit {memo.id} does not fit bill {bill.number}.")
    share = Allocation(amount=amount, date=books.today(), bill=bill, contact=memo.contact, description=memo.description)
    share.id, share.created_at, share.updated_at = memo.id + len(memo.allocations), books.clock.now(), books.clock.now()
    share.parent = {"id": memo.id, "type": "CreditMemo", "identifier": memo.description}
    memo.allocations.append(share)
    books.touch(memo)
    _note_credit(books, memo)
    bill.credits_issued += amount
    settle(books, bill)


def _note_credit(books: Books, memo: CreditMemo) -> None:
    books.journal.add("credit.moved", memo.id, client_id=memo.contact.id, unapplied=float(memo.unapplied))


def send(books: Books, bill: Bill) -> None:
    """Clio mails the bill to the client: the only sending that Clio itself knows of (API notes §2)."""
    if bill.state not in {"awaiting_payment", "paid"}:
        raise unprocessable(f"Bill {bill.number} is {bill.state} and is not sent.")
    bill.last_sent_at = books.clock.now()
    books.touch(bill)


@dataclass(frozen=True, kw_only=True)
class Paid:
    """How a share of money reached a bill."""

    into: BankAccount
    how: str = "Check"
    out_of: BankAccount | None = None
    payment: Payment | None = None
    quietly: bool = False


def allocate(books: Books, bill: Bill, amount: Decimal, paid: Paid) -> Allocation:
    """Count money towards an issued bill; the bill's figures and state follow."""
    if bill.state != "awaiting_payment" or not 0 < amount <= bill.balance:
        raise unprocessable(f"Bill {bill.number} is {bill.state} with {bill.balance} open; {amount} does not fit.")
    share = Allocation(
        amount=cents(amount),
        date=books.today(),
        bill=bill,
        matter=bill.matters[0] if bill.matters else None,
        contact=bill.client,
        has_online_payment=paid.payment is not None,
        payment_type=paid.how,
        source_bank_account=paid.out_of,
        destination_bank_account=paid.into,
        payment=paid.payment,
        description=f"Payment for invoice {bill.number}",
    )
    books.add(share, quietly=paid.quietly)
    share.parent = {"id": share.id + 500_000, "type": "Payment", "identifier": share.description}
    bill.allocations.append(share)
    settle(books, bill, quietly=paid.quietly)
    return share


def take_back(books: Books, share: Allocation, amount: Decimal | None = None) -> Decimal:
    """Void an allocation, keeping what is not taken back as a new one; the bill opens again by the difference."""
    if share.voided_at is not None:
        raise unprocessable(f"Allocation {share.id} is already voided.")
    taken = share.amount if amount is None else min(cents(amount), share.amount)
    share.voided_at = books.clock.now()
    books.touch(share)
    kept = share.amount - taken
    if kept > 0:
        rest = Allocation(
            amount=kept,
            date=share.date,
            bill=share.bill,
            matter=share.matter,
            contact=share.contact,
            has_online_payment=share.has_online_payment,
            payment_type=share.payment_type,
            destination_bank_account=share.destination_bank_account,
            payment=share.payment,
        )
        share.bill.allocations.append(books.add(rest))
        if share.payment:
            share.payment.allocations.append(rest)
    settle(books, share.bill)
    return taken


def record_cheque(
    books: Books, bill: Bill, amount: Decimal, account: BankAccount | None = None, how: How | None = None
) -> Allocation:
    """A person enters a payment in Clio: allocation and ledger line, with nothing online about it."""
    into = account or books.operating_account()
    share = allocate(books, bill, amount, Paid(into=into))
    ledger.post(
        books, into, share.amount, how or How(description="Cheque"), matter=share.matter, bill=bill, allocation=share
    )
    return share


def record_lawpay(
    books: Books, matter: Matter, owed: Sequence[Bill], amount: Decimal, *, into: BankAccount, how: How
) -> BankTransaction:
    """A LawPay payment told to Clio: it pays the bills given, oldest first, and is one line in the operating ledger."""
    left, first = amount, None
    for bill in owed:
        if left > 0:
            share = allocate(books, bill, min(left, bill.balance), Paid(into=into, how="Credit Card"))
            first, left = first or share, left - share.amount
    return ledger.post(books, into, amount, how, matter=matter, bill=first.bill if first else None, allocation=first)


def apply_trust(books: Books, bill: Bill, amount: Decimal, account: BankAccount, how: How) -> Allocation:
    """A person moves trust money of the bill's matter to operating to pay the bill."""
    matter = bill.matters[0]
    if matter.held.get(account, ZERO) < amount:
        raise unprocessable(f"{account.name} does not hold {amount} for {matter.display_number}.")
    operating = books.operating_account()
    share = allocate(books, bill, amount, Paid(into=operating, how="Trust", out_of=account))
    ledger.transfer(books, account, operating, share.amount, how, matter=matter, bill=bill, allocation=share)
    books.journal.add("trust.applied", bill.id, account_id=account.id, matter_id=matter.id, amount=float(share.amount))
    return share


def settle(books: Books, bill: Bill, *, quietly: bool = False) -> None:
    """Let the state follow the money: nothing open means paid, anything open means awaiting payment."""
    before = bill.state
    if bill.state in {"awaiting_payment", "paid"}:
        bill.state = "paid" if bill.balance <= 0 else "awaiting_payment"
    if any(share.voided_at is None for share in bill.allocations):
        bill.paid_at = books.clock.now()
    elif bill.state != "paid":
        bill.paid_at = None
    figures_changed(books, bill, {before, bill.state}, quietly=quietly)


def figures_changed(books: Books, bill: Bill, states: set[str], *, quietly: bool = False) -> None:
    """Tell the journal and who listens; the entries hear of it when the state moved."""
    books.journal.add("bill.moved", bill.id, **figures(bill))
    books.touch(bill, quietly=quietly)
    if len(states) > 1:
        for line in bill.lines:
            if line.activity is not None and line.activity.bill is bill:
                books.touch(line.activity, quietly=quietly)


def figures(bill: Bill) -> dict[str, object]:
    """What the journal notes of a bill each time it moves."""
    return {
        "state": bill.state,
        "bill_kind": bill.kind,
        "number": bill.number,
        "balance": float(bill.balance),
        "pending": float(bill.pending),
        "issued_at": str(bill.issued_at or ""),
        "due_at": str(bill.due_at or ""),
        "matter_ids": [matter.id for matter in bill.matters],
        "client_id": bill.client.id,
    }


def _move(books: Books, bill: Bill, state: str, *, quietly: bool = False) -> None:
    before = bill.state
    if before == state:
        raise unprocessable(f"Bill {bill.number} already is {state}.")
    bill.state = state
    if state == "awaiting_payment" and bill.balance <= 0:
        bill.state = "paid"
    figures_changed(books, bill, {before, bill.state}, quietly=quietly)


def _free_entries(books: Books, bill: Bill) -> None:
    for line in bill.lines:
        if line.activity is not None:
            line.activity.bill = None
            books.touch(line.activity)


def _refuse_paid(bill: Bill) -> None:
    if bill.paid or bill.pending:
        raise Refusal(403, f"Bill {bill.number} has payments and cannot be removed.")


WITHDRAWALS: dict[str, Callable[[Books, Bill], None]] = {
    "draft": delete,
    "awaiting_approval": delete,
    "awaiting_payment": void,
}
