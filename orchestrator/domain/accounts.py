"""Bank accounts and the firm's Clio account."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AccountClass(StrEnum):
    """Never guessed from a name (T1)."""

    OPERATING = "Operating"
    TRUST = "Trust"


@dataclass(frozen=True, slots=True)
class BankAccount:
    id: int
    name: str
    account_class: AccountClass | None
    currency: str | None
    takes_clio_payments: bool
    is_default: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """Who we are at Clio: the token's user and the account it acts in."""

    user_id: int
    user_name: str
    account_id: int
    account_name: str
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """Whose data this database holds, as the first connection said; `proof` is the digest of the last token checked."""

    account_id: int
    account_name: str
    user_id: int
    user_name: str
    host: str
    proof: str
    connected_at: datetime
    checked_at: datetime
