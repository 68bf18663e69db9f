"""A firm to begin with, as a TOML file says it. Names lead from one entry to another; a name that leads nowhere is refused."""

import tomllib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchestrator.sandbox.clio.tokens import TokenRules
from orchestrator.sandbox.firm.books import Rules
from orchestrator.sandbox.lawpay.gateway import GatewayRules
from orchestrator.sandbox.refusal import unprocessable

SCENARIOS = Path(__file__).parents[2] / "config" / "sandbox"


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AccountRules(Entry):
    """What the account allows; see `Rules` for the meaning of each."""

    links_per_user: int = 50
    description_required: bool = False
    redirect_bases: list[str] = []
    accept_after_paid: bool = True
    api_may_approve: bool = True
    terms_days: int = 30
    card_settles_after: float = 86_400
    echeck_settles_after: float = 432_000

    def rules(self) -> Rules:
        return Rules(**self.model_dump())


class TokenSettings(Entry):
    expires_in: int = 2_592_000
    rotate_refresh: bool = False
    ready_token_expires: bool = False
    rate_limit: int = Field(default=50, ge=1)
    window_seconds: float = Field(default=60.0, gt=0)

    def rules(self) -> TokenRules:
        return TokenRules(**self.model_dump())


class Person(Entry):
    key: str
    name: str
    email: str
    subscription_type: Literal["Attorney", "NonAttorney"] = "Attorney"
    roles: list[str] = []
    rate: Decimal = Decimal(300)
    enabled: bool = True
    account_owner: bool = False
    signatory: bool = False


class Client(Entry):
    key: str
    name: str
    type: Literal["Person", "Company"] = "Person"
    email: str = ""
    phone: str = ""
    redacted: bool = False
    is_client: bool = True
    reminders_enabled: bool = False
    trust: Decimal = Decimal(0)


class Area(Entry):
    key: str
    name: str
    code: str = ""
    category: str = "other"
    stages: list[str] = []


class Custom(Entry):
    key: str
    name: str
    field_type: Literal["checkbox", "currency", "date", "email", "numeric", "text_area", "text_line", "url"]
    parent_type: Literal["Matter", "Contact"] = "Matter"


class Account(Entry):
    key: str
    name: str
    type: Literal["Operating", "Trust"] = "Operating"
    clio_payments_enabled: bool = False
    default: bool = False


class GatewayAccount(Entry):
    """A card and an eCheck account before one bank account, and the payment page that carries both."""

    bank_account: str
    page: str
    title: str = ""
    trust: Literal["true", "false", "unknown"] = "unknown"
    credits_allowed: bool = False


class LawPay(Entry):
    """The firm at LawPay; without accounts its key opens an empty gateway."""

    firm: str = "firm"
    echeck_completes_after: float = 259_200
    search_lag: float = 1.0
    reference_required: bool = False
    accounts: list[GatewayAccount] = []

    def rules(self) -> GatewayRules:
        return GatewayRules(**self.model_dump(exclude={"firm", "accounts"}))


class Work(Entry):
    """One entry, or `count` alike, dated so many days before the start."""

    type: Literal["TimeEntry", "ExpenseEntry", "HardCostEntry", "SoftCostEntry"] = "TimeEntry"
    user: str = ""
    days_ago: int = 3
    hours: Decimal = Decimal(1)
    price: Decimal | None = None
    note: str = "Professional services"
    flat_rate: bool = False
    non_billable: bool = False
    no_charge: bool = False
    redacted: bool = False
    price_hidden: bool = False
    count: int = Field(default=1, ge=1)


class Invoice(Entry):
    """A bill the firm already has, of one plain line, or `count` alike."""

    amount: Decimal = Field(gt=0)
    state: Literal["draft", "awaiting_approval", "awaiting_payment"] = "awaiting_payment"
    kind: Literal["revenue_kind", "trust_kind"] = "revenue_kind"
    issued_days_ago: int = 0
    count: int = Field(default=1, ge=1)


