"""What a firm keeps in Clio. Attribute names are Clio's field names, so an answer is read straight off them."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

Facts = dict[str, Any]
CENT = Decimal("0.01")
ZERO = Decimal("0.00")
NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def cents(amount: Decimal) -> Decimal:
    """The amount to the cent, halves away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def _balances(held: dict[BankAccount, Decimal]) -> list[Facts]:
    return [
        {"id": account.id, "name": account.name, "type": account.type, "balance": money, "currency_id": 1}
        for account, money in held.items()
    ]


@dataclass(eq=False, kw_only=True)
class Thing:
    """A record with an id, timestamps and a version from which its etag follows."""

    table: ClassVar[str] = "thing"
    id: int = 0
    created_at: dt.datetime = NEVER
    updated_at: dt.datetime = NEVER
    version: int = 1
    gone: bool = False

    @property
    def etag(self) -> str:
        digest = hashlib.blake2b(f"{self.table}/{self.id}/{self.version}".encode(), digest_size=16)
        return f'"{digest.hexdigest()}"'


@dataclass(eq=False, kw_only=True)
class User(Thing):
    table = "user"
    name: str
    email: str
    enabled: bool = True
    roles: list[str] = field(default_factory=list)
    subscription_type: str = "Attorney"
    rate: Decimal = Decimal(300)
    time_zone: str = "America/New_York"
    account_owner: bool = False
    account: Facts | None = None
    phone_number: str | None = None
    clio_connect: bool = False
    signatory: bool = False
    """May authorise trust money to move, by the firm's own list; Clio does not know."""

    @property
    def first_name(self) -> str:
        return self.name.split(" ")[0]

    @property
    def last_name(self) -> str:
        return self.name.split(" ")[-1]

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in self.name.split())

    @property
    def identifier(self) -> str:
        return self.name


@dataclass(eq=False, kw_only=True)
class Contact(Thing):
    table = "contact"
    name: str
    type: str = "Person"
    primary_email_address: str | None = None
    primary_phone_number: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    prefix: str | None = None
    is_client: bool = True
    is_bill_recipient: bool = True
    redacted: bool = False
    reminders_enabled: bool = False
    custom_field_values: list[Facts] = field(default_factory=list)
    held: dict[BankAccount, Decimal] = field(default_factory=dict)

    @property
    def account_balances(self) -> list[Facts]:
        """Money that belongs to the client and to no matter yet."""
        return _balances(self.held)

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in self.name.split() if part)[:3]

    @property
    def email_addresses(self) -> list[Facts]:
        if not self.primary_email_address:
            return []
        seen = {"created_at": self.created_at, "updated_at": self.updated_at}
        email = {"id": self.id + 500_000, "etag": self.etag, "name": "Work", "primary": True}
        return [{**email, "address": self.primary_email_address, **seen}]


@dataclass(eq=False, kw_only=True)
class PracticeArea(Thing):
    table = "practice_area"
    name: str
    code: str = ""
    category: str = "other"


@dataclass(eq=False, kw_only=True)
class MatterStage(Thing):
    table = "matter_stage"
    name: str
    order: int
    practice_area: PracticeArea

    @property
    def practice_area_id(self) -> str:
        return str(self.practice_area.id)


@dataclass(eq=False, kw_only=True)
class CustomField(Thing):
    table = "custom_field"
    name: str
    field_type: str = "text_line"
    parent_type: str = "Matter"
    displayed: bool = True
    deleted: bool = False
    required: bool = False
    display_order: int = 1
    picklist_options: list[Facts] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class BankAccount(Thing):
    table = "bank_account"
    name: str
    type: str = "Operating"
    currency: str = "USD"
    clio_payments_enabled: bool = False
    default_account: bool = False
    controlled_account: bool = False
    institution: str = "First Harbor Bank"
    account_number: str | None = None
    balance: Decimal = ZERO
    bank_transactions_count: int = 0
    user: User | None = None
    closed: bool = False


@dataclass(eq=False, kw_only=True)
class Matter(Thing):
    table = "matter"
    number: int
    display_number: str
    description: str
    client: Contact
    status: str = "Open"
    custom_number: str | None = None
    client_reference: str | None = None
    location: str | None = None
    billable: bool = True
    billing_method: str = "hourly"
    responsible_attorney: User | None = None
    originating_attorney: User | None = None
    responsible_staff: User | None = None
    user: User | None = None
    practice_area: PracticeArea | None = None
    matter_stage: MatterStage | None = None
    matter_stage_updated_at: dt.datetime | None = None
    open_date: dt.date | None = None
    close_date: dt.date | None = None
    pending_date: dt.date | None = None
    shared: bool = False
    has_tasks: bool = False
    last_activity_date: dt.date | None = None
    custom_field_values: list[Facts] = field(default_factory=list)
    held: dict[BankAccount, Decimal] = field(default_factory=dict)
    hidden_from: set[int] = field(default_factory=set)
    """Users who may not see the matter and what belongs to it."""

    @property
    def client_id(self) -> int:
        return self.client.id

    @property
    def account_balances(self) -> list[Facts]:
        return _balances(self.held)

    @property
    def matter_bill_recipients(self) -> list[Facts]:
        return [
            {
                "id": self.id + 600_000,
                "etag": self.etag,
                "created_at": self.created_at,
                "updated_at": self.updated_at,
                "recipient": self.client,
            }
        ]


@dataclass(eq=False, kw_only=True)
class Task(Thing):
    table = "task"
    name: str
    description: str
    assignee: Facts
    assigner: User | None = None
    matter: Matter | None = None
    status: str = "pending"
    priority: str = "Normal"
    due_at: dt.date | None = None
    permission: str = "public"
    completed_at: dt.datetime | None = None
    description_text_type: str = "plain_text"
    notify_completion: bool = False
    statute_of_limitations: bool = False
    time_estimated: int | None = None
    time_entries_count: int = 0


@dataclass(eq=False, kw_only=True)
class Note(Thing):
    table = "note"
    type: str
    subject: str | None
    detail: str | None
    date: dt.date
    matter: Matter | None = None
    contact: Contact | None = None
    author: User | None = None
    detail_text_type: str = "plain_text"
    time_entries_count: int = 0


@dataclass(eq=False, kw_only=True)
class Communication(Thing):
    table = "communication"
    subject: str
    body: str
    type: str
    received_at: dt.datetime
    user: User | None = None
    matter: Matter | None = None
    senders: list[Facts] = field(default_factory=list)
    receivers: list[Facts] = field(default_factory=list)
    external_properties: list[Facts] = field(default_factory=list)
    time_entries_count: int = 0

    @property
    def date(self) -> dt.date:
        return self.received_at.date()


@dataclass(eq=False, kw_only=True)
class Webhook(Thing):
    table = "webhook"
    url: str
    fields: str
    model: str
    events: list[str]
    expires_at: dt.datetime
    shared_secret: str
    user: User | None = None
    status: str = "pending"
    seen: dict[int, str] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class CustomAction(Thing):
    """A button of an application in Clio's own pages."""

    table = "custom_action"
    label: str
    target_url: str
    ui_reference: str
    user: User | None = None
