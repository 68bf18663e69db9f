"""Every request the worker sends, against Clio's own document. Where the two differ on purpose, the table says why."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.sandbox import SandboxHandle, running_sandbox
from orchestrator.usecases.enter_line import enter_line
from tests.firm import START, Firm, open_firm, web
from tests.servers import free_port
from tests.trust import trust_settings

DOCUMENT = Path(__file__).parents[2] / "shared" / "reference" / "clio-openapi.json"
pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="Clio's OpenAPI document is not beside this repository")

DEVIATIONS = {
    "POST /clio_payments/links: 'description' is a required property": (
        "Clio's guide asks for it on direct payments only, and its help forbids it on a bill's link (API notes §1); "
        "a 422 that names it is answered with it, once."
    ),
    "POST /clio_payments/links: 'redirect_url' is not declared": (
        "The guide takes it when a link is made, the document only when one is read; it carries the key by which a link "
        "is found again after a lost answer (ADR 0005)."
    ),
    "POST /notes: 'contact' is a required property": (
        "A note of type Matter has a matter; the field's own text says that only the association of the type is needed."
    ),
}

EXPECTED = {
    "GET /contacts", "GET /credit_memos", "GET /outstanding_client_balances", "GET /activities", "GET /bank_accounts", "GET /bank_transactions", "POST /bank_transactions", "GET /bills", "GET /bills/{id}", "GET /clio_payments/links",
    "GET /clio_payments/links/{id}", "GET /clio_payments/payments", "GET /communications", "GET /custom_fields",
    "GET /matters", "GET /matters/{id}", "GET /notes", "GET /tasks", "GET /users", "GET /users/who_am_i", "GET /webhooks",
    "PATCH /bills/{id}", "PATCH /clio_payments/links/{id}", "PATCH /matters/{id}", "PATCH /webhooks/{id}",
    "POST /clio_payments/links", "POST /communications", "POST /notes", "POST /tasks", "POST /webhooks",
}  # fmt: skip
"""Every call there is, but for the second reading of a payment's shares when it serves several bills."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(json.loads(DOCUMENT.read_text("utf-8")))


@pytest.fixture(scope="module")
def sent(tmp_path_factory) -> list[dict[str, Any]]:
    """All that a firm asks of Clio on its way from time to money, with every answer to a write lost once."""
    port = free_port()
    environment = {
        "public_url": f"http://127.0.0.1:{port}",
        "listen": f"127.0.0.1:{port}",
        "billing": {"submit_drafts": True, "issue_approved": True},
    }
    url = f"sqlite:///{tmp_path_factory.mktemp('openapi')}/firm.sqlite3"
    with (
        running_sandbox("tiny", now=START, frozen=True, rate_limit=100_000) as sandbox,
        open_firm(sandbox, url, environment=environment | trusting(sandbox), subscribed=True) as firm,
        web(firm, port),
    ):
        live(firm)
        firm.check()
        return sandbox.requests()


def trusting(sandbox: SandboxHandle) -> dict[str, Any]:
    """Accounts whose ledgers are read, and one line that is written."""
    return {"trust": trust_settings(sandbox, trust_first=False, ledger_writes=True)}


def live(firm: Firm) -> None:
    hear(firm)
    for write in ("/tasks", "/clio_payments/links", "/notes", "/communications"):
        firm.sandbox.fault(f"POST {write}", "lose_answer")
    for write in ("/matters/{id}", "/bills/{id}"):
        firm.sandbox.fault(f"PATCH {write}", "lose_answer")
    firm.later(minutes=16)
    firm.later(hours=1)
    firm.later(minutes=2)
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    for _ in range(6):
        hear(firm)
        firm.later(minutes=2)
    [link] = firm.links()
    firm.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    for _ in range(3):
        hear(firm)
        firm.later(minutes=2)
    bill = firm.issued_bill()
    hear(firm)
    firm.sandbox.fault("PATCH /clio_payments/links/{id}", "lose_answer")
    firm.sandbox.act("void_bill", id=bill["id"])
    for _ in range(3):
        hear(firm)
        firm.later(minutes=2)
    firm.later(days=16)
    hear(firm)
    firm.sandbox.fault("POST /bank_transactions", "lose_answer")
    enter_line(
        firm.rt, account="iolta", matter_id=firm.matter(), amount_cents=100, on=date(2026, 3, 18), purpose="trust_to_trust",
        reference="T-1", why="interest", by="Ada Quill", dry_run=False,
    )  # fmt: skip
    firm.later(minutes=2)
    firm.later(minutes=2)
    firm.issued_bill(due_at="2026-03-05")
    hear(firm)
    firm.later(minutes=2)
    firm.later(days=1)
    firm.later(minutes=2)


def hear(firm: Firm) -> None:
    for _ in range(10):
        if not firm.sandbox.settle() + firm.work():
            return


def operation(document: dict[str, Any], one: dict[str, Any]) -> dict[str, Any] | None:
    path = document["paths"].get(f"{one['path']}.json", {})
    found = path.get(one["method"].lower())
    return dict(found) if found else None


