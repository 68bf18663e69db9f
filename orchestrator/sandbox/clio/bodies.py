"""The bodies Clio takes, with what it requires of each. Fields it knows but the sandbox does not act on pass unread."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    model_config = ConfigDict(extra="ignore")

    def given(self) -> dict[str, Any]:
        """Only what the caller sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Ref(Body):
    id: int


class Party(Body):
    id: int
    type: Literal["User", "Contact"]


class CustomValue(Body):
    id: str | None = None
    value: Any = None
    custom_field: Ref | None = None
    destroy: Annotated[bool, Field(alias="_destroy")] = False


class Property(Body):
    id: int | None = None
    name: str | None = None
    value: str | None = None
    destroy: Annotated[bool, Field(alias="_destroy")] = False


class ActivityChange(Body):
    date: dt.date | None = None
    note: str | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    non_billable: bool | None = None
    no_charge: bool | None = None
    matter: Ref | None = None
    user: Ref | None = None
    reference: str | None = None


class NewActivity(ActivityChange):
    type: Literal["TimeEntry", "ExpenseEntry", "HardCostEntry", "SoftCostEntry"]
    date: dt.date


class BillDiscount(Body):
    rate: Decimal | None = None
    type: Literal["percentage", "money"] | None = None
    note: str | None = None


class BillChange(Body):
    state: Literal["draft", "awaiting_approval", "awaiting_payment", "paid", "void", "deleted"] | None = None
    issued_at: dt.date | None = None
    due_at: dt.date | None = None
    number: str | None = None
    memo: str | None = None
    subject: str | None = None
    purchase_order: str | None = None
    tax_rate: Decimal | None = None
    discount: BillDiscount | None = None


class LineItemChange(Body):
    note: str | None = None
    description: str | None = None
    price: Decimal | None = None
    date: dt.date | None = None
    quantity: Decimal | None = None
    update_original_record: bool = False


class MatterChange(Body):
    billable: bool | None = None
    client_reference: str | None = None
    close_date: dt.date | None = None
    description: str | None = None
    location: str | None = None
    open_date: dt.date | None = None
    pending_date: dt.date | None = None
    status: Literal["open", "closed", "pending", "Open", "Closed", "Pending"] | None = None
    matter_stage: Ref | None = None
    practice_area: Ref | None = None
    responsible_attorney: Ref | None = None
    originating_attorney: Ref | None = None
    responsible_staff: Ref | None = None
    custom_field_values: list[CustomValue] | None = None


class EmailLine(Body):
    id: int | None = None
    address: str | None = None
    default_email: bool | None = None


class ContactChange(Body):
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    prefix: str | None = None
    title: str | None = None
    email_addresses: list[EmailLine] | None = None


class TaskChange(Body):
    name: str | None = None
    description: str | None = None
    assignee: Party | None = None
    matter: Ref | None = None
    due_at: dt.datetime | dt.date | None = None
    priority: Literal["High", "Normal", "Low"] | None = None
    status: Literal["pending", "in_progress", "in_review", "complete", "draft"] | None = None
    permission: Literal["private", "public"] | None = None
    description_text_type: Literal["plain_text", "rich_text"] | None = None
    notify_completion: bool | None = None
    statute_of_limitations: bool | None = None
    time_estimated: int | None = None


class NewTask(TaskChange):
    name: str = Field(min_length=1)
    description: str
    assignee: Party


class NoteChange(Body):
    subject: str | None = None
    detail: str | None = None
    date: dt.date | None = None
    detail_text_type: Literal["plain_text", "rich_text"] | None = None


class NewNote(NoteChange):
    type: Literal["Matter", "Contact"]
    matter: Ref | None = None
    contact: Ref | None = None


class CommunicationChange(Body):
    subject: str | None = None
    body: str | None = None
    type: Literal["EmailCommunication", "PhoneCommunication"] | None = None
    received_at: dt.datetime | None = None
    matter: Ref | None = None
    senders: list[Party] | None = None
    receivers: list[Party] | None = None
    external_properties: list[Property] | None = None


class NewCommunication(CommunicationChange):
    subject: str
    body: str
    type: Literal["EmailCommunication", "PhoneCommunication"]
    received_at: dt.datetime


class NewBankTransaction(Body):
    amount: Decimal
    bank_account: Ref
    date: dt.date
    client: Ref | None = None
    matter: Ref | None = None
    confirmation: str | None = None
    description: str | None = None
    transaction_type: str | None = None
    source: str | None = None


class Subject(Body):
    id: int
    type: Literal["BankAccount", "Bill", "Contact"]


class NewLink(Body):
    currency: str
    duration: int
    subject: Subject
    destination_account: Ref | None = None
    destination_contact: Ref | None = None
    amount: Decimal | None = None
    description: str | None = None
    email_address: str | None = None
    redirect_url: str | None = None
    is_allocated_as_revenue: bool = False


class LinkChange(Body):
    expired: bool


Event = Literal["created", "updated", "deleted", "matter_opened", "matter_pended", "matter_closed"]


class WebhookChange(Body):
    url: str | None = None
    fields: Annotated[str | None, Field(max_length=1000)] = None
    events: list[Event] | None = None
    expires_at: dt.datetime | None = None


class NewWebhook(WebhookChange):
    url: str
    fields: str = Field(min_length=1, max_length=1000)
    model: Literal[
        "activity",
        "bill",
        "calendar_entry",
        "clio_payments_payment",
        "communication",
        "contact",
        "document",
        "folder",
        "matter",
        "task",
    ]


class CustomActionChange(Body):
    label: str | None = Field(default=None, min_length=1)
    target_url: str | None = None
    ui_reference: Literal["activities/show", "contacts/show", "documents/show", "matters/show"] | None = None


class NewCustomAction(CustomActionChange):
    label: str = Field(min_length=1)
    target_url: str
    ui_reference: Literal["activities/show", "contacts/show", "documents/show", "matters/show"]


class RequestedMatter(Ref):
    trust_amount: int
    note: str | None = None


class NewTrustRequest(Body):
    trust_type: Literal["client", "matter"]
    client_id: int
    issue_date: dt.date
    due_date: dt.date
    approved: bool
    trust_amount: Decimal
    note: str | None = None
    matter: list[RequestedMatter] | None = None
