"""A bank's statement: complete and proved by its own balances, or refused in one sentence (F73, T38)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.ids import effect_key
from orchestrator.domain.matching import dollars
from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.errors import Rejected


class UnusableStatement(Rejected):
    """The file is damaged, incomplete, or not this account's: nothing of it was kept."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="statement_unusable")


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line as the bank wrote it; `name` is the bank's own id of it, empty where it gives none."""

    name: str
    on: date
    amount_cents: int
    kind: MovementKind
    text: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class BankStatement:
    """Days are the account's; a balance the file does not tell is None."""

    format: str
    number: str | None
    currency: str | None
    begins_on: date
    ends_on: date
    opening_cents: int | None
    closing_cents: int | None
    lines: tuple[StatementLine, ...]

    @property
    def total_cents(self) -> int:
        return sum(line.amount_cents for line in self.lines)


def prove(said: BankStatement, account: FirmAccount, *, expected_cents: int | None) -> tuple[int, int]:
    """Opening and closing balance, or `UnusableStatement`; `expected_cents` is what earlier statements say of the opening."""
    for applies, sentence in (
        (
            said.number is not None and account.bank_id is not None and said.number != account.bank_id,
            f"The statement is of account …{(said.number or '')[-4:]}; {account.key} is …{(account.bank_id or '')[-4:]} there.",
        ),
        (
            said.currency not in (None, account.currency),
            f"The statement is in {said.currency}, and {account.key} is in {account.currency}.",
        ),
        (
            any(not said.begins_on <= line.on <= said.ends_on for line in said.lines),
            f"A line lies outside the statement's own days, {said.begins_on} to {said.ends_on}: fetch the file again.",
        ),
    ):
        if applies:
            raise UnusableStatement(sentence)
    opening = said.opening_cents if said.opening_cents is not None else expected_cents
    if said.closing_cents is None:
        raise UnusableStatement(
            "The file does not say what the account held at its end: give it with --closing, from the bank's own page."
        )
    if opening is None:
        raise UnusableStatement(
            "Nothing says what the account held before its first statement: give it with --opening, from the bank."
        )
    if expected_cents is not None and opening != expected_cents:
        raise UnusableStatement(
            f"The statement opens with {dollars(opening)} on {said.begins_on}, and what was imported before comes to "
            f"{dollars(expected_cents)}: a statement between them is missing."
        )
    if opening + said.total_cents != said.closing_cents:
        off = said.closing_cents - opening - said.total_cents
        raise UnusableStatement(
            f"Opening balance and lines come to {dollars(opening + said.total_cents)}, the closing balance is "
            f"{dollars(said.closing_cents)}: {dollars(off)} is missing, so the file is not complete. Fetch it again."
        )
    return opening, said.closing_cents


def movements_of(said: BankStatement, account: FirmAccount) -> list[Movement]:
    """The lines as movements; the same line in two overlapping statements has one id (F73)."""
    found: list[Movement] = []
    seen: Counter[str] = Counter()
    for line in said.lines:
        # Some banks use an id again after a year: day and amount belong to it.
        facts = (line.name, line.on, line.amount_cents, "" if line.name else line.text)
        base = effect_key("bank line", account.key, *facts)[:40]
        seen[base] += 1
        found.append(
            Movement(
                source=Source.BANK, external_id=f"{account.key}:{base}:{seen[base]}", account=account.key,
                amount_cents=line.amount_cents, currency=account.currency, on=line.on, at=None, kind=line.kind,
                status=MovementStatus.SETTLED, reference=line.reference or line.text,
            )
        )  # fmt: skip
    return found


WORDS: tuple[tuple[str, MovementKind], ...] = (
    ("chargeback", MovementKind.CHARGEBACK),
    ("charge back", MovementKind.CHARGEBACK),
    ("returned", MovementKind.RETURN),
    ("return", MovementKind.RETURN),
    ("service charge", MovementKind.FEE),
    ("processing fee", MovementKind.FEE),
    ("merchant fee", MovementKind.FEE),
    ("interest", MovementKind.INTEREST),
)
"""What a debit is, by words in its text, where the bank's own type does not say; the first that fits."""


def kind_of(text: str, cents: int, said: MovementKind | None) -> MovementKind:
    """The bank's own word first, then the text, then the sign."""
    if said not in (None, MovementKind.OTHER):
        return said
    words = text.casefold()
    for part, kind in WORDS:
        if part in words and (cents < 0 or kind is MovementKind.INTEREST):
            return kind
    return MovementKind.DEPOSIT if cents > 0 else MovementKind.OTHER


def first_and_last(days: Iterable[date]) -> tuple[date, date]:
    known = sorted(days)
    if not known:
        raise UnusableStatement("The file has no line and names no day.")
    return known[0], known[-1]
