"""What we ask Clio for, against its own description; and what we make of the odd values it sends."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.clients.clio import schemas
from orchestrator.clients.clio.schemas import (
    ActivityRecord,
    AllocationRecord,
    BankAccountRecord,
    BankLineRecord,
    BillRecord,
    ClientBalanceRecord,
    CommunicationRecord,
    ContactFieldsRecord,
    ContactRecord,
    CreditMemoRecord,
    CustomFieldRecord,
    LinkRecord,
    MatterFieldsRecord,
    MatterRecord,
    NoteRecord,
    OwnedRecord,
    PaymentRecord,
    Record,
    TaskRecord,
    TrustLineRecord,
    UserRecord,
    WebhookRecord,
    WhoAmIRecord,
)
from orchestrator.clients.clio.webhooks import SUBSCRIPTIONS
from orchestrator.domain.bills import BillKind
from orchestrator.domain.contacts import EmailProblem

SPEC = Path(__file__).parents[3] / "shared" / "reference" / "clio-openapi.json"

ASKED = [
    ("Activity", ActivityRecord),
    ("Bill", BillRecord),
    ("Matter", MatterRecord),
    ("Matter", MatterFieldsRecord),
    ("Task", TaskRecord),
    ("Task", Record),
    ("Note", NoteRecord),
    ("Note", Record),
    ("Communication", CommunicationRecord),
    ("Communication", Record),
    ("ClioPaymentsLink", LinkRecord),
    ("ClioPaymentsPayment", PaymentRecord),
    ("Allocation", AllocationRecord),
    ("BankAccount", BankAccountRecord),
    ("BankTransaction", BankLineRecord),
    ("User", UserRecord),
    ("User", WhoAmIRecord),
    ("CustomField", CustomFieldRecord),
    ("Webhook", WebhookRecord),
    ("Contact", ContactFieldsRecord),
    ("OutstandingClientBalance", ClientBalanceRecord),
    ("CreditMemo", CreditMemoRecord),
    ("TrustLineItem", TrustLineRecord),
    ("Activity", OwnedRecord),
]
UNDESCRIBED = {"CustomActionRecord"}
"""Clio's trimmed description has no custom actions: docs/adr/0005."""
MODELS = {"clio_payments_payment": "ClioPaymentsPayment"}


@pytest.fixture(scope="module")
def spec():
    if not SPEC.exists():
        pytest.skip(f"{SPEC} is not there")
    return json.loads(SPEC.read_text())["components"]["schemas"]


def properties(spec, schema):
    """Name → the schema of a nested record or list of records, or None for a plain value."""
    found = {}
    for part in schema.get("allOf", []):
        found |= properties(spec, named(spec, part)[1])
    for name, shape in schema.get("properties", {}).items():
        target = shape.get("items", shape)
        found[name] = named(spec, target)[1] if "$ref" in target else None
    return found


def named(spec, shape):
    name = shape.get("$ref", "").rpartition("/")[2]
    return name, spec[name] if name else shape


def unknown(spec, schema, fields):
    known = properties(spec, schema)
    for name, inner in re.findall(r"(\w+)(?:\{([^}]*)\})?", fields):
        if name not in known:
            yield name
        elif inner:
            yield from (f"{name}.{one}" for one in unknown(spec, known[name] or {}, inner))


@pytest.mark.parametrize(("model", "record"), ASKED, ids=[record.__name__ for _, record in ASKED])
def test_clio_knows_every_field_we_ask_for(spec, model, record):
    assert list(unknown(spec, spec[model], record.fields())) == []


@pytest.mark.parametrize("row", SUBSCRIPTIONS, ids=[row.model for row in SUBSCRIPTIONS])
def test_clio_knows_every_field_we_subscribe_to(spec, row):
    model = MODELS.get(row.model, row.model.capitalize())
    assert list(unknown(spec, spec[model], row.fields)) == []
    assert len(row.fields) <= 1000
    assert row.model in spec["Webhook"]["properties"]["model"]["enum"] if "properties" in spec["Webhook"] else True


def test_every_record_that_is_asked_for_is_checked_here():
    helpers = {"Record", "ContactRecord", "CustomFieldValueRecord", "PaidPartRecord", "PaidByRecord", "PropertyRecord"}
    checked = {record.__name__ for _, record in ASKED}
    assert {name for name in vars(schemas) if name.endswith("Record")} - helpers <= checked | UNDESCRIBED


def test_nested_records_are_asked_for_one_level_deep():
    assert MatterFieldsRecord.fields() == "id,etag,custom_field_values{id,field_name,value,custom_field}"
    assert "redacted" not in MatterRecord.fields()


BILL = {
    "id": 7, "etag": '"e"', "number": "12", "state": "awaiting_payment", "kind": "revenue_kind", "issued_at": "2026-01-05",
    "due_at": None, "total": Decimal("0.30000000000000004"), "paid": Decimal("0.0"), "balance": Decimal("0.3"), "pending": 0,
    "credits_issued": 0, "shared": False, "last_sent_at": None, "available_state_transitions": ["void"], "created_at": "2026-01-05T03:00:00-05:00", "updated_at": "2026-01-05T08:00:00Z",
    "something": "new",
}  # fmt: skip