def told(document: dict[str, Any], problems: list[str], one: dict[str, Any]) -> list[str]:
    name = f"{one['method']} {one['path']}"
    return [f"{name}: {problem}" for problem in problems]


def test_the_journey_makes_every_call_there_is(sent):
    made = {f"{one['method']} {one['path']}" for one in sent}
    assert made == EXPECTED


def test_every_call_is_declared(sent, document):
    assert {f"{one['method']} {one['path']}" for one in sent if operation(document, one) is None} == set()


def test_every_query_parameter_is_declared(sent, document):
    unknown = set()
    for one in sent:
        declared = {
            parameter["name"] for parameter in operation(document, one)["parameters"] if parameter["in"] == "query"
        }
        unknown |= {f"{one['method']} {one['path']}: {name}" for name, _ in one["params"] if name not in declared}
    assert unknown == set()


def test_every_query_parameter_has_a_value_of_its_type(sent, document):
    wrong = set()
    for one in sent:
        schemas = {
            parameter["name"]: parameter["schema"]
            for parameter in operation(document, one)["parameters"]
            if parameter["in"] == "query"
        }
        for name, text in one["params"]:
            schema = resolved(document, schemas[name])
            if schema.get("type") == "array":
                schema = resolved(document, schema["items"])
            value = {"integer": int, "boolean": lambda said: {"true": True, "false": False}[said]}.get(
                schema.get("type"), str
            )
            if list(Draft202012Validator(schema).iter_errors(value(text))):
                wrong.add(f"{one['method']} {one['path']}: {name}={text}")
    assert wrong == set()


def test_every_field_asked_for_exists_where_it_is_asked_for(sent, document):
    unknown = set()
    for one in sent:
        wanted = dict(one["params"]).get("fields")
        if wanted is None:
            continue
        answers = operation(document, one)["responses"]
        answer = next(answers[status] for status in ("200", "201") if status in answers)
        [content] = answer["content"].values()
        data = properties(document, content["schema"])["data"]
        unknown |= {f"{one['method']} {one['path']}: {name}" for name in missing(document, data, wanted)}
    assert unknown == set()


def test_every_body_is_what_the_document_describes(sent, document):
    """Required properties are there, types fit, and nothing is sent that is not declared, but for what the table allows."""
    problems: set[str] = set()
    bodies = 0
    for one in (one for one in sent if one["body"]):
        bodies += 1
        [content] = operation(document, one)["requestBody"]["content"].values()
        schema = strict(inlined(document, content["schema"]))
        found = [error.message for error in Draft202012Validator(schema).iter_errors(json.loads(one["body"]))]
        problems |= set(told(document, [declared(message) for message in found], one))
    assert bodies > 10
    assert problems == set(DEVIATIONS)


def test_a_body_that_is_wrong_would_be_noticed(document):
    """The check itself: a misspelt property, a missing one, and a wrong type."""
    task = operation(document, {"method": "POST", "path": "/tasks"})
    [content] = task["requestBody"]["content"].values()
    check = Draft202012Validator(strict(inlined(document, content["schema"])))
    good = {"name": "x", "description": "y", "assignee": {"id": 1, "type": "User"}}
    assert not list(check.iter_errors({"data": good}))
    for wrong in ({**good, "asignee": 1}, {"name": "x"}, {**good, "assignee": {"id": "one", "type": "User"}}):
        assert list(check.iter_errors({"data": wrong}))


# ── reading the document ──


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def properties(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What an object, or the objects of a list, may hold."""
    schema = resolved(document, schema)
    if schema.get("type") == "array":
        return properties(document, schema["items"])
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        found |= properties(document, part)
    return found


def missing(document: dict[str, Any], schema: dict[str, Any], wanted: str) -> list[str]:
    """Names in a `fields` list that the schema does not know."""
    known = properties(document, schema)
    unknown = []
    for name, inner in split(wanted):
        if name not in known:
            unknown.append(name)
        elif inner:
            unknown += [f"{name}{{{part}}}" for part in missing(document, known[name], inner)]
    return unknown


def split(wanted: str) -> list[tuple[str, str]]:
    """`id,client{id,name}` → `(id, ""), (client, "id,name")`."""
    assert wanted.count("{") == wanted.count("}")
    return re.findall(r"(\w+)(?:\{((?:[^{}]|\{[^{}]*\})*)\})?", wanted)


def inlined(document: dict[str, Any], schema: Any) -> Any:
    if isinstance(schema, list):
        return [inlined(document, part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = resolved(document, schema) if "$ref" in schema else schema
    return {name: inlined(document, part) for name, part in schema.items()}


def strict(schema: Any) -> Any:
    """The schema with every object closed to what it does not declare."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


def declared(message: str) -> str:
    """One wording for a property that is not declared."""
    extra = re.search(r"\('(\w+)' was unexpected\)", message)
    return f"'{extra[1]}' is not declared" if extra else message
