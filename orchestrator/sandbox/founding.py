"""A scenario turned into a firm's books, as if the firm had been at work for a while."""

from datetime import timedelta
from decimal import Decimal

from orchestrator.sandbox.clock import Clock
from orchestrator.sandbox.firm import bills, ledger, matters
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.contacts import note_contact
from orchestrator.sandbox.firm.ledger import How
from orchestrator.sandbox.firm.money import Activity, Bill
from orchestrator.sandbox.firm.things import (
    BankAccount,
    Contact,
    CustomField,
    Matter,
    MatterStage,
    PracticeArea,
    User,
    cents,
)
from orchestrator.sandbox.journal import Journal
from orchestrator.sandbox.scenario import Case, Invoice, Many, Scenario, Work


def found(scenario: Scenario, *, clock: Clock, journal: Journal, seed: int) -> Books:
    """The firm of a scenario; the same seed gives the same ids and figures."""
    books = Books(
        clock=clock,
        journal=journal,
        seed=seed,
        name=scenario.firm,
        region=scenario.region,
        rules=scenario.account.rules(),
    )
    _people(books, scenario)
    _settings(books, scenario)
    for case in scenario.matters:
        open_case(books, case)
    for client in scenario.contacts:
        if client.trust:
            owner = books.get(Contact, books.keys["contacts"][client.key])
            ledger.deposit_trust(books, owner, _trust(books), client.trust, How(description="General retainer"))
    if scenario.many is not None:
        _many(books, scenario.many)
    return books


def _people(books: Books, scenario: Scenario) -> None:
    users, contacts = books.keys.setdefault("users", {}), books.keys.setdefault("contacts", {})
    for person in scenario.users:
        facts = person.model_dump(exclude={"key"})
        users[person.key] = books.add(User(**facts, account=books.account)).id
    for client in scenario.contacts:
        first, _, last = client.name.partition(" ")
        contact = Contact(
            name=client.name,
            type=client.type,
            first_name=first if client.type == "Person" else None,
            last_name=last if client.type == "Person" else None,
            primary_email_address=client.email or None,
            primary_phone_number=client.phone or None,
            redacted=client.redacted,
            is_client=client.is_client,
            reminders_enabled=client.reminders_enabled,
        )
        contacts[client.key] = books.add(contact).id
        note_contact(books, contact)


def _settings(books: Books, scenario: Scenario) -> None:
    areas, stages = books.keys.setdefault("practice_areas", {}), books.keys.setdefault("stages", {})
    for area in scenario.practice_areas:
        kept = books.add(PracticeArea(name=area.name, code=area.code, category=area.category))
        areas[area.key] = kept.id
        for order, name in enumerate(area.stages, 1):
            stages[f"{area.key}/{name}"] = books.add(MatterStage(name=name, order=order, practice_area=kept)).id
    for order, custom in enumerate(scenario.custom_fields, 1):
        facts = custom.model_dump(exclude={"key"})
        books.keys.setdefault("custom_fields", {})[custom.key] = books.add(CustomField(**facts, display_order=order)).id
    for account in scenario.bank_accounts:
        facts = account.model_dump(exclude={"key", "default"})
        digits = f"****{books.random.randrange(1000, 9999)}"
        kept_account = BankAccount(
            **facts, default_account=account.default, currency=books.currency, account_number=digits
        )
        books.keys.setdefault("bank_accounts", {})[account.key] = books.add(kept_account).id


def open_case(books: Books, case: Case) -> Matter:
    """Open a matter with the work, bills and trust money it starts with."""
    matter = books.add(_matter(books, case))
    books.journal.add("matter.moved", matter.id, status=matter.status)
    books.keys.setdefault("matters", {})[case.key] = matter.id
    for name, value in case.custom.items():
        matters.custom_value(books, matter.custom_field_values, matters.custom_field(books, name), value)
    if case.trust:
        ledger.deposit_trust(books, matter, _trust(books), case.trust, How(description="Opening retainer"))
    for work in case.entries:
        for _ in range(work.count):
            books.add(_entry(books, matter, work, case.attorney))
    for invoice in case.bills:
        for _ in range(invoice.count):
            _bill(books, matter, invoice)
    return matter


def _trust(books: Books) -> BankAccount:
    return next(account for account in books.table(BankAccount).values() if account.type == "Trust")


def _matter(books: Books, case: Case) -> Matter:
    client = books.get(Contact, books.keys["contacts"][case.client])
    users = books.keys["users"]
    attorney = books.get(User, users[case.attorney]) if case.attorney else None
    number = len(books.table(Matter)) + 1
    today = books.today()
    return Matter(
        number=number,
        display_number=case.display_number or f"{number:05d}-{client.name.split()[-1]}",
        description=case.description,
        client=client,
        status=case.status,
        custom_number=case.custom_number,
        client_reference=case.client_reference,
        billable=case.billable,
        billing_method=case.billing_method,
        responsible_attorney=attorney,
        originating_attorney=attorney,
        responsible_staff=books.get(User, users[case.staff]) if case.staff else None,
        user=attorney,
        practice_area=books.get(PracticeArea, books.keys["practice_areas"][case.area]) if case.area else None,
        matter_stage=books.get(MatterStage, books.keys["stages"][f"{case.area}/{case.stage}"]) if case.stage else None,
        open_date=None if case.status == "Pending" else today - timedelta(days=120),
        pending_date=today - timedelta(days=10) if case.status == "Pending" else None,
        close_date=today - timedelta(days=5) if case.status == "Closed" else None,
    )


def _entry(books: Books, matter: Matter, work: Work, attorney: str) -> Activity:
    who = work.user or attorney
    user = books.get(User, books.keys["users"][who]) if who else None
    return Activity(
        type=work.type,
        date=books.today() - timedelta(days=work.days_ago),
        worked=work.hours * 3600 if work.type == "TimeEntry" else work.hours,
        rate=work.price if work.price is not None else user.rate if user else Decimal(300),
        note=work.note,
        matter=matter,
        user=user,
        flat_rate=work.flat_rate,
        non_billable=work.non_billable or work.no_charge,
        no_charge=work.no_charge,
        contingency_fee=matter.billing_method == "contingency",
        redacted=work.redacted,
        price_hidden=work.price_hidden,
    )


def _bill(books: Books, matter: Matter, invoice: Invoice) -> Bill:
    bill = bills.request_money(books, matter, invoice.amount, kind=invoice.kind, quietly=True)
    if invoice.state == "awaiting_approval":
        bills.submit(books, bill)
    elif invoice.state == "awaiting_payment":
        issued = books.today() - timedelta(days=invoice.issued_days_ago)
        bills.approve(books, bill, issued_at=issued, quietly=True)
    return bill


def _many(books: Books, many: Many) -> None:
    for place in range(1, many.clients + 1):
        contact = Contact(name=f"Client {place:04d}", primary_email_address=f"client{place:04d}@clients.test")
        books.keys.setdefault("contacts", {})[f"client-{place}"] = books.add(contact).id
        for part in range(1, many.matters_per_client + 1):
            case = Case(
                key=f"matter-{place}-{part}",
                client=f"client-{place}",
                description=f"Matter {part} of client {place}",
                attorney=books.random.choice(list(books.keys["users"])),
            )
            matter = open_case(books, case)
            for _ in range(many.bills_per_matter):
                spread = (many.most - many.least) * books.random.randrange(10_000) / 10_000
                age = books.random.randrange(many.days_old + 1)
                _bill(books, matter, Invoice(amount=cents(many.least + spread), issued_days_ago=age))
