"""The attorney and the biller: time, bills, cheques, trust money."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from orchestrator.sandbox.acts.facts import Act, bill_of, day, money
from orchestrator.sandbox.acts.trust import how
from orchestrator.sandbox.firm import bills, ledger, work
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Activity, Bill, CreditMemo
from orchestrator.sandbox.firm.things import BankAccount, Contact, Facts, Matter, Thing, User
from orchestrator.sandbox.refusal import unprocessable


def log_time(books: Books, facts: Facts) -> Activity:
    matter = books.get(Matter, facts["matter_id"])
    user = books.get(User, facts["user_id"]) if "user_id" in facts else matter.responsible_attorney
    entry = Activity(
        type=facts.get("type", "TimeEntry"),
        date=day(facts.get("date")) or books.today(),
        worked=money(facts.get("quantity_seconds", 3600)),
        rate=money(facts["price"]) if "price" in facts else user.rate if user else Decimal(300),
        note=facts.get("note", "Professional services"),
        matter=matter,
        user=user,
        flat_rate=bool(facts.get("flat_rate")),
        non_billable=bool(facts.get("non_billable")),
        no_charge=bool(facts.get("no_charge")),
        redacted=bool(facts.get("redacted")),
        price_hidden=bool(facts.get("price_hidden")),
    )
    return books.add(entry)


EDITS: dict[str, Callable[[Any], Any]] = {
    "quantity_seconds": money,
    "price": money,
    "date": day,
    "note": str,
    "non_billable": bool,
    "no_charge": bool,
    "flat_rate": bool,
    "redacted": bool,
    "price_hidden": bool,
}


def edit_time(books: Books, facts: Facts) -> Activity:
    entry = books.get(Activity, facts["id"])
    changes = {name.removesuffix("_seconds"): read(facts[name]) for name, read in EDITS.items() if name in facts}
    work.edit(books, entry, changes)
    return entry


def delete_time(books: Books, facts: Facts) -> Activity:
    entry = books.get(Activity, facts["id"])
    work.discard(books, entry)
    return entry


def generate_bill(books: Books, facts: Facts) -> Bill:
    """A quick bill for a matter, several matters or a client, of all unbilled work or of chosen entries."""
    idents = facts.get("matter_ids") or ([facts["matter_id"]] if "matter_id" in facts else [])
    chosen = [books.get(Matter, ident) for ident in idents]
    if not chosen and "client_id" in facts:
        client = books.get(Contact, facts["client_id"])
        chosen = [matter for matter in books.table(Matter).values() if matter.client is client]
    entries = [books.get(Activity, ident) for ident in facts.get("entry_ids", ())]
    chosen = chosen or list(dict.fromkeys(entry.matter for entry in entries if entry.matter))
    if not chosen:
        raise unprocessable("generate_bill needs matter_id, matter_ids, client_id or entry_ids.")
    bill = bills.generate(books, entries or bills.unbilled(books, chosen), matters=chosen)
    bill.issued_at, bill.due_at = day(facts.get("issued_at")), day(facts.get("due_at"))
    return bill


def request_trust(books: Books, facts: Facts) -> Bill:
    """A trust request, issued at once: a bill that asks for a deposit."""
    matter = books.get(Matter, facts["matter_id"])
    bill = bills.request_money(books, matter, money(facts["amount"]), kind="trust_kind")
    bills.approve(books, bill, due_at=day(facts.get("due_at")))
    return bill


def approve_bill(books: Books, facts: Facts) -> Bill:
    bill = bill_of(books, facts)
    bills.approve(books, bill, issued_at=day(facts.get("issued_at")), due_at=day(facts.get("due_at")))
    return bill


def credit_bill(books: Books, facts: Facts) -> Bill:
    bill = bill_of(books, facts)
    bills.credit(books, bill, money(facts["amount"]))
    return bill


def give_credit(books: Books, facts: Facts) -> CreditMemo:
    return bills.give_credit(books, books.get(Contact, facts["client_id"]), money(facts["amount"]))


def apply_credit(books: Books, facts: Facts) -> Bill:
    """Put a client's credit (`id`) on a bill (`bill_id`)."""
    bill = books.get(Bill, facts["bill_id"])
    bills.apply_credit(books, books.get(CreditMemo, facts["id"]), bill)
    return bill


def set_due(books: Books, facts: Facts) -> Bill:
    bill = bill_of(books, facts)
    bill.due_at = day(facts["due_at"])
    bills.figures_changed(books, bill, {bill.state})
    return bill


def step(move: Callable[[Books, Bill], None]) -> Act:
    """A verb that needs nothing but the bill."""

    def act(books: Books, facts: Facts) -> Bill:
        bill = bill_of(books, facts)
        move(books, bill)
        return bill

    return act


def record_payment(books: Books, facts: Facts) -> Thing:
    bill = bill_of(books, facts)
    account = books.get(BankAccount, facts["bank_account_id"]) if "bank_account_id" in facts else None
    return bills.record_cheque(books, bill, money(facts.get("amount", bill.balance)), account, how(facts, "Cheque"))


def delete_payment(books: Books, facts: Facts) -> Bill:
    """Take a payment that a person had recorded off a bill again (its allocation id, or the bill's newest)."""
    bill = bill_of(books, facts)
    valid = [share for share in bill.allocations if share.voided_at is None and not share.has_online_payment]
    share = next((share for share in reversed(valid) if facts.get("allocation_id") in {None, share.id}), None)
    if share is None:
        raise unprocessable(f"Bill {bill.number} has no such payment.")
    taken = bills.take_back(books, share)
    if share.destination_bank_account is not None:
        words = how(facts, "Deleted")
        ledger.post(books, share.destination_bank_account, -taken, words, matter=share.matter, bill=bill)
    return bill
