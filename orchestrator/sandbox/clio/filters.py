"""Which records a list shows: one table of query parameters per kind. A parameter not in it changes nothing."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from orchestrator.sandbox.clock import moment_of
from orchestrator.sandbox.refusal import Refusal

Test = Callable[[Any], bool]
Filter = Callable[[str], Test]


def _moment(text: str) -> datetime:
    try:
        return moment_of(text)
    except ValueError:
        raise Refusal(400, f"{text} is not a date or time.") from None


def _day(text: str) -> date:
    return _moment(text).date()


def since(name: str) -> Filter:
    """At or after the moment, in whole seconds, which is all that Clio tells."""

    def build(text: str) -> Test:
        moment = _moment(text)
        return lambda row: getattr(row, name).replace(microsecond=0) >= moment

    return build


def from_day(name: str) -> Filter:
    def build(text: str) -> Test:
        day = _day(text)
        return lambda row: getattr(row, name) is not None and getattr(row, name) >= day

    return build


def to_day(name: str) -> Filter:
    def build(text: str) -> Test:
        day = _day(text)
        return lambda row: getattr(row, name) is not None and getattr(row, name) <= day

    return build


def same(name: str) -> Filter:
    """The value, letter case aside."""
    return lambda text: lambda row: str(getattr(row, name)).lower() == text.lower()


def one_of(name: str, **meanings: object) -> Filter:
    """Like `same`, for parameters whose words differ from the field's; an unknown word is refused."""

    def build(text: str) -> Test:
        if text not in meanings:
            raise Refusal(400, f"{text} is not one of {', '.join(meanings)}.")
        return lambda row: getattr(row, name) == meanings[text]

    return build


def flag(name: str) -> Filter:
    return lambda text: lambda row: bool(getattr(row, name)) == (text.lower() == "true")


def of(name: str) -> Filter:
    """The record that `name` leads to has this id."""

    def build(text: str) -> Test:
        ident = _number(text)
        return lambda row: getattr(getattr(row, name), "id", None) == ident

    return build


def among(name: str) -> Filter:
    """One of the records that `name` leads to has this id."""

    def build(text: str) -> Test:
        ident = _number(text)
        return lambda row: any(item.id == ident for item in getattr(row, name))

    return build


def words_in(*names: str) -> Filter:
    """The text occurs in one of the fields, letter case aside."""
    return lambda text: lambda row: any(text.lower() in str(getattr(row, name) or "").lower() for name in names)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refusal(400, f"{text} is not an id.") from None


def _by_status(tests: dict[str, Test]) -> Filter:
    def build(text: str) -> Test:
        if text not in tests:
            raise Refusal(400, f"{text} is not one of {', '.join(tests)}.")
        return tests[text]

    return build


def _property(part: str) -> Filter:
    return lambda text: lambda row: any(item[part] == text for item in row.external_properties)


COMMON: dict[str, Filter] = {"created_since": since("created_at"), "updated_since": since("updated_at")}

