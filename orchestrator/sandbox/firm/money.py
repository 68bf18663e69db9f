"""What a firm bills and is paid: entries, bills, links, payments and the ledger lines they leave."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal

from orchestrator.sandbox.firm.things import ZERO, BankAccount, Contact, Facts, Matter, Thing, User, cents

LOCKING = frozenset({"draft", "awaiting_approval", "awaiting_payment", "paid"})
UNDER_WAY = frozenset({"pending", "authorized", "requires_confirmation"})
OPEN = frozenset({"awaiting_payment", "paid"})

# What the API offers from each state; `draft` is never declared as a target, and `paid` comes only from money.
LADDER: dict[str, tuple[str, ...]] = {
    "draft": ("awaiting_approval", "awaiting_payment", "deleted"),
    "awaiting_approval": ("awaiting_payment", "deleted"),
    "awaiting_payment": ("void",),
    "paid": (),
    "void": (),
    "deleted": (),
}


@dataclass(eq=False, kw_only=True)
class Activity(Thing):
    table = "activity"
    type: str
    date: dt.date
    worked: Decimal
    rate: Decimal
    note: str | None = None
    matter: Matter | None = None
    user: User | None = None
    bill: Bill | None = None
    flat_rate: bool = False
    non_billable: bool = False
    no_charge: bool = False
    contingency_fee: bool = False
    reference: str | None = None
    tax_setting: str = "no_tax"
    redacted: bool = False
    price_hidden: bool = False

    @property
    def value(self) -> Decimal:
        """What the work is worth, whoever is allowed to see it."""
        if self.flat_rate:
            return cents(self.rate)
        hours = self.worked / 3600 if self.type == "TimeEntry" else self.worked
        return cents(hours * self.rate)

    @property
    def on_bill(self) -> bool:
        return self.bill is not None and self.bill.state in LOCKING

    @property
    def billed(self) -> bool:
        return self.bill is not None and self.bill.state in OPEN

    @property
    def quantity(self) -> Decimal | None:
        return None if self.redacted else self.worked

    rounded_quantity = quantity

    @property
    def quantity_in_hours(self) -> Decimal | None:
        if self.redacted:
            return None
        return round(self.worked / 3600, 4) if self.type == "TimeEntry" else self.worked

    rounded_quantity_in_hours = quantity_in_hours

    @property
    def quantity_redacted(self) -> bool:
        return self.redacted

    @property
    def price(self) -> Decimal | None:
        return None if self.price_hidden else self.rate

    @property
    def total(self) -> Decimal | None:
        if self.redacted or self.price_hidden:
            return None
        return ZERO if self.non_billable else self.value

    @property
    def non_billable_total(self) -> Decimal | None:
        if self.redacted or self.price_hidden:
            return None
        return self.value if self.non_billable else ZERO


@dataclass(eq=False, kw_only=True)
class LineItem(Thing):
    table = "line_item"
    bill: Bill
    matter: Matter | None
    description: str
    date: dt.date
    price: Decimal
    quantity: Decimal
    type: str = "ActivityLineItem"
    activity: Activity | None = None
    user: User | None = None
    note: str | None = None
    discount: Facts | None = None
    fixed: Decimal | None = None
    taxable: bool = False
    secondary_taxable: bool = False
    tax: Decimal = ZERO
    secondary_tax: Decimal = ZERO
    group_ordering: int = 1

    @property
    def total(self) -> Decimal:
        if self.type == "NoChargeLineItem":
            return ZERO
        plain = self.fixed if self.fixed is not None else cents(self.price * self.quantity)
        return less(plain, self.discount)

    sub_total = total

    @property
    def kind(self) -> str:
        is_time = self.activity is None or self.activity.type == "TimeEntry"
        return "Service" if is_time else "Expense"


@dataclass(eq=False, kw_only=True)
class Bill(Thing):
    table = "bill"
    number: str
    state: str
    client: Contact
    matters: list[Matter]
    kind: str = "revenue_kind"
    type: str = "MatterBill"
    user: User | None = None
    issued_at: dt.date | None = None
    due_at: dt.date | None = None
    start_at: dt.date | None = None
    end_at: dt.date | None = None
    subject: str | None = None
    memo: str | None = None
    purchase_order: str | None = None
    discount: Facts | None = None
    interest: Facts | None = None
    tax_rate: Decimal = ZERO
    secondary_tax_rate: Decimal = ZERO
    shared: bool = False
    last_sent_at: dt.datetime | None = None
    paid_at: dt.datetime | None = None
    credits_issued: Decimal = ZERO
    currency: Facts = field(default_factory=dict)
    destination_account: BankAccount | None = None
    lines: list[LineItem] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    offers_approval: bool = True

    @property
    def sub_total(self) -> Decimal:
        return sum((line.total for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return self.sub_total + self.total_tax

    @property
    def total_tax(self) -> Decimal:
        return cents(self.sub_total * self.tax_rate / 100)

    tax_sum = total_tax
    services_sub_total = sub_total
    secondary_tax_sum = services_tax = services_secondary_tax = ZERO

    @property
    def due(self) -> Decimal:
        return less(self.total, self.discount)

    @property
    def paid(self) -> Decimal:
        return sum((share.amount for share in self.allocations if share.voided_at is None), ZERO)

    @property
    def balance(self) -> Decimal:
        if self.state in {"void", "deleted"}:
            return ZERO
        return self.due - self.paid - self.credits_issued

    @property
    def pending(self) -> Decimal:
        return sum((payment.amount for payment in self.payments if payment.state in UNDER_WAY), ZERO)

    @property
    def can_update(self) -> bool:
        return bool(self.available_state_transitions)

    @property
    def available_state_transitions(self) -> list[str]:
        return [to for to in LADDER[self.state] if self.offers_approval or to != "awaiting_payment"]

    @property
    def balances(self) -> list[Facts]:
        return [
            {"id": matter.id, "type": "Matter", "amount": self.balance, "due": self.due, "interest_amount": ZERO}
            for matter in self.matters[:1]
        ]

    @property
    def matter_totals(self) -> list[Facts]:
        return [
            {"id": matter.id, "amount": sum((line.total for line in self.lines if line.matter is matter), ZERO)}
            for matter in self.matters
        ]


@dataclass(eq=False, kw_only=True)
class Allocation(Thing):
    table = "allocation"
    amount: Decimal
    date: dt.date
    bill: Bill
    matter: Matter | None = None
    contact: Contact | None = None
    voided_at: dt.datetime | None = None
    interest: bool = False
    has_online_payment: bool = False
    payment_type: str = "Check"
    description: str | None = None
    source_bank_account: BankAccount | None = None
    destination_bank_account: BankAccount | None = None
    parent: Facts | None = None
    payment: Payment | None = None

    @property
    def destroyable(self) -> bool:
        return self.voided_at is None and not self.has_online_payment


@dataclass(eq=False, kw_only=True)
class CreditMemo(Thing):
    """Credit given to a client; what its allocations do not take is unapplied."""

    table = "credit_memo"
    amount: Decimal
    date: dt.date
    contact: Contact
    user: User | None = None
    description: str | None = None
    discount: bool = False
    voided_at: dt.datetime | None = None
    allocations: list[Allocation] = field(default_factory=list)

    @property
    def unapplied(self) -> Decimal:
        applied = sum((share.amount for share in self.allocations if share.voided_at is None), ZERO)
        return ZERO if self.voided_at else self.amount - applied


@dataclass(eq=False, kw_only=True)
class BankTransaction(Thing):
    table = "bank_transaction"
    bank_account: BankAccount
    amount: Decimal
    date: dt.date
    currency: str = "USD"
    client: Contact | None = None
    matter: Matter | None = None
    bill: Bill | None = None
    allocation: Allocation | None = None
    description: str | None = None
    source: str | None = None
    confirmation: str | None = None
    transaction_type: str | None = None
    clio_payments_transaction: bool = False
    current_account_balance: Decimal = ZERO
    read_only_confirmation: bool = False
    exchange_rate: Decimal = Decimal(1)
    currency_id: int = 1
    real: bool = True
    """Whether the bank moves money with this line; Clio's accounts only mirror the bank. Not one of Clio's fields."""

    @property
    def type(self) -> str:
        return "liability" if self.bank_account.type == "Trust" else "asset"

    @property
    def bank_account_id(self) -> int:
        return self.bank_account.id

    @property
    def funds_in(self) -> Decimal:
        return max(self.amount, ZERO)

    @property
    def funds_out(self) -> Decimal:
        return max(-self.amount, ZERO)


@dataclass(eq=False, kw_only=True)
class BankTransfer(Thing):
    table = "bank_transfer"
    amount: Decimal
    date: dt.datetime
    source_account: BankAccount
    destination_account: BankAccount
    description: str | None = None
    client: Contact | None = None
    matter: Matter | None = None
    primary_authorizer: str | None = None
    secondary_authorizer: str | None = None


@dataclass(eq=False, kw_only=True)
class Link(Thing):
    table = "link"
    token: str
    url: str
    currency: str
    expires_at: dt.datetime
    amount: Decimal | None = None
    bill: Bill | None = None
    contact: Contact | None = None
    bank_account: BankAccount | None = None
    destination_account: BankAccount | None = None
    destination_contact: Contact | None = None
    description: str | None = None
    email_address: str | None = None
    redirect_url: str | None = None
    is_allocated_as_revenue: bool = False
    active: bool = True
    clio_payments_payment: Payment | None = None
    by: str = "app"
    user: User | None = None


@dataclass(eq=False, kw_only=True)
class Payment(Thing):
    table = "payment"
    amount: Decimal
    currency: str
    state: str
    clio_payments_link: Link
    method: str
    confirmation_number: str
    email_address: str | None = None
    description: str | None = None
    contact: Contact | None = None
    destination_account: BankAccount | None = None
    bank_transaction: BankTransaction | None = None
    user: User | None = None
    deposit_as_revenue: bool = True
    bills: list[Bill] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)

    @property
    def matters(self) -> list[Matter]:
        return list(dict.fromkeys(matter for bill in self.bills for matter in bill.matters))


def less(amount: Decimal, discount: Facts | None) -> Decimal:
    """The amount with a percentage or money discount taken off, never below zero."""
    if not discount or not discount.get("rate"):
        return amount
    rate = Decimal(discount["rate"])
    off = cents(amount * rate / 100) if discount.get("type") == "percentage" else rate
    return max(amount - off, ZERO)
