"""The client and the firm at LawPay: pages paid, money sent back, an eCheck that the payer's bank returns."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from orchestrator.sandbox.acts.facts import Parties
from orchestrator.sandbox.acts.trust import authoriser, trust_of
from orchestrator.sandbox.bank.book import shown
from orchestrator.sandbox.firm import ledger
from orchestrator.sandbox.firm.ledger import How
from orchestrator.sandbox.firm.money import Bill
from orchestrator.sandbox.firm.things import Facts, Matter
from orchestrator.sandbox.lawpay import methods, paying, shapes
from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.things import Account, Transaction
from orchestrator.sandbox.refusal import unprocessable


def lawpay_pay(parties: Parties, facts: Facts) -> Facts:
    """Pay a page by its address or slug; the payer may change what the address proposes, or type a matter's number."""
    address = urlsplit(str(facts["page"]))
    page = paying.page_of(parties.gateway, address.path.rsplit("/", 1)[-1])
    wish = paying.Wish.read(dict(parse_qsl(address.query)))
    changes: dict[str, Any] = {name: str(facts[name]) for name in ("reference", "name", "email") if name in facts}
    if "matter_id" in facts:
        changes.setdefault("reference", parties.books.get(Matter, facts["matter_id"]).display_number)
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


def lawpay_chargeback(parties: Parties, facts: Facts) -> Facts:
    """The card network takes a payment back: the bank shows it, LawPay's API does not. By default operating pays."""
    one = transaction_of(parties.gateway, facts)
    if one.type != "CHARGE" or one.status != "COMPLETED" or not one.by_card:
        raise unprocessable(f"LawPay payment {one.id} is no completed card charge.")
    amount = int(facts.get("amount_cents", one.amount))
    key = str(facts.get("account", parties.bank.operating_key))
    line = parties.bank.chargeback(one, amount, parties.bank.account(key).key)
    parties.books.journal.add("lawpay.chargeback", one.id, account=key, amount_cents=amount, reference=one.reference)
    return shown(line)


def lawpay_draw(parties: Parties, facts: Facts) -> Facts:
    """Earned money from trust to operating by way of LawPay: a credit or, of a `charge_id`, a refund, with a reference.

    Clio learns nothing of it: a person records it there, or does not.
    """
    books, gateway = parties.books, parties.gateway
    bill = books.get(Bill, facts["bill_id"]) if "bill_id" in facts else None
    matter = books.get(Matter, facts["matter_id"]) if "matter_id" in facts else bill.matters[0] if bill else None
    if matter is None:
        raise unprocessable("lawpay_draw needs bill_id or matter_id.")
    amount = facts.get("amount_cents", int(bill.balance * 100) if bill else None)
    words = str(facts.get("reference", f"{matter.display_number} / {bill.number}" if bill else matter.display_number))
    pays, by = parties.bank.operating_key, authoriser(books, facts, matter)
    if "charge_id" in facts:
        one = gateway.refund(gateway.find(str(facts["charge_id"])), amount, words, pays=pays)
    else:
        one = gateway.credit(_trust_card(parties, facts), amount, methods.bank(gateway.firm), words, pays=pays)
    books.journal.add(
        "draw.made",
        one.id,
        bill_id=bill.id if bill else None,
        bill_due_cents=int(bill.due * 100) if bill else 0,
        bill_matter_ids=[one.id for one in bill.matters] if bill else [],
        matter_id=matter.id,
        amount_cents=one.amount,
        reference=words,
        authorised_by=by.id if by else None,
        signatory=by is not None and by.signatory,
    )
    return shapes.transaction(one)


def bank_line(parties: Parties, facts: Facts) -> Facts:
    """What the bank does by itself, today: interest, a charge, a correction."""
    kind, name = str(facts.get("kind", "fee")), str(facts.get("name", "BANK CHARGE"))
    line = parties.bank.by_itself(str(facts["account"]), int(facts["amount_cents"]), kind, name)
    parties.books.journal.add("bank.line", line.id, account=line.account, amount_cents=line.amount, type=kind)
    return shown(line)


def record_bank_fees(parties: Parties, _: Facts) -> Facts:
    """Enter in Clio's operating ledger the fees and chargebacks the bank has booked there and Clio does not have yet."""
    booked = parties.bank.booked(parties.bank.operating_key)
    new = [line for line in booked if line.kind in {"fee", "chargeback"} and line.id not in parties.bank.told]
    account = parties.books.operating_account()
    for line in new:
        parties.bank.told.add(line.id)
        words = How(real=False, description=line.name, confirmation=line.id)
        ledger.post(parties.books, account, Decimal(line.amount) / 100, words)
    return {"recorded": [line.id for line in new]}


def _trust_card(parties: Parties, facts: Facts) -> Account:
    behind = trust_of(parties.books, facts)
    key = parties.bank.key_of(behind)
    found = (one for one in parties.gateway.accounts.values() if one.bank_key == key and one.kind == "card")
    account = next(found, None)
    if account is None:
        raise unprocessable(f"{behind.name} has no account at LawPay.")
    return account


def set_lawpay_webhooks(parties: Parties, facts: Facts) -> Facts:
    """Write the firm's webhook addresses in LawPay's web app: one comma-separated string for everybody."""
    parties.gateway.set_addresses(str(facts["urls"]))
    return {"live_events_urls": parties.gateway.live_events_urls}


def transaction_of(gateway: Gateway, facts: Facts) -> Transaction:
    return gateway.find(str(facts["id"]))
