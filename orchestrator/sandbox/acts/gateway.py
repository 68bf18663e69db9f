"""The client and the firm at LawPay: pages paid, money sent back, an eCheck that the payer's bank returns."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from orchestrator.sandbox.acts.facts import Parties
from orchestrator.sandbox.firm.things import Facts
from orchestrator.sandbox.lawpay import paying, shapes
from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.things import Transaction


def lawpay_pay(parties: Parties, facts: Facts) -> Facts:
    """Pay a page by its address or slug; the payer may change what the address proposes."""
    address = urlsplit(str(facts["page"]))
    page = paying.page_of(parties.gateway, address.path.rsplit("/", 1)[-1])
    wish = paying.Wish.read(dict(parse_qsl(address.query)))
    changes: dict[str, Any] = {name: str(facts[name]) for name in ("reference", "name", "email") if name in facts}
    if "amount_cents" in facts:
        changes["amount"] = int(facts["amount_cents"])
    paid = paying.pay(parties.gateway, page, replace(wish, **changes), method=str(facts.get("method", "card")))
    return shapes.transaction(paid, refunds=True)


def lawpay_refund(parties: Parties, facts: Facts) -> Facts:
    one = transaction_of(parties.gateway, facts)
    return shapes.transaction(parties.gateway.refund(one, facts.get("amount_cents"), str(facts.get("reference", ""))))


def lawpay_void(parties: Parties, facts: Facts) -> Facts:
    one = transaction_of(parties.gateway, facts)
    return shapes.transaction(parties.gateway.void(one, str(facts.get("reference", ""))))


def lawpay_return_echeck(parties: Parties, facts: Facts) -> Facts:
    """The payer's bank sends an eCheck back: before it completes, or up to sixty days later."""
    one = transaction_of(parties.gateway, facts)
    return shapes.transaction(parties.gateway.fail(one, str(facts.get("code", "ach_insufficient_funds"))), refunds=True)


def set_lawpay_webhooks(parties: Parties, facts: Facts) -> Facts:
    """Write the firm's webhook addresses in LawPay's web app: one comma-separated string for everybody."""
    parties.gateway.set_addresses(str(facts["urls"]))
    return {"live_events_urls": parties.gateway.live_events_urls}


def transaction_of(gateway: Gateway, facts: Facts) -> Transaction:
    return gateway.find(str(facts["id"]))
