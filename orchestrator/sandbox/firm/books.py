"""The firm as a whole: every record by table and id, what is allowed, and who hears of a change."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

from orchestrator.sandbox.clock import Clock
from orchestrator.sandbox.firm.money import (
    Activity,
    Allocation,
    BankTransaction,
    BankTransfer,
    Bill,
    CreditMemo,
    LineItem,
    Link,
    Payment,
)
from orchestrator.sandbox.firm.things import (
    BankAccount,
    Communication,
    Contact,
    CustomAction,
    CustomField,
    Facts,
    Matter,
    MatterStage,
    Note,
    PracticeArea,
    Task,
    Thing,
    User,
    Webhook,
)
from orchestrator.sandbox.journal import Journal
from orchestrator.sandbox.refusal import missing

T = TypeVar("T", bound=Thing)
Listener = Callable[[str, Thing], None]

TABLES: tuple[type[Thing], ...] = (
    User,
    Contact,
    PracticeArea,
    MatterStage,
    CustomField,
    BankAccount,
    Matter,
    Activity,
    Bill,
    LineItem,
    Allocation,
    BankTransaction,
    Link,
    Payment,
    Task,
    Note,
    Communication,
    Webhook,
    BankTransfer,
    CreditMemo,
)

LATER: tuple[type[Thing], ...] = (CustomAction,)
"""Numbered without the dice: what a seed meant before there were these, it still means."""

REGION_CURRENCY = {"us": "USD", "ca": "CAD", "eu": "GBP", "au": "AUD"}
SIGNS = {"USD": "$", "CAD": "$", "GBP": "£", "AUD": "$"}


@dataclass(kw_only=True)
class Rules:
    """What this account allows; everything a scenario may switch."""

    links_per_user: int = 50
    description_required: bool = False
    redirect_bases: list[str] = field(default_factory=list)
    accept_after_paid: bool = True
    api_may_approve: bool = True
    terms_days: int = 30
    card_settles_after: float = 86_400
    echeck_settles_after: float = 5 * 86_400


@dataclass(frozen=True)
class Nonce:
    """Proof that a user pressed a button, good for one request of that user's until it ends."""

    user_id: int
    ends_at: datetime


class Books:
    """Keeps the firm's records; the only place where they are added, touched and removed."""

    def __init__(self, *, clock: Clock, journal: Journal, seed: int, name: str, region: str, rules: Rules) -> None:
        self.clock = clock
        self.journal = journal
        self.random = random.Random(seed)
        self.name = name
        self.region = region
        self.currency = REGION_CURRENCY[region]
        self.rules = rules
        self.account_id = 900_000 + self.random.randrange(90_000)
        self.public_url = ""
        self.bill_numbers = itertools.count(1001)
        self.keys: dict[str, dict[str, int]] = {}
        self.listeners: list[Listener] = []
        self.active_links: dict[int, Link] = {}
        self.links_by_token: dict[str, Link] = {}
        self.nonces: dict[str, Nonce] = {}
        self._tables: dict[str, dict[int, Any]] = {table.table: {} for table in (*TABLES, *LATER)}
        # Ids of different tables never meet: a worker that mixes them up finds nothing instead of the wrong thing.
        self._ids = {
            table.table: itertools.count(1_000_000 * (place + 1) + self.random.randrange(1_000, 9_000))
            for place, table in enumerate(TABLES)
        } | {
            table.table: itertools.count(1_000_000 * (place + 1) + 1)
            for place, table in enumerate(LATER, start=len(TABLES))
        }

    def table(self, kind: type[T]) -> dict[int, T]:
        return self._tables[kind.table]

    def rows(self, table: str) -> dict[int, Thing]:
        return self._tables[table]

    def add(self, thing: T, *, quietly: bool = False) -> T:
        """Give the record its id and timestamps and, unless `quietly`, tell who listens."""
        thing.id = next(self._ids[thing.table])
        thing.created_at = thing.updated_at = self.clock.now()
        self._tables[thing.table][thing.id] = thing
        if not quietly:
            self.announce("created", thing)
        return thing

    def touch(self, thing: Thing, event: str = "updated", *, quietly: bool = False) -> None:
        """The record changed: a new etag, a new `updated_at`, and word to who listens."""
        thing.version += 1
        thing.updated_at = self.clock.now()
        if not quietly:
            self.announce(event, thing)

    def remove(self, thing: Thing) -> None:
        """Take the record out of sight; its id is never used again."""
        thing.gone = True
        del self._tables[thing.table][thing.id]
        self.announce("deleted", thing)

    def get(self, kind: type[T], ident: object) -> T:
        """The record, or a 404."""
        found = self.find(kind, ident)
        if found is None:
            raise missing(kind.__name__, ident)
        return found

    def find(self, kind: type[T], ident: object) -> T | None:
        try:
            return self.table(kind).get(int(str(ident)))
        except ValueError:
            return None

    def today(self) -> date:
        return self.clock.now().date()

    def token(self, length: int = 32) -> str:
        """An opaque word, the same for the same seed."""
        return f"{self.random.getrandbits(length * 4):0{length}x}"

    @property
    def money_unit(self) -> Facts:
        return {"id": 1, "etag": '"currency"', "code": self.currency, "sign": SIGNS[self.currency]}

    @property
    def account(self) -> Facts:
        return {"id": self.account_id, "etag": '"account"', "name": self.name, "state": "active"}

    def enabled_users(self) -> int:
        return sum(user.enabled for user in self.table(User).values())

    def operating_account(self) -> BankAccount:
        """Where cheques go: the default operating account."""
        accounts = [account for account in self.table(BankAccount).values() if account.type == "Operating"]
        return next((account for account in accounts if account.default_account), accounts[0])

    def announce(self, event: str, thing: Thing) -> None:
        """Tell who listens; the record itself stays as it is."""
        for listener in self.listeners:
            listener(event, thing)
