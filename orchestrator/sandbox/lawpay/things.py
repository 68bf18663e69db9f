"""What the gateway keeps: accounts, pages, transactions, events. Money is whole cents."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

Facts = dict[str, Any]

LIVE = frozenset({"PENDING", "AUTHORIZED", "COMPLETED"})
KINDS = {"card": "merchant_accounts", "bank": "ach_accounts"}
"""A method's type, and the list of `GET /merchant` that the accounts for it stand in."""


@dataclass(eq=False, kw_only=True)
class Account:
    """A gateway account for cards or for eChecks; two of them may stand before one bank account."""

    id: str
    kind: str
    name: str
    bank_key: str
    currency: str
    trust: bool | None
    primary: bool
    created: dt.datetime
    status: str = "ACTIVE"
    routing_number: str = "*****0013"
    account_number: str = ""
    credits_allowed: bool = False


@dataclass(eq=False, kw_only=True)
class Page:
    """A hosted payment page: its slug is the firm's choice and proves nothing about the account behind it."""

    slug: str
    title: str
    accounts: dict[str, Account]
    url: str = ""


@dataclass(eq=False, kw_only=True)
class Transaction:
    """Money in (CHARGE) or out (REFUND, CREDIT) of one gateway account."""

    id: str
    type: str
    account: Account
    amount: int
    currency: str
    method: Facts
    created: dt.datetime
    modified: dt.datetime
    reference: str = ""
    data: Facts = field(default_factory=dict)
    status: str = "PENDING"
    auto_capture: bool = True
    charge: Transaction | None = None
    refunds: list[Transaction] = field(default_factory=list)
    failure_code: str = ""
    capture_reference: str = ""
    void_reference: str = ""
    authorization_code: str = ""
    pays: str = ""
    """Which of the firm's own bank accounts receives what is paid out, by its key; the API does not say."""
    indexed: list[tuple[dt.datetime, Facts]] = field(default_factory=list)

    @property
    def by_card(self) -> bool:
        return self.account.kind == "card"

    @property
    def amount_refunded(self) -> int:
        """Rises as soon as a refund is made, and falls when one is voided or fails."""
        return sum(refund.amount for refund in self.refunds if refund.status in LIVE)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the change feed: the object as it was at that moment."""

    id: str
    type: str
    created: dt.datetime
    data: Facts
