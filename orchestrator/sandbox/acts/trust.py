"""What people record about trust money in Clio, rightly or wrongly. `banked: false` leaves the bank out of it."""

from orchestrator.sandbox.acts.facts import Parties, bill_of, money
from orchestrator.sandbox.firm import bills, ledger
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.ledger import How
from orchestrator.sandbox.firm.money import BankTransaction, Bill
from orchestrator.sandbox.firm.things import BankAccount, Contact, Facts, Matter, Thing, User
from orchestrator.sandbox.refusal import unprocessable


def deposit_trust(books: Books, facts: Facts) -> Thing:
    """Client money in, for a matter or (`client_id`) for a client at large."""
    owner = _owner(books, facts)
    return ledger.deposit_trust(books, owner, trust_of(books, facts), money(facts["amount"]), how(facts, "Retainer"))


def apply_trust(books: Books, facts: Facts) -> Thing:
    """Pay a bill from trust: the matter's money first and, with `client_level`, the client's after it (three rows)."""
    bill, account = bill_of(books, facts), trust_of(books, facts)
    amount = money(facts["amount"]) if "amount" in facts else bill.balance
    by = authoriser(books, facts, bill.matters[0])
    if facts.get("client_level"):
        short = amount - bill.matters[0].held.get(account, money(0))
        if short > 0:
            ledger.pull_down(books, bill.matters[0], account, short)
    return bills.apply_trust(
        books, bill, amount, account, how(facts, f"Trust applied to invoice {bill.number}", authorised_by=by)
    )


def assign_client_funds(books: Books, facts: Facts) -> Thing:
    """Client-level money becomes a matter's."""
    matter = books.get(Matter, facts["matter_id"])
    ledger.pull_down(books, matter, trust_of(books, facts), money(facts["amount"]))
    return matter


def transfer_trust(books: Books, facts: Facts) -> Thing:
    """From one matter to another of the same client."""
    source, target = books.get(Matter, facts["from_matter_id"]), books.get(Matter, facts["to_matter_id"])
    ledger.move_between(books, source, target, trust_of(books, facts), money(facts["amount"]))
    return target


def disburse_trust(books: Books, facts: Facts) -> Thing:
    """Pay a client's money out to the client or to a third party."""
    owner, account = _owner(books, facts), trust_of(books, facts)
    matter = owner if isinstance(owner, Matter) else None
    by = authoriser(books, facts, matter)
    words = how(facts, f"Disbursement to {facts.get('payee', 'client')}", authorised_by=by)
    return ledger.deposit_trust(books, owner, account, -money(facts["amount"]), words)


def correct_posting(books: Books, facts: Facts) -> Thing:
    """Reverse a ledger line and, with `matter_id`, post it to the matter it belongs to."""
    line = books.get(BankTransaction, facts["id"])
    target = books.get(Matter, facts["matter_id"]) if "matter_id" in facts else None
    return ledger.correct(books, line, target)


def transfer_accounts(books: Books, facts: Facts) -> Thing:
    """Move money between two of the firm's accounts; from trust only with a matter whose money it is."""
    source, target = (books.get(BankAccount, facts[name]) for name in ("source_id", "destination_id"))
    matter = books.get(Matter, facts["matter_id"]) if "matter_id" in facts else None
    by = authoriser(books, facts, matter)
    words = how(facts, f"{source.name} to {target.name}", authorised_by=by)
    return ledger.transfer(books, source, target, money(facts["amount"]), words, matter=matter)


def link_lawpay_payment(parties: Parties, facts: Facts) -> Thing:
    """Tell Clio of a completed LawPay payment: for a matter, and for its oldest bills unless `apply` is false.

    What a person types by hand may be wrong: `amount` and `confirmation` need not be LawPay's.
    """
    books, one = parties.books, parties.gateway.find(str(facts["id"]))
    if one.type != "CHARGE" or one.status != "COMPLETED":
        raise unprocessable(f"LawPay payment {one.id} is {one.status}; only a completed payment can be linked.")
    matter = books.get(Matter, facts["matter_id"])
    if matter.status != "Open":
        raise unprocessable(f"{matter.display_number} is {matter.status}; a payment is linked to an open matter only.")
    account = books.get(BankAccount, books.keys["bank_accounts"][one.account.bank_key])
    amount = money(facts["amount"]) if "amount" in facts else money(one.amount) / 100
    words = How(
        real=False,
        description=str(facts.get("description", "LawPay payment")),
        confirmation=str(facts.get("confirmation", one.id)),
    )
    if account.type == "Trust":
        return ledger.deposit_trust(books, matter, account, amount, words)
    owed = _owed(books, matter) if facts.get("apply", True) else []
    return bills.record_lawpay(books, matter, owed, amount, into=account, how=words)


def record_return(books: Books, facts: Facts) -> Thing:
    """Take a returned or charged-back deposit off the ledger it was posted to; the bank has done so already."""
    line = books.get(BankTransaction, facts["id"])
    words = How(real=False, imposed=True, description=f"Return of {line.confirmation}", confirmation=line.confirmation)
    return ledger.enter(books, line.bank_account, -line.amount, words, **ledger.whose(ledger.owner_of(line)))


def how(facts: Facts, description: str, *, authorised_by: User | None = None) -> How:
    """What a person wrote down with a line, and whether the bank moves with it (`banked`, by default it does)."""
    return How(
        real=bool(facts.get("banked", True)),
        description=str(facts.get("why", description)),
        confirmation=facts.get("confirmation"),
        authorised_by=authorised_by,
    )


def authoriser(books: Books, facts: Facts, matter: Matter | None) -> User | None:
    """Who authorised it: `authorised_by`, or the matter's attorney."""
    if "authorised_by" in facts:
        return books.get(User, facts["authorised_by"]) if facts["authorised_by"] else None
    return matter.responsible_attorney if matter else None


def trust_of(books: Books, facts: Facts) -> BankAccount:
    if "bank_account_id" in facts:
        return books.get(BankAccount, facts["bank_account_id"])
    account = next((account for account in books.table(BankAccount).values() if account.type == "Trust"), None)
    if account is None:
        raise unprocessable("There is no trust account.")
    return account


def _owner(books: Books, facts: Facts) -> ledger.Owner:
    if "matter_id" in facts:
        return books.get(Matter, facts["matter_id"])
    return books.get(Contact, facts["client_id"])


def _owed(books: Books, matter: Matter) -> list[Bill]:
    owed = [bill for bill in books.table(Bill).values() if bill.state == "awaiting_payment" and matter in bill.matters]
    return sorted(
        (bill for bill in owed if bill.kind == "revenue_kind"), key=lambda bill: (str(bill.issued_at), bill.id)
    )
