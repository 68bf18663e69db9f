"""The payment gateway's own things: its accounts, its transactions, and the events that say one has changed.

LawPay's gateway moves no money for us and says nothing about deposits, fees or chargebacks (gateway notes §2, §10).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TransactionType(StrEnum):
    """What a transaction does to its account: a charge pays into it, the other two out of it."""

    CHARGE = "CHARGE"
    REFUND = "REFUND"
    CREDIT = "CREDIT"
    OTHER = "OTHER"
    """A type that the gateway has added since: recorded, never acted on."""


class TransactionStatus(StrEnum):
    """The gateway's own names. COMPLETED means sent, not arrived, and an eCheck can still become FAILED (notes §4)."""

    PENDING = "PENDING"
    AUTHORIZED = "AUTHORIZED"
    COMPLETED = "COMPLETED"
    VOIDED = "VOIDED"
    FAILED = "FAILED"
    OTHER = "OTHER"


class Method(StrEnum):
    CARD = "card"
    BANK = "bank"
    OTHER = "other"


ON_ITS_WAY = frozenset({TransactionStatus.PENDING, TransactionStatus.AUTHORIZED, TransactionStatus.OTHER})
"""A promise only: do not ask again, do not count as paid."""

CAME_TO_NOTHING = frozenset({TransactionStatus.VOIDED, TransactionStatus.FAILED})


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """One of the gateway's accounts; a bank account has up to two of them, for cards and for eChecks.

    `trust` is None when the gateway does not know: that is a refusal, never "operating" (T1).
    """

    id: str
    name: str
    takes: Method
    trust: bool | None
    currency: str
    active: bool


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction as it is now; `reference` is free text that the payer may have edited, `amount_cents` positive."""

    id: str
    type: TransactionType
    status: TransactionStatus
    account_id: str
    amount_cents: int
    currency: str
    reference: str
    method: Method
    created_at: datetime
    modified_at: datetime
    refunded_cents: int = 0
    charge_id: str | None = None
    """A refund's charge."""
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A hint that something changed: it names the transaction to read again, if it is about one."""

    id: str
    type: str
    created_at: datetime
    transaction_id: str | None


COMPLETED_EVENT = "transaction.completed"
"""Even when the transaction reads FAILED by now, this says that it was COMPLETED once: its money had been sent."""