class Case(Entry):
    key: str
    client: str
    description: str
    attorney: str = ""
    staff: str = ""
    display_number: str = ""
    custom_number: str | None = None
    client_reference: str | None = None
    status: Literal["Open", "Pending", "Closed"] = "Open"
    billing_method: Literal["hourly", "flat", "contingency"] = "hourly"
    billable: bool = True
    area: str = ""
    stage: str = ""
    trust: Decimal = Decimal(0)
    custom: dict[str, str | bool | date] = {}
    entries: list[Work] = []
    bills: list[Invoice] = []


class Many(Entry):
    """Clients, matters and bills by number rather than by name."""

    clients: int = Field(ge=1)
    matters_per_client: int = Field(default=1, ge=1)
    bills_per_matter: int = Field(default=1, ge=0)
    least: Decimal = Decimal(100)
    most: Decimal = Decimal(5000)
    days_old: int = 45


class Scenario(Entry):
    """Everything a sandbox starts with."""

    name: str
    plot: Literal["weeks", "year"] = "weeks"
    """What the demo makes of it; a sandbox alone does not ask."""
    firm: str
    region: Literal["us", "ca", "eu", "au"] = "us"
    token_user: str
    account: AccountRules = AccountRules()
    tokens: TokenSettings = TokenSettings()
    users: list[Person] = Field(min_length=1)
    contacts: list[Client] = []
    practice_areas: list[Area] = []
    custom_fields: list[Custom] = []
    bank_accounts: list[Account] = Field(min_length=1)
    lawpay: LawPay = LawPay()
    matters: list[Case] = []
    many: Many | None = None

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> "Scenario":
        users = _keys("users", (user.key for user in self.users))
        contacts = _keys("contacts", (contact.key for contact in self.contacts))
        areas = {area.key: set(area.stages) for area in self.practice_areas}
        customs = {custom.name for custom in self.custom_fields}
        _keys("matters", (case.key for case in self.matters))
        accounts = _keys("bank_accounts", (account.key for account in self.bank_accounts))
        _keys("lawpay.accounts: page", (account.page for account in self.lawpay.accounts))
        for door in self.lawpay.accounts:
            _known("lawpay.accounts.bank_account", door.bank_account, accounts)
        _known("token_user", self.token_user, users)
        if not any(account.type == "Operating" for account in self.bank_accounts):
            raise ValueError("bank_accounts: at least one must be Operating")
        for case in self.matters:
            _known(f"matters.{case.key}.client", case.client, contacts)
            for role in (case.attorney, case.staff, *(work.user for work in case.entries)):
                _known(f"matters.{case.key}: user", role or self.token_user, users)
            if case.area:
                _known(f"matters.{case.key}.area", case.area, areas.keys())
            if case.stage:
                _known(f"matters.{case.key}.stage", case.stage, areas.get(case.area, set()))
            for name in case.custom:
                _known(f"matters.{case.key}.custom", name, customs)
        return self


def _keys(where: str, keys: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"{where}: {key} is there twice")
        seen.add(key)
    return seen


def _known(where: str, name: str, names: Iterable[str]) -> None:
    if name not in set(names):
        raise ValueError(f"{where}: there is no {name}")


def names() -> list[str]:
    """The scenarios that can be asked for by name."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def load(scenario: str | dict[str, Any]) -> Scenario:
    """Read a scenario by name or from plain data; what is wrong with it is said in one sentence."""
    if isinstance(scenario, str):
        path = SCENARIOS / f"{scenario}.toml"
        if scenario not in names():
            raise unprocessable(f"There is no scenario {scenario}; choose from {', '.join(names())}.")
        scenario = tomllib.loads(path.read_text("utf-8"))
    try:
        return Scenario.model_validate(scenario)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "scenario"
        raise unprocessable(f"{where}: {first['msg']}") from None
