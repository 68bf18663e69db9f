"""One sandbox: a firm with its clock, its record, its doors, and a way to start it all afresh."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.sandbox.bank.book import Bank
from orchestrator.sandbox.clio.tokens import Grant, Tokens
from orchestrator.sandbox.clock import Clock, stamp
from orchestrator.sandbox.faults import Faults
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.things import BankAccount, Contact, CustomField, Matter, User
from orchestrator.sandbox.founding import found
from orchestrator.sandbox.journal import Facts, Journal
from orchestrator.sandbox.lawpay.accounts import open_gateway
from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.webhooks import Bell
from orchestrator.sandbox.mailbox import Mailbox
from orchestrator.sandbox.scenario import Scenario, load
from orchestrator.sandbox.webhooks import Courier

TICK = 0.05


@dataclass(frozen=True)
class Addresses:
    """Where a running sandbox listens, and the token that opens it."""

    url: str
    clio_base_url: str
    lawpay_base_url: str
    lawpay_secret_key: str
    lawpay_accounts: dict[str, Facts]
    lawpay_pages: dict[str, str]
    bank: dict[str, Facts]
    smtp_url: str
    access_token: str


@dataclass(kw_only=True)
class Start:
    """How a sandbox begins."""

    scenario: str | dict[str, Any] = "small-firm"
    seed: int = 1
    now: datetime | None = None
    frozen: bool = False
    rate_limit: int | None = None


class Sandbox:
    """Everything behind the doors; `reset` replaces it all but the doors themselves."""

    def __init__(self) -> None:
        self.url = ""
        self.smtp_url = ""
        self.courier: Courier | None = None
        self.bell: Bell | None = None

    def begin(self, start: Start) -> None:
        """Found the firm of a scenario; everything that was before is gone."""
        scenario = load(start.scenario)
        self.scenario: Scenario = scenario
        self.clock = Clock(start.now, frozen=start.frozen)
        self.journal = Journal(self.clock)
        self.faults = Faults(self.clock.now)
        self.mailbox = Mailbox(self.journal, self.faults, self.clock)
        self.books: Books = found(scenario, clock=self.clock, journal=self.journal, seed=start.seed)
        self.books.public_url = self.url
        self.gateway = Gateway(
            clock=self.clock, journal=self.journal, seed=start.seed, firm=scenario.firm, rules=scenario.lawpay.rules()
        )
        self.doors: dict[str, Facts] = open_gateway(self.gateway, self.books, scenario)
        self.bank = Bank(books=self.books, gateway=self.gateway, faults=self.faults, seed=start.seed)
        for key, facts in self.doors.items():
            facts["bank_id"] = self.bank.accounts[key].number
        rules = scenario.tokens.rules()
        if start.rate_limit is not None:
            rules.rate_limit = start.rate_limit
        self.tokens = Tokens(self.books, rules)
        self.grant: Grant = self.tokens.ready(self.books.get(User, self.books.keys["users"][scenario.token_user]))
        self.courier = Courier(self.books, self.faults)
        self.bell = Bell(self.gateway, self.faults)

    async def reset(self, start: Start) -> None:
        """Begin again with the same addresses; deliveries under way are dropped."""
        old = (self.courier, self.bell)
        self.begin(start)
        for carrier in old:
            if carrier is not None:
                await carrier.close()

    async def close(self) -> None:
        """Drop what is on its way to subscribers."""
        for carrier in (self.courier, self.bell):
            if carrier is not None:
                await carrier.close()

    async def settle(self) -> int:
        """Wait until every webhook on its way was attempted; returns how many there were."""
        assert self.courier is not None
        assert self.bell is not None
        return await self.courier.settle() + await self.bell.settle()

    async def tick(self) -> None:
        """Let sandbox time pass by itself, until cancelled."""
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(TICK)
                self.clock.catch_up()

    def addresses(self) -> Addresses:
        return Addresses(
            url=self.url,
            clio_base_url=self.url,
            lawpay_base_url=f"{self.url}/lawpay",
            lawpay_secret_key=self.gateway.secret_key,
            lawpay_accounts=self.doors,
            lawpay_pages={slug: page.url for slug, page in self.gateway.pages.items()},
            bank={
                key: {"bank_id": held.number, "statement": f"{self.url}/bank/{key}/statement"}
                for key, held in self.bank.accounts.items()
            },
            smtp_url=self.smtp_url,
            access_token=self.grant.access_token,
        )

    def state(self) -> Facts:
        """What a test or a demo needs to find its way: addresses, tokens, and ids by their scenario names."""
        books = self.books
        return {
            **self.addresses().__dict__,
            "scenario": self.scenario.name,
            "now": stamp(self.clock.now()),
            "frozen": self.clock.frozen,
            "refresh_token": self.grant.refresh_token,
            "client_id": self.tokens.client_id,
            "client_secret": self.tokens.client_secret,
            "account_id": books.account_id,
            "firm": books.name,
            "region": books.region,
            "currency": books.currency,
            "rate_limit": self.tokens.rules.rate_limit,
            "window_ends": self.grant.window_ends,
            "link_quota": books.rules.links_per_user * books.enabled_users(),
            **{
                names: books.keys.get(names, {})
                for names in (
                    "users",
                    "contacts",
                    "matters",
                    "bank_accounts",
                    "custom_fields",
                    "practice_areas",
                    "stages",
                )
            },
            "sizes": {kind.table: len(books.table(kind)) for kind in (User, Contact, Matter, BankAccount, CustomField)},
        }
