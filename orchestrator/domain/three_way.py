"""The three-way statement of a trust account: adjusted bank = book = Σ client ledgers, to the cent, sign-blind (T35–T38).

The bank's word is its statement, the book is Clio's ledger of the account, and the client ledgers are our own append-only lines:
three records that somebody else keeps each, so that a line which one of them lost shows.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, NamedTuple

from orchestrator.domain.matching import Difference, dollars


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


class Owner(NamedTuple):
    """Whose money it is; 0 stands for no client, no matter."""

    client_id: int
    matter_id: int

    def __str__(self) -> str:
        if self.matter_id:
            return f"matter {self.matter_id}"
        return f"client {self.client_id}" if self.client_id else "nobody"


@dataclass(frozen=True, slots=True)
class Line:
    """One line by its name, in Clio's book and in our client ledgers; what is worth nothing stands in neither."""

    name: str
    on: date
    movement_id: int | None
    reference: str
    book: Mapping[Owner, int]
    ledgers: Mapping[Owner, int]


def apart(line: Line) -> Difference | None:
    """Why the book and the client ledgers do not have the same line; None when they do (T36)."""
    book, ledgers = ({whose: cents for whose, cents in side.items() if cents} for side in (line.book, line.ledgers))
    if book == ledgers:
        return None
    ours, theirs = sum(ledgers.values()), sum(book.values())
    money = abs(theirs - ours) or max((abs(cents) for cents in (*book.values(), *ledgers.values())), default=0)
    if not ledgers:
        kind, cause = "missing_in_ledgers", f"Clio's book has line {line.name} of {_told(book)}, no client ledger has"
    elif not book:
        kind, cause = (
            "missing_in_book",
            f"client ledgers have line {line.name} of {_told(ledgers)}, Clio's book does not",
        )
    else:
        kind = "ledger_differs"
        cause = f"line {line.name} is {_told(book)} in Clio's book, and {_told(ledgers)} in the client ledgers"
    owners = {whose.matter_id for whose in (*book, *ledgers)}
    matter = next(iter(owners)) or None if len(owners) == 1 else None
    return Difference(kind, (), money, cause, line.reference, matter)


def _told(side: Mapping[Owner, int]) -> str:
    return " and ".join(f"{dollars(cents)} for {whose}" for whose, cents in sorted(side.items()))
