"""What we read of Clio: one class per record, whose attributes are also the `fields` we ask for, so the two cannot drift.

Unknown fields pass; missing ones fail loudly. Null money means "not visible to our user", never zero (API notes §3).
Clio's own words end here: everything above sees the domain.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, get_args

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from orchestrator.domain.accounts import AccountClass, BankAccount, Connection
from orchestrator.domain.activities import Activity
from orchestrator.domain.bills import Bill, BillKind, BillState
from orchestrator.domain.contacts import Client, ClientBalance, Contact, EmailProblem, User
from orchestrator.domain.custom_actions import CustomAction
from orchestrator.domain.evergreen import TrustLine
from orchestrator.domain.links import RemoteLink
from orchestrator.domain.matters import BillingMethod, Matter, MatterStatus
from orchestrator.domain.money import cents
from orchestrator.domain.payments import Allocation, CreditMemo, Payment, PaymentState
from orchestrator.domain.tasks import RemoteTask
from orchestrator.domain.trust import BankLine
from orchestrator.domain.webhooks import RemoteWebhook
from orchestrator.errors import Rejected


def _exact(amount: Any) -> int:
    try:
        return cents(amount)
    except (ArithmeticError, TypeError, Rejected):
        raise ValueError("not an exact amount of money") from None


def _account_class(said: Any) -> AccountClass | None:
    try:
        return AccountClass(said)
    except ValueError:
        return None


Cents = Annotated[int, BeforeValidator(_exact)]
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class Schema(BaseModel):
    """A record of Clio; errors never quote what was received, which may name a client."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    @classmethod
    def fields(cls) -> str:
        """The `fields` parameter for this record: nested records one level deep, deeper ones by their defaults."""
        return ",".join(cls.asked(depth=0))

    @classmethod
    def asked(cls, depth: int) -> list[str]:
        """One name per field, those of nested records in braces at depth 0 only: Clio refuses a second level."""
        names = []
        for attribute, field in cls.model_fields.items():
            if UNASKED in field.metadata:
                continue
            name, nested = field.alias or attribute, _nested(field.annotation)
            names.append(name if nested is None or depth else f"{name}{{{','.join(nested.asked(1))}}}")
        return names


UNASKED = "unasked"
"""Marks what Clio adds by itself but does not know as a field: asking for it would fail the whole request."""


def _nested(annotation: Any) -> type[Schema] | None:
    if isinstance(annotation, type) and issubclass(annotation, Schema):
        return annotation
    return next(filter(None, map(_nested, get_args(annotation))), None)


class Ref(Schema):
    id: int


class Named(Ref):
    name: str | None = None


class Coded(Schema):
    code: str | None = None


class Record(Ref):
    etag: str


