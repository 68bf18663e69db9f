"""The three-way statement of a trust account: adjusted bank = book = Σ client ledgers, to the cent, sign-blind (T35–T38)."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Statement:
    """Cents at a cut-off; what nobody has told is None, and then nothing is equal to it."""

    bank_cents: int | None
    bank_until: str | None
    """The last day of which the bank has told, as an ISO date."""
    deposits_cents: int
    """In the ledger, not at the bank yet."""
    withdrawals_cents: int
    """The same, out of the account; above zero."""
    book_cents: int
    ledgers_cents: int
    opening_cents: int | None
    """The closing book of the signed period before (T40)."""
    corrected_cents: int
    """By how much that book came to differ since it was signed."""

    @property
    def adjusted_cents(self) -> int | None:
        if self.bank_cents is None:
            return None
        return self.bank_cents + self.deposits_cents - self.withdrawals_cents

    @property
    def bank_difference_cents(self) -> int | None:
        """What the bank has more than the book; a surplus fails like a shortage (T37)."""
        return None if self.adjusted_cents is None else self.adjusted_cents - self.book_cents

    @property
    def ledger_difference_cents(self) -> int:
        """What the book has more than all client ledgers together."""
        return self.book_cents - self.ledgers_cents

    @property
    def equal(self) -> bool:
        """Whether all three are the same to the cent."""
        return self.bank_difference_cents == 0 == self.ledger_difference_cents

    def told(self) -> dict[str, Any]:
        """As it is stored: exactly what makes it again."""
        return asdict(self)