FILTERS: dict[str, dict[str, Filter]] = {
    "activity": {
        "matter_id": of("matter"),
        "user_id": of("user"),
        "type": same("type"),
        "flat_rate": flag("flat_rate"),
        "start_date": from_day("date"),
        "end_date": to_day("date"),
        "query": words_in("note"),
        "status": _by_status(
            {
                "draft": lambda row: row.on_bill and not row.billed,
                "unbilled": lambda row: row.bill is None and not row.non_billable,
                "billed": lambda row: row.billed,
                "billable": lambda row: not row.non_billable,
                "non_billable": lambda row: row.non_billable,
                "written_off": lambda _: False,
            }
        ),
    },
    "allocation": {
        "bill_id": of("bill"),
        "matter_id": of("matter"),
        "contact_id": of("contact"),
        "status": _by_status(
            {"valid": lambda row: row.voided_at is None, "invalid": lambda row: row.voided_at is not None}
        ),
    },
    "bank_account": {
        "type": one_of("type", OperatingAccount="Operating", TrustAccount="Trust"),
        "status": one_of("closed", opened=False, closed=True),
        "user_id": of("user"),
    },
    "bank_transaction": {
        "bank_account_id": of("bank_account"),
        "client_id": of("client"),
        "matter_id": of("matter"),
        "type": same("type"),
    },
    "bill": {
        "state": same("state"),
        "type": one_of("kind", revenue="revenue_kind", trust="trust_kind"),
        "client_id": of("client"),
        "matter_id": among("matters"),
        "bill_number": same("number"),
        "query": same("number"),
        "due_after": from_day("due_at"),
        "due_before": to_day("due_at"),
        "issued_after": from_day("issued_at"),
        "issued_before": to_day("issued_at"),
    },
    "link": {"active": flag("active")},
    "payment": {"bill_id": among("bills"), "contact_id": of("contact"), "state": same("state")},
    "communication": {
        "matter_id": of("matter"),
        "user_id": of("user"),
        "type": same("type"),
        "query": words_in("subject", "body"),
        "external_property_name": _property("name"),
        "external_property_value": _property("value"),
        "received_since": since("received_at"),
    },
    "contact": {
        "type": same("type"),
        "client_only": lambda text: lambda row: text != "true" or row.is_client,
        "query": words_in("name", "primary_email_address"),
        "email_only": lambda text: lambda row: text != "true" or bool(row.primary_email_address),
    },
    "credit_memo": {"contact_id": of("contact")},
    "custom_field": {
        "parent_type": same("parent_type"),
        "field_type": same("field_type"),
        "deleted": flag("deleted"),
        "query": words_in("name"),
    },
    "line_item": {
        "bill_id": of("bill"),
        "matter_id": of("matter"),
        "activity_id": of("activity"),
        "kind": same("kind"),
    },
    "matter": {
        "status": same("status"),
        "client_id": of("client"),
        "billable": flag("billable"),
        "practice_area_id": of("practice_area"),
        "responsible_attorney_id": of("responsible_attorney"),
        "originating_attorney_id": of("originating_attorney"),
        "responsible_staff_id": of("responsible_staff"),
        "query": words_in("display_number", "custom_number", "client_reference", "description"),
    },
    "matter_stage": {"practice_area_id": of("practice_area")},
    "note": {
        "type": same("type"),
        "matter_id": of("matter"),
        "contact_id": of("contact"),
        "query": words_in("subject", "detail"),
    },
    "practice_area": {"code": same("code"), "name": same("name")},
    "task": {
        "matter_id": of("matter"),
        "status": same("status"),
        "priority": same("priority"),
        "permission": same("permission"),
        "assigner_id": of("assigner"),
        "assignee_id": lambda text: lambda row: str(row.assignee["id"]) == text,
        "complete": lambda text: lambda row: (row.status == "complete") == (text == "true"),
        "query": words_in("name", "description"),
        "due_at_from": from_day("due_at"),
        "due_at_to": to_day("due_at"),
    },
    "user": {
        "enabled": flag("enabled"),
        "name": words_in("name"),
        "subscription_type": same("subscription_type"),
        "role": lambda text: lambda row: text in [role.lower() for role in row.roles],
    },
    "webhook": {},
    "custom_action": {},
    "trust_line_item": {"bill_id": of("bill"), "matter_id": of("matter")},
}

REQUIRED = {"note": ("type",)}
MOST_IDS = 200


def tests(kind: str, params: Iterable[tuple[str, str]], today: date) -> list[Test]:
    """The tests a record must pass to be listed; `today` decides what is overdue."""
    params = list(params)
    known = {**COMMON, **FILTERS[kind]}
    names = {name for name, _ in params}
    for name in REQUIRED.get(kind, ()):
        if name not in names:
            raise Refusal(400, f"{name} is required.")
    found = [known[name](value) for name, value in params if name in known]
    found += _ids(params)
    if kind == "bill" and (("overdue_only", "true") in params or ("status", "overdue") in params):
        found.append(lambda row: row.state == "awaiting_payment" and row.due_at is not None and row.due_at < today)
    statuses = {value for name, value in params if name == "statuses[]"}
    if kind == "task" and statuses:
        found.append(lambda row: row.status in statuses)
    return found


def _ids(params: list[tuple[str, str]]) -> list[Test]:
    wanted = {_number(part) for name, value in params if name == "ids[]" for part in value.split(",")}
    if len(wanted) > MOST_IDS:
        raise Refusal(400, f"ids[] takes at most {MOST_IDS} ids.")
    return [lambda row: row.id in wanted] if wanted or any(name == "ids[]" for name, _ in params) else []
