"""Time and expense entries: Clio's record of work. `approval` is ours (API notes §3)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from orchestrator.domain.ids import effect_key


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity as Clio showed it to our user; `quantity_seconds`, `price_cents` and `total_cents` are None when hidden."""

    id: int
    etag: str
    type: str
    worked_on: date
    quantity_seconds: Decimal | None
    price_cents: int | None
    total_cents: int | None
    flat_rate: bool
    contingency_fee: bool
    non_billable: bool
    no_charge: bool
    on_bill: bool
    billed: bool
    matter_id: int | None
    user_id: int | None
    bill_id: int | None
    updated_at: datetime

    @property
    def redacted(self) -> bool:
        """Whether a figure we would bill is hidden from us: null is "not visible", never zero (API notes §3, F41)."""
        return self.total_cents is None or (self.type == "TimeEntry" and self.quantity_seconds is None)

    @property
    def unbilled(self) -> bool:
        return not (self.on_bill or self.billed or self.bill_id is not None)

    @property
    def digest(self) -> str:
        """What an approval approves: a later edit of any of these values withdraws it (W2)."""
        quantity = None if self.quantity_seconds is None else str(self.quantity_seconds.normalize())
        return effect_key(
            "entry", self.id, self.type, self.worked_on, quantity, self.price_cents, self.total_cents,
            str(self.flat_rate), str(self.non_billable), str(self.no_charge), self.matter_id, self.user_id,
        )  # fmt: skip
