"""Exact money: integer cents that know their currency (T50)."""

import re
from dataclasses import dataclass
from decimal import Decimal

from orchestrator.errors import Rejected

CURRENCY = {"us": "USD", "ca": "CAD", "eu": "GBP", "au": "AUD"}
"""What Clio Payments takes in each region (API notes §10); Australia has none yet, so no account there will match."""


@dataclass(frozen=True, order=True, slots=True)
class Money:
    """An amount in minor units of one currency; mixing currencies raises `Rejected` (T50)."""

    cents: int
    currency: str = "USD"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.cents + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.cents - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.cents, self.currency)

    def __bool__(self) -> bool:
        return self.cents != 0

    def __str__(self) -> str:
        return f"{figures(self.cents)} {self.currency}"

    @property
    def amount(self) -> Decimal:
        """The same sum in major units, exact to the cent."""
        return Decimal(self.cents).scaleb(-2)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise Rejected(f"{self} and {other} are different currencies.", reason="currency_mismatch")
        return other.cents


TYPED = re.compile(r"(-?)[$£€]? ?(\d+(?:\.\d\d?)?|\d{1,3}(?:[ ,]\d{3})+(?:\.\d\d?)?)", re.ASCII)


def typed(text: str) -> int:
    """Minor units of an amount as people type it: `2500`, `2,500.00`, `-$2,500`; `Rejected` for anything else.

    A comma groups thousands and nothing else: `2500,00` may be a hundredth of what it seems.
    """
    found = TYPED.fullmatch(text.strip())
    if found is None:
        raise Rejected(f"{text!r} is no amount such as 1234.56.", reason="amount_invalid")
    return cents(found[1] + found[2].replace(",", "").replace(" ", ""))


def figures(cents: int) -> str:
    """An amount as people read it, where its currency is said elsewhere: `-1,234.50`."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def cents(amount: Decimal | int | str) -> int:
    """Minor units of a two-decimal amount; a fraction of a cent raises `Rejected`, it is never rounded away (F41, F65).

    Clio answers with JSON floats that we parse as decimals from their text, so 0.1 + 0.2 arrives as 0.30000000000000004:
    digits past the sixth decimal are that float's noise, not money.
    """
    exact = Decimal(amount)
    if not exact.is_finite():
        raise Rejected(f"{amount} is not an amount of money.", reason="amount_invalid")
    whole = exact.quantize(Decimal("0.000001")).scaleb(2)
    if whole != whole.to_integral_value():
        raise Rejected(f"{amount} has a fraction of a cent.", reason="amount_invalid")
    return int(whole)
