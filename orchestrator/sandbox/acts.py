"""What people do: the attorney, the biller, the client, the bank. One verb a function; `ACTS` is the list."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from orchestrator.sandbox.clio.fields import SHAPES, Ask, plain, shown
from orchestrator.sandbox.clock import moment_of
from orchestrator.sandbox.firm import bills, ledger, links, matters, payments, work
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Activity, Bill, Link, Payment
from orchestrator.sandbox.firm.things import BankAccount, Contact, Facts, Matter, MatterStage, Task, Thing, User
from orchestrator.sandbox.founding import open_case
from orchestrator.sandbox.refusal import unprocessable
from orchestrator.sandbox.scenario import Case

Act = Callable[[Books, Facts], Any]


def money(value: Any) -> Decimal:
    """An amount from JSON, whether text or number, without a float's tail."""
    return Decimal(str(value))


def day(value: Any) -> date | None:
    return None if value is None else moment_of(str(value)).date()


def described(thing: Thing) -> Facts:
    """A record in full, with the ids of what it leads to."""
    shape = SHAPES[thing.table]
    facts = shown(thing, tuple(Ask(name) for name in sorted(shape.plain)))
    for name in shape.one:
        value = getattr(thing, name, None)
        if isinstance(value, Thing):
            facts[name] = {"id": value.id}
        elif value is not None:
            facts[name] = {key: plain(item) for key, item in value.items() if not isinstance(item, Thing)}
    for name in shape.many:
        values = getattr(thing, name, None) or []
        facts[name] = [{"id": item.id} if isinstance(item, Thing) else {"id": item.get("id")} for item in values]
    return {name: value for name, value in facts.items() if value is not None}


# -- time ---------------------------------------------------------------------------------------------------------


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


# -- bills --------------------------------------------------------------------------------------------------------


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
    bill = _bill(books, facts)
    bills.approve(books, bill, issued_at=day(facts.get("issued_at")), due_at=day(facts.get("due_at")))
    return bill


def credit_bill(books: Books, facts: Facts) -> Bill:
    bill = _bill(books, facts)
    bills.credit(books, bill, money(facts["amount"]))
    return bill


def set_due(books: Books, facts: Facts) -> Bill:
    bill = _bill(books, facts)
    bill.due_at = day(facts["due_at"])
    books.touch(bill)
    return bill


def step(move: Callable[[Books, Bill], None]) -> Act:
    """A verb that needs nothing but the bill."""

    def act(books: Books, facts: Facts) -> Bill:
        bill = _bill(books, facts)
        move(books, bill)
        return bill

    return act


def record_payment(books: Books, facts: Facts) -> Thing:
    bill = _bill(books, facts)
    account = books.get(BankAccount, facts["bank_account_id"]) if "bank_account_id" in facts else None
    return bills.record_cheque(books, bill, money(facts.get("amount", bill.balance)), account)


def delete_payment(books: Books, facts: Facts) -> Bill:
    """Take a payment that a person had recorded off a bill again (its allocation id, or the bill's newest)."""
    bill = _bill(books, facts)
    valid = [share for share in bill.allocations if share.voided_at is None and not share.has_online_payment]
    share = next((share for share in reversed(valid) if facts.get("allocation_id") in {None, share.id}), None)
    if share is None:
        raise unprocessable(f"Bill {bill.number} has no such payment.")
    taken = bills.take_back(books, share)
    if share.destination_bank_account is not None:
        ledger.post(
            books, share.destination_bank_account, -taken, matter=share.matter, bill=bill, description="Deleted"
        )
    return bill


def apply_trust(books: Books, facts: Facts) -> Thing:
    bill = _bill(books, facts)
    amount = money(facts["amount"]) if "amount" in facts else bill.balance
    return bills.apply_trust(books, bill, amount, _trust(books, facts))


def deposit_trust(books: Books, facts: Facts) -> Thing:
    matter = books.get(Matter, facts["matter_id"])
    why = str(facts.get("why", "Retainer"))
    return ledger.deposit_trust(books, matter, _trust(books, facts), money(facts["amount"]), why)


# -- links and payments -------------------------------------------------------------------------------------------


def pay_link(books: Books, facts: Facts) -> Payment:
    token = str(facts["url"]).rsplit("/", 1)[-1] if "url" in facts else None
    link = books.links_by_token.get(token) if token else books.get(Link, facts["link_id"])
    if link is None:
        raise unprocessable("There is no such link.")
    settle = facts.get("settle_after_seconds")
    return payments.pay(
        books,
        link,
        method=facts.get("method", "card"),
        amount=money(facts["amount"]) if facts.get("amount") is not None else None,
        settle_after=None if settle is None else float(settle),
        final_state=facts.get("final_state", "completed"),
    )