def test_F41_amounts_are_exact_although_they_came_as_floats():
    bill = BillRecord.model_validate(BILL).to_domain()
    assert (bill.total_cents, bill.balance_cents, bill.open_cents) == (30, 30, 30)
    assert bill.created_at.isoformat() == "2026-01-05T08:00:00+00:00"


@pytest.mark.parametrize("amount", [None, Decimal("1.005"), "abc", [], {}, Decimal("NaN"), Decimal("1e999999")])
def test_F41_an_amount_that_is_none_is_not_zero(amount):
    with pytest.raises(ValidationError):
        BillRecord.model_validate({**BILL, "balance": amount})


@pytest.mark.parametrize("missing", ["state", "etag", "balance", "pending", "updated_at"])
def test_a_missing_field_is_loud(missing):
    with pytest.raises(ValidationError):
        BillRecord.model_validate({name: value for name, value in BILL.items() if name != missing})


def test_an_unheard_of_kind_of_bill_is_another_kind():
    assert BillRecord.model_validate({**BILL, "kind": "summary_kind"}).to_domain().kind is BillKind.OTHER


def test_a_complaint_quotes_nothing():
    with pytest.raises(ValidationError) as error:
        BillRecord.model_validate({**BILL, "client": {"id": "Ada Lovelace"}})
    assert "Lovelace" not in str(error.value)


ENTRY = {
    "id": 1, "etag": "e", "type": "TimeEntry", "date": "2026-01-05", "quantity": Decimal("3600.0"), "price": Decimal("300.0"),
    "total": Decimal("300.0"), "flat_rate": False, "contingency_fee": False, "non_billable": False, "no_charge": False,
    "on_bill": False, "billed": False, "updated_at": "2026-01-05T08:00:00Z", "matter": None, "user": {"id": 3}, "bill": None,
}  # fmt: skip


def test_F41_a_hidden_figure_is_hidden_and_not_zero():
    assert not ActivityRecord.model_validate(ENTRY).to_domain().redacted
    hidden = ActivityRecord.model_validate({**ENTRY, "quantity": None, "total": None, "price": None}).to_domain()
    assert (hidden.quantity_seconds, hidden.total_cents, hidden.price_cents) == (None, None, None)
    assert hidden.redacted


@pytest.mark.parametrize(
    ("contact", "problem"),
    [
        ({"name": "Bo", "primary_email_address": "bo@clients.test"}, None),
        ({"name": "Bo", "primary_email_address": " bo@firm.example "}, None),
        ({"name": "Bo", "primary_email_address": None}, EmailProblem.BLANK),
        ({"name": "Bo"}, EmailProblem.BLANK),
        ({"name": "Bo", "primary_email_address": "  "}, EmailProblem.BLANK),
        ({"name": "Bo", "primary_email_address": "bo@"}, EmailProblem.INVALID),
        ({"name": "Bo", "primary_email_address": "bo@a.example, al@a.example"}, EmailProblem.INVALID),
        ({"name": "Bo", "primary_email_address": "bo@a.example\r\nBcc: x@y.example"}, EmailProblem.INVALID),
        ({"name": "***"}, EmailProblem.REDACTED),
        ({"name": "*** ****", "primary_email_address": "bo@a.example"}, EmailProblem.REDACTED),
        ({"name": "Bo", "redacted": True, "primary_email_address": "bo@a.example"}, EmailProblem.REDACTED),
        ({"name": "Bo", "primary_email_address": "*****"}, EmailProblem.REDACTED),
    ],
)
def test_F41_an_address_is_usable_or_there_is_a_reason(contact, problem):
    client = ContactRecord.model_validate({"id": 1, **contact}).to_domain()
    assert client.email_problem is problem
    assert (client.email is None) == (problem is not None)


def test_the_class_of_an_account_is_never_guessed():
    row = {"id": 1, "name": "Trust", "currency": "USD", "clio_payments_enabled": True, "default_account": False}
    assert BankAccountRecord.model_validate({**row, "type": "Savings"}).to_domain().account_class is None
    assert BankAccountRecord.model_validate({**row, "type": None}).to_domain().account_class is None


def test_allocations_inside_a_payment_belong_to_its_only_bill():
    payment = {
        "id": 1, "state": "completed", "amount": 10, "currency": "USD", "created_at": "2026-01-05T08:00:00Z",
        "updated_at": "2026-01-05T08:00:00Z", "allocations": [{"id": 5, "amount": 10, "voided_at": None}],
    }  # fmt: skip
    for bills, owner in (([{"id": 3}], 3), ([{"id": 3}, {"id": 4}], None), ([], None)):
        (part,) = PaymentRecord.model_validate({**payment, "bills": bills}).to_domain().allocations
        assert part.bill_id == owner
