"""What we read of the gateway: unknown fields and words pass, missing ones fail loudly. Its vocabulary ends here."""

from datetime import UTC
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.domain.gateway import (
    GatewayAccount,
    GatewayEvent,
    Method,
    Transaction,
    TransactionStatus,
    TransactionType,
)


def _cents(amount: Any) -> int:
    """Whole cents, as a number or as its digits; anything else is no amount (gateway notes §3)."""
    if isinstance(amount, bool) or not isinstance(amount, int | str):
        raise ValueError("not a whole number of cents")  # noqa: TRY004  pydantic hears nothing else
    if isinstance(amount, str) and not amount.isascii():
        raise ValueError("not a whole number of cents")
    return int(amount)


def _flag(said: Any) -> bool | None:
    """Three-valued, and written as a string in places, where "false" is no truth (gateway notes §2); other words are unknown."""
    match said:
        case bool():
            return said
        case str():
            return {"true": True, "false": False}.get(said.strip().lower())
        case _:
            return None


Cents = Annotated[int, BeforeValidator(_cents), Field(ge=0, lt=10**14)]
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Text = Annotated[str, BeforeValidator(lambda said: "" if said is None else said)]


class Schema(BaseModel):
    """A record of the gateway; errors never quote what was received, which may name a payer."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class AccountRecord(Schema):
    id: str = Field(min_length=1)
    name: Text = ""
    status: Text = ""
    currency: str = "USD"
    trust_account: Annotated[bool | None, BeforeValidator(_flag)] = None

    def to_domain(self, takes: Method) -> GatewayAccount:
        return GatewayAccount(
            id=self.id,
            name=self.name,
            takes=takes,
            trust=self.trust_account,
            currency=self.currency,
            active=self.status.upper() in {"", "ACTIVE"},
        )


class MerchantRecord(Schema):
    merchant_accounts: list[AccountRecord] = Field(default_factory=list)
    ach_accounts: list[AccountRecord] = Field(default_factory=list)

    def to_domain(self) -> list[GatewayAccount]:
        return [
            *(account.to_domain(Method.CARD) for account in self.merchant_accounts),
            *(account.to_domain(Method.BANK) for account in self.ach_accounts),
        ]


class MethodRecord(Schema):
    """Of card and bank details nothing but the kind is read."""

    type: Text = ""


class TransactionRecord(Schema):
    id: str = Field(min_length=1, max_length=64)
    type: str
    status: str
    account_id: str = Field(min_length=1, max_length=64)
    amount: Cents
    currency: str = Field(default="USD", min_length=3, max_length=3)
    reference: Text = ""
    method: MethodRecord | None = None
    created: Moment
    modified: Moment | None = None
    amount_refunded: Cents = 0
    charge_id: str | None = None
    failure_code: str | None = None

    def to_domain(self) -> Transaction:
        kinds, statuses, methods = set(TransactionType), set(TransactionStatus), set(Method)
        method = self.method.type.lower() if self.method is not None else ""
        return Transaction(
            id=self.id,
            type=TransactionType(self.type) if self.type in kinds else TransactionType.OTHER,
            status=TransactionStatus(self.status) if self.status in statuses else TransactionStatus.OTHER,
            account_id=self.account_id,
            amount_cents=self.amount,
            currency=self.currency,
            reference=self.reference,
            method=Method(method) if method in methods else Method.OTHER,
            created_at=self.created,
            modified_at=self.modified or self.created,
            refunded_cents=self.amount_refunded,
            charge_id=self.charge_id,
            failure_code=self.failure_code,
        )


class CopyRecord(Schema):
    """The copy inside an event: a hint at what to read, and nothing of it is believed."""

    id: Text = ""


class EventRecord(Schema):
    id: str = Field(min_length=1, max_length=64)
    type: str = Field(max_length=64)
    created: Moment
    data: CopyRecord | None = None

    def to_domain(self) -> GatewayEvent:
        about = self.data.id if self.data is not None and self.type.startswith("transaction.") else ""
        return GatewayEvent(self.id, self.type, self.created, about or None)
