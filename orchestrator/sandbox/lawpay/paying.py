"""What a payer does on a payment page: the address proposes, the payer decides."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.sandbox.lawpay import methods
from orchestrator.sandbox.lawpay.gateway import Gateway, cents
from orchestrator.sandbox.lawpay.refusals import Declined
from orchestrator.sandbox.lawpay.things import Page, Transaction

KINDS = {"card": "card", "echeck": "bank"}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What an address or a form says; nothing in it is signed, so nothing in it is binding."""

    amount: int | None = None
    reference: str = ""
    name: str = ""
    email: str = ""
    read_only: frozenset[str] = frozenset()

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "Wish":
        """From an address's query; an amount that is no number of cents proposes nothing."""
        amount = params.get("amount", "")
        return cls(
            amount=int(amount) if amount.isdigit() and int(amount) > 0 else None,
            reference=params.get("reference", ""),
            name=params.get("name", ""),
            email=params.get("email", ""),
            read_only=frozenset(params.get("readOnlyFields", "").split(",")) - {""},
        )


def page_of(gateway: Gateway, slug: str) -> Page:
    page = gateway.pages.get(slug)
    if page is None:
        raise Declined(404, "resource_not_found", words=f"There is no payment page {slug}.")
    return page


def pay(gateway: Gateway, page: Page, wish: Wish, *, method: str = "card") -> Transaction:
    """Charge the account of the page: the same address can be paid again and again, with any amount and reference."""
    kind = KINDS.get(method)
    if kind is None:
        raise Declined(422, "incorrect_payment_type", words=f"{method} is not a way to pay.")
    shown = (methods.card if kind == "card" else methods.bank)(wish.name, wish.email)
    data = {"payment_page_id": page.slug}
    amount = cents(wish.amount)
    return gateway.charge(page.accounts[kind], amount, shown, reference=wish.reference, data=data)
