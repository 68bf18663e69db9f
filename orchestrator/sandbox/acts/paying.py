"""The client and the bank: links paid, money settled, sent back; and a great deal of it at once."""

from orchestrator.sandbox.acts.facts import Act, bill_of, day, money
from orchestrator.sandbox.firm import bills, links, payments
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import Bill, Link, Payment
from orchestrator.sandbox.firm.things import BankAccount, Contact, Facts, Matter
from orchestrator.sandbox.founding import open_case
from orchestrator.sandbox.refusal import unprocessable
from orchestrator.sandbox.scenario import Case


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
    """A link a person made for a bill, or with `contact_id` for all that its client owes.

    With this application (`person`, visible to it) or with another (`stranger`, hidden from it).
    """
    bill = bill_of(books, facts)
    client = facts.get("contact_id")
    account = facts.get("destination_account_id") or _online_account(books, bill).id
    wish = links.Wish(
        subject_type="Bill" if client is None else "Contact",
        subject_id=bill.id if client is None else int(client),
        currency=books.currency,
        duration=int(facts.get("duration", links.LONGEST)),
        destination_account_id=account,
        amount=money(facts["amount"]) if facts.get("amount") is not None else None,
        description=facts.get("description", "Made by hand"),
    )
    return links.create(books, wish, user=bill.user, by=facts.get("by", "person"))


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


def _online_account(books: Books, bill: Bill) -> BankAccount:
    kind = "Trust" if bill.kind == "trust_kind" else "Operating"
    accounts = books.table(BankAccount).values()
    fitting = (account for account in accounts if account.type == kind and account.clio_payments_enabled)
    account = next(fitting, None)
    if account is None:
        raise unprocessable(f"No {kind} account takes online payments.")
    return account