def set_payment_state(books: Books, facts: Facts) -> Payment:
    payment = books.get(Payment, facts["id"])
    payments.set_state(books, payment, str(facts["state"]))
    return payment


def reverse(why: str) -> Act:
    """Refund, chargeback or late return of a settled payment, whole or in part."""

    def act(books: Books, facts: Facts) -> Payment:
        payment = books.get(Payment, facts["id"])
        payments.send_back(books, payment, why, money(facts["amount"]) if facts.get("amount") is not None else None)
        return payment

    return act


def create_link_by_hand(books: Books, facts: Facts) -> Link:
    """A link a person made: with this application (`person`, visible to it) or another (`stranger`, hidden from it)."""
    bill = _bill(books, facts)
    account = facts.get("destination_account_id") or _online_account(books, bill).id
    wish = links.Wish(
        subject_type="Bill",
        subject_id=bill.id,
        currency=books.currency,
        duration=int(facts.get("duration", links.LONGEST)),
        destination_account_id=account,
        amount=money(facts["amount"]) if facts.get("amount") is not None else None,
        description=facts.get("description", "Made by hand"),
    )
    return links.create(books, wish, user=bill.user, by=facts.get("by", "person"))


# -- matters, contacts, tasks -------------------------------------------------------------------------------------


def create_matter(books: Books, facts: Facts) -> Matter:
    """Open a matter for a client given by `client_id` or by scenario name; other facts as in a scenario's matter."""
    facts = dict(facts)
    contacts = books.keys["contacts"]
    if "client_id" in facts:
        ident = books.get(Contact, facts.pop("client_id")).id
        facts["client"] = next((key for key, value in contacts.items() if value == ident), str(ident))
        contacts.setdefault(facts["client"], ident)
    facts.setdefault("key", f"matter-{len(books.table(Matter)) + 1}")
    facts.setdefault("description", "A new matter")
    facts.setdefault("attorney", next(iter(books.keys["users"])))
    return open_case(books, Case.model_validate(facts))


def create_contact(books: Books, facts: Facts) -> Contact:
    contact = Contact(name=str(facts["name"]), type=facts.get("type", "Person"))
    contact.primary_email_address = facts.get("email") or None
    return books.add(contact)


def matter_status(status: str) -> Act:
    def act(books: Books, facts: Facts) -> Matter:
        matter = books.get(Matter, facts.get("id", facts.get("matter_id")))
        matters.set_status(books, matter, status)
        return matter

    return act


def set_stage(books: Books, facts: Facts) -> Matter:
    """Move a matter to a stage named in its own practice area."""
    matter = books.get(Matter, facts["matter_id"])
    stages = books.table(MatterStage).values()
    own = (stage for stage in stages if stage.practice_area is matter.practice_area)
    stage = next((stage for stage in own if stage.name == facts["stage"]), None)
    if stage is None:
        raise unprocessable(f"There is no stage {facts['stage']} for this matter.")
    matters.set_stage(books, matter, stage)
    return matter


def set_custom_field(books: Books, facts: Facts) -> Matter:
    matter = books.get(Matter, facts["matter_id"])
    custom = matters.custom_field(books, str(facts["name"]))
    matters.custom_value(books, matter.custom_field_values, custom, facts.get("value"))
    books.touch(matter)
    return matter


def edit_matter(books: Books, facts: Facts) -> Matter:
    """Renumber a matter or give it another client or attorney."""
    matter = books.get(Matter, facts["id"])
    for name in ("display_number", "custom_number", "client_reference", "description", "billable"):
        if name in facts:
            setattr(matter, name, facts[name])
    if "client_id" in facts:
        matter.client = books.get(Contact, facts["client_id"])
    if "attorney_id" in facts:
        matter.responsible_attorney = books.get(User, facts["attorney_id"])
    books.touch(matter)
    return matter


def edit_contact(books: Books, facts: Facts) -> Contact:
    contact = books.get(Contact, facts["id"])
    if "email" in facts:
        contact.primary_email_address = facts["email"] or None
    for name in ("name", "redacted", "reminders_enabled"):
        if name in facts:
            setattr(contact, name, facts[name])
    books.touch(contact)
    return contact


def complete_task(books: Books, facts: Facts) -> Task:
    task = books.get(Task, facts["id"])
    task.status = "complete"
    task.completed_at = books.clock.now()
    books.touch(task)
    return task


def edit_user(books: Books, facts: Facts) -> User:
    """Enable or disable a user; both link quotas follow."""
    user = books.get(User, facts["id"])
    user.enabled = bool(facts.get("enabled", user.enabled))
    books.touch(user)
    return user


