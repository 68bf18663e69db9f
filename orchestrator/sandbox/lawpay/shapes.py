"""How the gateway writes its things. Two ways of writing a moment, because its own documents show both."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.sandbox.lawpay.things import Account, Event, Facts, Transaction

EASTERN = ZoneInfo("America/New_York")
Write = Callable[[datetime], str]


def zulu(moment: datetime) -> str:
    """Milliseconds and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def offset(moment: datetime) -> str:
    """Milliseconds and an offset, as the search example has it."""
    return moment.astimezone(EASTERN).isoformat(timespec="milliseconds")


def transaction(one: Transaction, *, refunds: bool = False, write: Write = zulu) -> Facts:
    """A transaction; `refunds` only when it is read by its id."""
    facts: Facts = {
        "id": one.id,
        "type": one.type,
        "account_id": one.account.id,
        "status": one.status,
        "amount": one.amount,
        "currency": one.currency,
        "created": write(one.created),
        "modified": write(one.modified),
        "method": one.method,
        "messages": [],
    }
    told: Facts = {
        "reference": one.reference,
        "data": one.data,
        "failure_code": one.failure_code,
        "capture_reference": one.capture_reference,
        "void_reference": one.void_reference,
        "authorization_code": one.authorization_code,
        "charge_id": one.charge.id if one.charge else "",
    }
    facts |= {name: value for name, value in told.items() if value}
    if one.type == "CHARGE":
        facts |= {"auto_capture": one.auto_capture, "amount_refunded": one.amount_refunded}
        if refunds:
            facts["refunds"] = [transaction(refund) for refund in one.refunds]
    return facts


def event(one: Event) -> Facts:
    return {"id": one.id, "created": zulu(one.created), "type": one.type, "data": one.data}


def account(one: Account) -> Facts:
    """`trust_account` is left out when the gateway does not know."""
    facts: Facts = {
        "id": one.id,
        "created": zulu(one.created),
        "modified": zulu(one.created),
        "name": one.name,
        "status": one.status,
        "primary": one.primary,
        "currency": one.currency,
        "required_payment_fields": "",
        "recurring_charges_enabled": False,
    }
    if one.trust is not None:
        facts["trust_account"] = one.trust
    own: dict[str, Facts] = {
        "card": {
            "type": "MerchantAccount",
            "accepted_card_types": ["VISA", "MASTERCARD", "AMERICAN_EXPRESS", "DISCOVER"],
            "cvv_policy": "OPTIONAL",
            "avs_policy": "LENIENT",
        },
        "bank": {
            "type": "AchAccount",
            "routing_number": one.routing_number,
            "account_number": one.account_number,
            "account_type": "CHECKING",
            "bank_name": "First Harbor Bank",
        },
    }
    return facts | own[one.kind]


def listed(rows: list[Any], *, page: int, size: int, total: int) -> Facts:
    return {"page": page, "page_size": size, "total_entries": total, "results": rows}
