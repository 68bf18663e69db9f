"""The sandbox's answers against Clio's own document. Where the two differ on purpose, the table says why."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.sandbox.clio.fields import SHAPES
from orchestrator.sandbox.clio.reads import READS
from orchestrator.sandbox.clio.writes import WRITES

DOCUMENT = Path(__file__).parents[3] / "shared" / "reference" / "clio-openapi.json"
pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="Clio's OpenAPI document is not beside this repository")

DEVIATIONS = {
    "null": "Clio answers null for what is not set, though the document declares no field nullable.",
    "redacted": "A hidden contact shows `redacted`, which the API notes describe and the document leaves out.",
    "401": "A bad token is answered in the OAuth shape, where `error` is a word.",
    "link body": "`description` is required only for direct payments and `redirect_url` is taken, as the guide says.",
    "note body": "Only the one of `matter` and `contact` that matches `type` is required, as the field's text says.",
    "activate": "PUT /webhooks/{id}/activate stands in the guide only.",
    "custom actions": "They stand in Clio's reference page; our trimmed copy of the document leaves them out.",
    "webhook url": "Plain http is taken for addresses on this machine: the sandbox has no certificate.",
}

SCHEMA_OF = {
    "activity": "Activity",
    "allocation": "Allocation",
    "bank_account": "BankAccount",
    "bank_transaction": "BankTransaction",
    "bank_transfer": "BankTransfer",
    "bill": "Bill",
    "billable_matter": "BillableMatter",
    "billing_setting": "BillingSetting",
    "link": "ClioPaymentsLink",
    "payment": "ClioPaymentsPayment",
    "communication": "Communication",
    "contact": "Contact",
    "credit_memo": "CreditMemo",
    "custom_field": "CustomField",
    "line_item": "LineItem",
    "matter": "Matter",
    "matter_stage": "MatterStage",
    "note": "Note",
    "outstanding_client_balance": "OutstandingClientBalance",
    "practice_area": "PracticeArea",
    "task": "Task",
    "trust_line_item": "TrustLineItem",
    "user": "User",
    "webhook": "Webhook",
}
LISTS = {
    "/activities": "activity",
    "/allocations": "allocation",
    "/bank_accounts": "bank_account",
    "/bank_transactions": "bank_transaction",
    "/bills": "bill",
    "/billable_matters": "billable_matter",
    "/clio_payments/links": "link",
    "/clio_payments/payments": "payment",
    "/communications": "communication",
    "/contacts": "contact",
    "/credit_memos": "credit_memo",
    "/custom_fields": "custom_field",
    "/line_items": "line_item",
    "/matters": "matter",
    "/matter_stages": "matter_stage",
    "/notes": "note",
    "/outstanding_client_balances": "outstanding_client_balance",
    "/practice_areas": "practice_area",
    "/tasks": "task",
    "/trust_line_items": "trust_line_item",
    "/users": "user",
    "/webhooks": "webhook",
}


@pytest.fixture(scope="module")
def document():
    return json.loads(DOCUMENT.read_text("utf-8"))


def nullable(schema: Any) -> Any:
    """The schema with every property also allowed to be null (deviation "null")."""
    if isinstance(schema, list):
        return [nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: nullable(part) for name, part in schema.items() if name not in {"properties", "type", "enum"}}
    changed |= {name: schema[name] for name in ("type", "enum") if name in schema}
    if isinstance(schema.get("properties"), dict):
        changed["properties"] = {
            name: {"anyOf": [nullable(part), {"type": "null"}]} for name, part in schema["properties"].items()
        }
    return changed


def validator(document, name: str) -> Draft202012Validator:
    components = {"schemas": nullable(document["components"]["schemas"])}
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components})


def everything(kind: str) -> str:
    """A `fields` parameter that asks for all there is, one level deep."""
    shape = SHAPES[kind]
    leads = {**shape.one, **shape.many}
    inner = {name: ",".join(sorted(SHAPES[target].plain)) or "id" for name, target in leads.items()}
    return ",".join([*sorted(shape.plain), *(f"{name}{{{words}}}" for name, words in inner.items())])


def populate(clio):
    """A firm in which every list has something to show."""
    sandbox, matter = clio.sandbox, clio.matter("okafor-lease")
    bill = clio.issued_bill()
    link = clio.link(bill).json()["data"]
    sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    second = clio.issued_bill("northwind-contracts")
    clio.link(second)
    sandbox.act("record_payment", bill_id=second["id"], amount="10.00")
    sandbox.act("credit_bill", id=second["id"], amount="5.00")
    user = {"id": clio.names["users"]["harbor"], "type": "User"}
    sandbox.act("set_custom_field", matter_id=matter, name="Invoice Paid", value=True)
    clio.ask("POST", "/tasks", {"name": "Look", "description": "at it", "assignee": user, "matter": {"id": matter}})
    clio.ask("POST", "/notes", {"type": "Matter", "subject": "s", "detail": "d", "matter": {"id": matter}})
    message = {"subject": "s", "body": "b", "type": "EmailCommunication", "received_at": "2026-03-02T15:00:00Z"}
    properties = [{"name": "k", "value": "v"}]
    extra = {"senders": [user], "matter": {"id": matter}, "external_properties": properties}
    clio.ask("POST", "/communications", {**message, **extra})
    own = [{"id": matter, "trust_amount": 500, "note": "n"}]
    asked = {"trust_type": "matter", "trust_amount": 500, "approved": True, "matter": own}
    days = {"issue_date": "2026-03-02", "due_date": "2026-03-16"}
    clio.ask(
        "POST",
        "/trust_requests",
        {**asked, **days, "client_id": clio.get(f"/matters/{matter}", "client{id}")["client"]["id"]},
    )
    clio.ask("POST", "/webhooks", {"url": "https://hooks.example.test/x", "model": "bill", "fields": "id,state"})


@pytest.mark.parametrize(("path", "kind"), LISTS.items(), ids=LISTS)
def test_a_list_of_everything_validates(clio, document, path, kind):
    populate(clio)
    extra = {"type": "Matter"} if kind == "note" else {}
    answer = clio.ask("GET", path, fields=everything(kind), **extra)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"], f"{path} shows nothing"
    errors = list(validator(document, f"{SCHEMA_OF[kind]}_List").iter_errors(answer.json()))
    assert not errors, errors[0].message


@pytest.mark.parametrize("path", ["/users/who_am_i", "/settings/billing"])
def test_a_single_answer_validates(clio, document, path):
    kind = "user" if "user" in path else "billing_setting"
    answer = clio.ask("GET", path, fields=everything(kind))
    errors = list(validator(document, f"{SCHEMA_OF[kind]}_Show").iter_errors(answer.json()))
    assert not errors, errors[0].message


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_an_error_validates(clio, document, status):
    asked = {
        400: lambda: clio.ask("GET", "/bills", fields="nonsense"),
        404: lambda: clio.ask("GET", "/bills/1"),
        410: lambda: clio.http.get("/api/v4/bills.json", headers={"X-API-VERSION": "3.9"}),
        422: lambda: clio.ask("POST", "/tasks", {"name": "no assignee"}),
    }[status]()
    assert asked.status_code == status
    validator(document, "Error").validate(asked.json())


@pytest.mark.parametrize(("kind", "schema"), SCHEMA_OF.items(), ids=SCHEMA_OF)
def test_the_field_table_is_the_document_s(document, kind, schema):
    schemas = document["components"]["schemas"]
    declared: dict[str, Any] = {}
    for part in schemas[schema].get("allOf", [schemas[schema]]):
        source = schemas[part["$ref"].split("/")[-1]] if "$ref" in part else part
        declared |= source.get("properties", {})
    shape = SHAPES[kind]
    assert {*shape.plain, *shape.one, *shape.many} == set(declared)


def test_every_endpoint_is_in_the_document(document):
    def known(path: str) -> str:
        return re.sub(r"\{[a-z_]+\}", "{id}", path.removesuffix(".json"))

    declared = {(method.upper(), known(path)) for path, verbs in document["paths"].items() for method in verbs}
    served = {place for place in {("GET", path) for path in READS} | set(WRITES) if "custom_actions" not in place[1]}
    assert served <= declared, served - declared


def test_a_bank_transfer_and_a_ledger_line_that_was_written_validate(clio, document):
    accounts = {"source_id": clio.account(), "destination_id": clio.account("trust")}
    moved = clio.sandbox.act("transfer_accounts", amount="5", matter_id=clio.matter("okafor-purchase"), **accounts)
    read = clio.ask("GET", f"/bank_transfers/{moved['id']}", fields=everything("bank_transfer"))
    data = {"amount": 1.5, "bank_account": {"id": clio.account("trust")}, "date": "2026-03-02"}
    written = clio.ask("POST", "/bank_transactions", data, fields=everything("bank_transaction"))
    for answer, schema in ((read, "BankTransfer_Show"), (written, "BankTransaction_Show")):
        assert answer.is_success, answer.text
        errors = list(validator(document, schema).iter_errors(answer.json()))
        assert not errors, errors[0].message
