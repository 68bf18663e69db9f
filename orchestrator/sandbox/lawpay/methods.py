"""One-time tokens and the documented test numbers. Only masked numbers are kept."""

from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.refusals import Declined, invalid
from orchestrator.sandbox.lawpay.things import Facts

CARDS = {
    "4242424242424242": "VISA",
    "4012888888881881": "VISA",
    "5105105105105100": "MASTERCARD",
    "5499740000000057": "MASTERCARD",
    "378282246310005": "AMERICAN_EXPRESS",
    "6011111111111117": "DISCOVER",
}
CARD_REFUSALS = {
    "4000000000000002": "card_declined",
    "4000000000000044": "card_declined_insufficient_funds",
    "4000000000000051": "card_declined_limit_exceeded",
    "4000000000000069": "card_expired",
    "4000000000000119": "card_declined_processing_error",
    "4000000000000127": "card_declined_hold",
    "4000000000000135": "card_type_not_accepted",
}
ROUTINGS = frozenset({"000000013", "000000000"})
BANK_REFUSALS = {
    "1000000001": "ach_declined",
    "1000000002": "ach_declined_hold",
    "1000000003": "ach_declined_duplicate",
    "1000000004": "ach_invalid_account_number",
    "1000000005": "ach_insufficient_funds",
    "1000000006": "ach_account_not_found",
    "1000000007": "ach_account_closed",
    "1000000008": "ach_account_frozen",
    "1000000009": "ach_limit_exceeded",
}


def card(name: str = "", email: str = "") -> Facts:
    """What the gateway shows of a card that always succeeds."""
    return shown_card("4242424242424242") | _who({"name": name, "email": email})


def bank(name: str = "", email: str = "") -> Facts:
    """What the gateway shows of a bank account that always succeeds."""
    return shown_bank("000000013", "1234567890") | _who({"name": name, "email": email})


def shown_card(number: str) -> Facts:
    masked = "*" * (len(number) - 4) + number[-4:]
    return {"type": "card", "number": masked, "card_type": CARDS.get(number, "VISA"), "exp_month": 12, "exp_year": 2031}


def shown_bank(routing: str, account: str) -> Facts:
    return {
        "type": "bank",
        "routing_number": f"*****{routing[-4:]}",
        "account_number": "*" * max(len(account) - 4, 0) + account[-4:],
        "account_type": "CHECKING",
        "bank_name": "Test Bank",
    }


def tokenise(gateway: Gateway, facts: Facts) -> Facts:
    """Keep a card or bank account for one use; what a later charge with it will meet is known here already."""
    number = str(facts.get("number", "")).replace(" ", "")
    routing, account = str(facts.get("routing_number", "")), str(facts.get("account_number", ""))
    if number:
        if number not in CARDS and number not in CARD_REFUSALS:
            raise Declined(422, "card_number_incorrect", context="number")
        shown, decline = shown_card(number), CARD_REFUSALS.get(number, "")
    elif routing:
        if routing not in ROUTINGS:
            raise Declined(422, "ach_invalid_routing_number", context="routing_number")
        shown, decline = shown_bank(routing, account), BANK_REFUSALS.get(account, "")
    else:
        raise Declined(422, "no_payment_method")
    ident = gateway.opaque()
    gateway.tokens[ident] = {"method": shown | _who(facts), "decline": decline}
    return {"id": ident, **shown}


def consumed(gateway: Gateway, named: object) -> tuple[Facts, str]:
    """The method a token stands for, and how it will be declined; the token is then used up."""
    if isinstance(named, dict):
        raise Declined(422, "unavailable_for_merchant_policy", context="method")
    if not named:
        raise invalid("method", "not_null")
    kept = gateway.tokens.pop(str(named), None)
    if kept is None:
        raise Declined(404, "resource_not_found", context="method")
    return kept["method"], kept["decline"]


def _who(facts: Facts) -> Facts:
    return {name: str(facts[name]) for name in ("name", "email", "phone", "postal_code") if facts.get(name)}