class ContactRecord(Ref):
    """A contact as client; hidden ones keep only id, a name of asterisks, and the flag `redacted` (API notes §9)."""

    name: str
    primary_email_address: str | None = None
    redacted: Annotated[bool, UNASKED] = False

    def to_domain(self) -> Client:
        email, problem = self._email()
        return Client(self.id, self.name, email, problem)

    def _email(self) -> tuple[str | None, EmailProblem | None]:
        said = (self.primary_email_address or "").strip()
        if self.redacted or (self.name and not self.name.replace(" ", "").strip("*")) or said.startswith("***"):
            return None, EmailProblem.REDACTED
        if not said:
            return None, EmailProblem.BLANK
        try:
            validate_email(said, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            return None, EmailProblem.INVALID
        return said, None


class ActivityRecord(Record):
    type: str
    date: date
    quantity: Decimal | None
    price: Cents | None
    total: Cents | None
    flat_rate: bool | None
    contingency_fee: bool | None
    non_billable: bool
    no_charge: bool
    on_bill: bool
    billed: bool
    updated_at: Moment
    matter: Ref | None = None
    user: Ref | None = None
    bill: Ref | None = None

    def to_domain(self) -> Activity:
        return Activity(
            id=self.id,
            etag=self.etag,
            type=self.type,
            worked_on=self.date,
            quantity_seconds=self.quantity,
            price_cents=self.price,
            total_cents=self.total,
            flat_rate=bool(self.flat_rate),
            contingency_fee=bool(self.contingency_fee),
            non_billable=self.non_billable,
            no_charge=self.no_charge,
            on_bill=self.on_bill,
            billed=self.billed,
            matter_id=_id(self.matter),
            user_id=_id(self.user),
            bill_id=_id(self.bill),
            updated_at=self.updated_at,
        )


class BillRecord(Record):
    number: str
    state: BillState
    kind: str
    issued_at: date | None
    due_at: date | None
    total: Cents
    paid: Cents
    balance: Cents
    pending: Cents
    credits_issued: Cents | None
    shared: bool | None
    last_sent_at: str | None
    available_state_transitions: list[str] = Field(default_factory=list)
    created_at: Moment
    updated_at: Moment
    currency: Coded | None = None
    client: ContactRecord | None = None
    matters: list[Ref] = Field(default_factory=list)

    def to_domain(self) -> Bill:
        return Bill(
            id=self.id,
            etag=self.etag,
            number=self.number,
            state=self.state,
            kind=BillKind(self.kind) if self.kind in set(BillKind) else BillKind.OTHER,
            issued_on=self.issued_at,
            due_on=self.due_at,
            total_cents=self.total,
            paid_cents=self.paid,
            balance_cents=self.balance,
            pending_cents=self.pending,
            currency=None if self.currency is None else self.currency.code,
            client=None if self.client is None else self.client.to_domain(),
            matter_ids=_ids(self.matters),
            next_states=frozenset(self.available_state_transitions),
            created_at=self.created_at,
            updated_at=self.updated_at,
            credited_cents=self.credits_issued or 0,
            sent_by_clio=bool(self.shared or self.last_sent_at),
        )


class CustomFieldValueRecord(Schema):
    """One filled custom field; Clio's id is text such as `text_line-12`, and `value` text whatever the field's type."""

    id: str
    field_name: str
    value: Annotated[str | None, BeforeValidator(lambda value: None if value is None else str(value))] = None
    custom_field: Ref | None = None


class MatterRecord(Record):
    display_number: str
    status: MatterStatus
    billable: bool
    billing_method: BillingMethod
    close_date: date | None
    updated_at: Moment
    client: ContactRecord | None = None
    responsible_attorney: Ref | None = None
    practice_area: Named | None = None
    matter_stage: Named | None = None
    currency: Coded | None = None
    custom_field_values: list[CustomFieldValueRecord] = Field(default_factory=list)
    custom_number: str | None = None
    client_reference: str | None = None

    def to_domain(self) -> Matter:
        return Matter(
            id=self.id,
            etag=self.etag,
            display_number=self.display_number,
            status=self.status,
            billable=self.billable,
            billing_method=self.billing_method,
            client=None if self.client is None else self.client.to_domain(),
            responsible_attorney_id=_id(self.responsible_attorney),
            practice_area=None if self.practice_area is None else self.practice_area.name,
            stage=None if self.matter_stage is None else self.matter_stage.name,
            closed_on=self.close_date,
            updated_at=self.updated_at,
            currency=None if self.currency is None else self.currency.code,
            custom_fields=_said(self.custom_field_values),
            custom_number=self.custom_number,
            client_reference=self.client_reference,
        )


class ContactFieldsRecord(Record):
    """A contact for what it says about reminders; its name and address come with its bills."""

    updated_at: Moment
    custom_field_values: list[CustomFieldValueRecord] = Field(default_factory=list)

    def to_domain(self) -> Contact:
        return Contact(self.id, self.updated_at, _said(self.custom_field_values))


class ClientBalanceRecord(Ref):
    reminders_enabled: bool | None
    contact: Ref

    def to_domain(self) -> ClientBalance:
        return ClientBalance(self.contact.id, bool(self.reminders_enabled))


class MatterFieldsRecord(Record):
    custom_field_values: list[CustomFieldValueRecord] = Field(default_factory=list)


class CustomFieldRecord(Ref):
    name: str
    field_type: str = ""
    deleted: bool = False


class TaskRecord(Record):
    name: str
    status: str
    completed_at: Moment | None
    updated_at: Moment
    matter: Ref | None = None
    assignee: Ref | None = None

    def to_domain(self) -> RemoteTask:
        return RemoteTask(
            id=self.id,
            etag=self.etag,
            name=self.name,
            complete=self.status == "complete",
            completed_at=self.completed_at,
            matter_id=_id(self.matter),
            assignee_id=_id(self.assignee),
            updated_at=self.updated_at,
        )


class LinkRecord(Record):
    active: bool
    amount: Cents | None
    currency: str
    url: str | None
    redirect_url: str | None
    created_at: Moment
    expires_at: Moment | None
    bill: Ref | None = None
    contact: Ref | None = None
    clio_payments_payment: Ref | None = None

    def to_domain(self) -> RemoteLink:
        return RemoteLink(
            id=self.id,
            etag=self.etag,
            active=self.active,
            amount_cents=self.amount,
            currency=self.currency,
            url=self.url,
            redirect_url=self.redirect_url,
            bill_id=_id(self.bill),
            payment_id=_id(self.clio_payments_payment),
            created_at=self.created_at,
            expires_at=self.expires_at,
            contact_id=_id(self.contact) if self.bill is None else None,
        )


class PaidPartRecord(Ref):
    """An allocation inside a payment, where Clio does not say of which bill it is."""

    amount: Cents
    voided_at: Moment | None


class AllocationRecord(PaidPartRecord):
    bill: Ref | None = None

    def to_domain(self) -> Allocation:
        return Allocation(self.id, _id(self.bill), self.amount, self.voided_at)


class CreditMemoRecord(Ref):
    amount: Cents
    voided_at: Moment | None
    updated_at: Moment
    contact: Ref | None = None
    allocations: list[PaidPartRecord] = Field(default_factory=list)

    def to_domain(self) -> CreditMemo:
        applied = sum(part.amount for part in self.allocations if part.voided_at is None)
        left = 0 if self.voided_at is not None else max(0, self.amount - applied)
        return CreditMemo(self.id, _id(self.contact), left, self.updated_at)


class PaymentRecord(Ref):
    state: PaymentState
    amount: Cents
    currency: str
    created_at: Moment
    updated_at: Moment
    clio_payments_link: Ref | None = None
    destination_account: Ref | None = None
    bank_transaction: Ref | None = None
    bills: list[Ref] = Field(default_factory=list)
    matters: list[Ref] = Field(default_factory=list)
    allocations: list[PaidPartRecord] = Field(default_factory=list)

    def to_domain(self) -> Payment:
        only = self.bills[0].id if len(self.bills) == 1 else None
        return Payment(
            id=self.id,
            state=self.state,
            amount_cents=self.amount,
            currency=self.currency,
            link_id=_id(self.clio_payments_link),
            bill_ids=_ids(self.bills),
            matter_ids=_ids(self.matters),
            account_id=_id(self.destination_account),
            line_id=_id(self.bank_transaction),
            created_at=self.created_at,
            updated_at=self.updated_at,
            allocations=tuple(Allocation(part.id, only, part.amount, part.voided_at) for part in self.allocations),
        )


class BankAccountRecord(Ref):
    name: str
    type: Annotated[AccountClass | None, PlainValidator(_account_class)]
    currency: str | None
    clio_payments_enabled: bool
    default_account: bool

    def to_domain(self) -> BankAccount:
        return BankAccount(
            self.id, self.name, self.type, self.currency, self.clio_payments_enabled, self.default_account
        )


class PaidByRecord(Ref):
    """An allocation inside a ledger line: whether it was paid by card decides how soon it is certain (T13)."""

    payment_type: str | None = None


class BankLineRecord(Record):
    """A line of a bank ledger. `source`, `type` and `transaction_type` are undocumented, and so nothing is read from them."""

    amount: Cents
    currency: str | None
    date: date
    description: str | None
    confirmation: str | None
    clio_payments_transaction: bool
    created_at: Moment
    updated_at: Moment
    bank_account: Ref
    client: Ref | None = None
    matter: Ref | None = None
    bill: Ref | None = None
    allocation: PaidByRecord | None = None

    def to_domain(self) -> BankLine:
        return BankLine(
            id=self.id,
            etag=self.etag,
            account_id=self.bank_account.id,
            amount_cents=self.amount,
            currency=self.currency,
            on=self.date,
            client_id=_id(self.client),
            matter_id=_id(self.matter),
            bill_id=_id(self.bill),
            allocation_id=_id(self.allocation),
            payment_type=None if self.allocation is None else self.allocation.payment_type,
            description=self.description or "",
            confirmation=self.confirmation or "",
            online=self.clio_payments_transaction,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class UserRecord(Ref):
    name: str
    enabled: bool

    def to_domain(self) -> User:
        return User(self.id, self.name, self.enabled)


class WhoAmIRecord(Ref):
    name: str
    time_zone: str | None = None
    account: Named

    def to_domain(self) -> Connection:
        return Connection(self.id, self.name, self.account.id, self.account.name or "", self.time_zone)


class CustomActionRecord(Record):
    label: str
    target_url: str
    ui_reference: str

    def to_domain(self) -> CustomAction:
        return CustomAction(self.id, self.etag, self.label, self.target_url, self.ui_reference)


class TrustLineRecord(Ref):
    note: str | None = None
    total: Cents
    bill: Ref | None = None
    matter: Ref | None = None

    def to_domain(self) -> TrustLine:
        return TrustLine(_id(self.bill), _id(self.matter), self.note or "", self.total)


class OwnedRecord(Ref):
    matter: Ref | None = None


class NoteRecord(Ref):
    subject: str | None = None
    detail: str | None = None


class PropertyRecord(Schema):
    name: str
    value: str | None = None


class CommunicationRecord(Ref):
    external_properties: list[PropertyRecord] = Field(default_factory=list)


class WebhookRecord(Record):
    url: str
    model: str
    status: str
    events: list[str]
    # Named otherwise than Clio's field, because a class attribute `fields` is what asks for them.
    watched: str = Field(alias="fields")
    expires_at: Moment | None
    shared_secret: str | None = None

    def to_domain(self) -> RemoteWebhook:
        return RemoteWebhook(
            id=self.id,
            etag=self.etag,
            url=self.url,
            model=self.model,
            status=self.status,
            events=frozenset(self.events),
            fields=self.watched,
            expires_at=self.expires_at,
            shared_secret=self.shared_secret,
        )


def _said(values: Sequence[CustomFieldValueRecord]) -> dict[str, str]:
    """The filled custom fields by name."""
    return {one.field_name: one.value for one in values if one.value is not None}


def _id(ref: Ref | None) -> int | None:
    return None if ref is None else ref.id


def _ids(refs: Sequence[Ref]) -> tuple[int, ...]:
    return tuple(ref.id for ref in refs)


def rfc3339(moment: datetime) -> str:
    """A moment as Clio takes it: UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
