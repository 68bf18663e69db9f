"""What the story remembers of trust money from one day to the next."""

from dataclasses import dataclass, field


@dataclass
class Purse:
    """Deposits not yet entered in Clio, and draws made.

    `deposits` are LawPay ids with their matter, `entered` LawPay ids with their line in Clio; `mistyped` is a draw's
    reference as somebody typed it at LawPay, with the matter that was meant.
    """

    deposits: dict[str, int] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    expecting: bool = False
    made: set[int] = field(default_factory=set)
    mistyped: tuple[str, int] | None = None
