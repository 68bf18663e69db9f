"""The firm's accounts and pages at LawPay, opened as a scenario says."""

from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.things import BankAccount
from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.things import Account, Facts, Page
from orchestrator.sandbox.scenario import GatewayAccount, Scenario

TRUST = {"true": True, "false": False, "unknown": None}


def open_gateway(gateway: Gateway, books: Books, scenario: Scenario) -> dict[str, Facts]:
    """Open every account of the scenario; tells by the bank account's key what a person would look up."""
    doors: dict[str, Facts] = {}
    for place, wish in enumerate(scenario.lawpay.accounts):
        behind = books.get(BankAccount, books.keys["bank_accounts"][wish.bank_account])
        pair = {kind: _account(gateway, wish, behind, kind, primary=place == 0) for kind in ("card", "bank")}
        url = f"{books.public_url}/pages/{scenario.lawpay.firm}/{wish.page}"
        gateway.pages[wish.page] = Page(slug=wish.page, title=wish.title or behind.name, accounts=pair, url=url)
        doors[wish.bank_account] = {
            "clio_id": behind.id,
            "card": pair["card"].id,
            "echeck": pair["bank"].id,
            "trust_account": TRUST[wish.trust],
            "page": url,
        }
    return doors


def _account(gateway: Gateway, wish: GatewayAccount, behind: BankAccount, kind: str, *, primary: bool) -> Account:
    account = Account(
        id=gateway.opaque(),
        kind=kind,
        name=behind.name if kind == "card" else f"{behind.name} eCheck",
        bank_key=wish.bank_account,
        currency=behind.currency,
        trust=TRUST[wish.trust],
        primary=primary,
        created=gateway.clock.now(),
        account_number=behind.account_number or "",
        credits_allowed=wish.credits_allowed,
    )
    gateway.accounts[account.id] = account
    return account
