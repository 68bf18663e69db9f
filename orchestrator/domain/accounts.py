"""Bank accounts and the firm's Clio account."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from orchestrator.errors import Rejected


class AccountClass(StrEnum):
    """Never guessed from a name (T1)."""

    OPERATING = "operating"
    TRUST = "trust"

    @classmethod
    def _missing_(cls, value: object) -> "AccountClass | None":
        # Clio writes Operating and Trust, and so did the first versions into their databases.
        return cls._value2member_map_.get(str(value).lower())  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class FirmAccount:
    """A bank account as the firm configured it, under the names that Clio, the gateway and the bank have for it."""

    key: str
    account_class: AccountClass
    clio_id: int | None
    lawpay_ids: tuple[str, ...]
    bank_id: str | None
    currency: str
    time_zone: str

    @property
    def zone(self) -> ZoneInfo:
        """Where its dates and its month end are (T49)."""
        return ZoneInfo(self.time_zone)

    @property
    def is_trust(self) -> bool:
        return self.account_class is AccountClass.TRUST


def agree(account: FirmAccount, *, said: AccountClass | None, by: str) -> None:
    """Nothing, when `by` says of this account what the firm configured; otherwise nobody may post to it: `Rejected` (T1)."""
    if said is not account.account_class:
        words = f"calls it {said}" if said is not None else "does not say what it is"
        raise Rejected(
            f"Account {account.key} is configured as {account.account_class}, and {by} {words}.",
            reason="account_class_disagrees",
        )


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