# -- a great deal at once -----------------------------------------------------------------------------------------


def bulk(books: Books, facts: Facts) -> Facts:
    """Issue `bills` bills, then pay `pay_links` open links, oldest first; nobody hears of it unless `webhooks` is true."""
    quietly = not facts.get("webhooks")
    count, amount = int(facts.get("bills", 0)), money(facts.get("amount", "250.00"))
    made: list[Bill] = []
    if count:
        given = [books.get(Matter, ident) for ident in facts.get("matter_ids", ())]
        homes = given or _homes(books, int(facts.get("clients", 1)))
        for place in range(count):
            bill = bills.request_money(books, homes[place % len(homes)], amount, quietly=quietly)
            bills.approve(books, bill, due_at=day(facts.get("due_at")), quietly=quietly)
            made.append(bill)
    open_links = list(books.active_links.values())[: int(facts.get("pay_links", 0))]
    settle = float(facts.get("settle_after_seconds", 0))
    paid = [payments.pay(books, link, settle_after=settle, quietly=quietly) for link in open_links]
    return {"bill_ids": [bill.id for bill in made], "payment_ids": [payment.id for payment in paid]}


def _homes(books: Books, clients: int) -> list[Matter]:
    attorney = next(iter(books.keys["users"]))
    homes = []
    for _ in range(clients):
        number = len(books.table(Contact)) + 1
        contact = Contact(name=f"Bulk Client {number:05d}", primary_email_address=f"bulk{number:05d}@clients.test")
        key = f"bulk-{number}"
        books.keys["contacts"][key] = books.add(contact, quietly=True).id
        homes.append(open_case(books, Case(key=key, client=key, description="Bulk matter", attorney=attorney)))
    return homes


def _bill(books: Books, facts: Facts) -> Bill:
    return books.get(Bill, facts.get("id", facts.get("bill_id")))


def _trust(books: Books, facts: Facts) -> BankAccount:
    if "bank_account_id" in facts:
        return books.get(BankAccount, facts["bank_account_id"])
    account = next((account for account in books.table(BankAccount).values() if account.type == "Trust"), None)
    if account is None:
        raise unprocessable("There is no trust account.")
    return account


def _online_account(books: Books, bill: Bill) -> BankAccount:
    kind = "Trust" if bill.kind == "trust_kind" else "Operating"
    accounts = books.table(BankAccount).values()
    fitting = (account for account in accounts if account.type == kind and account.clio_payments_enabled)
    account = next(fitting, None)
    if account is None:
        raise unprocessable(f"No {kind} account takes online payments.")
    return account


ACTS: dict[str, Act] = {
    "log_time": log_time,
    "edit_time": edit_time,
    "delete_time": delete_time,
    "generate_bill": generate_bill,
    "request_trust": request_trust,
    "submit_bill": step(bills.submit),
    "approve_bill": approve_bill,
    "reopen_bill": step(bills.send_back),
    "void_bill": step(bills.void),
    "delete_bill": step(bills.delete),
    "credit_bill": credit_bill,
    "set_due": set_due,
    "record_payment": record_payment,
    "delete_payment": delete_payment,
    "apply_trust": apply_trust,
    "deposit_trust": deposit_trust,
    "pay_link": pay_link,
    "set_payment_state": set_payment_state,
    "refund_payment": reverse("refund"),
    "chargeback_payment": reverse("chargeback"),
    "return_payment": reverse("return"),
    "create_link_by_hand": create_link_by_hand,
    "create_matter": create_matter,
    "create_contact": create_contact,
    "open_matter": matter_status("Open"),
    "pend_matter": matter_status("Pending"),
    "close_matter": matter_status("Closed"),
    "set_stage": set_stage,
    "set_custom_field": set_custom_field,
    "edit_matter": edit_matter,
    "edit_contact": edit_contact,
    "complete_task": complete_task,
    "edit_user": edit_user,
    "bulk": bulk,
}


def act(books: Books, verb: str, facts: Facts) -> Facts:
    """Do what the verb says and show what came of it; a missing fact is named."""
    doing = ACTS.get(verb)
    if doing is None:
        raise unprocessable(f"There is no act {verb}; choose from {', '.join(ACTS)}.")
    try:
        result = doing(books, facts)
    except KeyError as error:
        raise unprocessable(f"{verb} needs {error.args[0]}.") from None
    except (ValueError, TypeError, ArithmeticError) as error:
        raise unprocessable(f"{verb}: {error}") from None
    return described(result) if isinstance(result, Thing) else dict(result)
