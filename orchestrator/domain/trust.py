"""Client ledgers inside a trust account: whose money a line is, what kind it is, and when it may be used. Pure.

A ledger is one (account, client, matter). Money that only a client owns, no matter, is a ledger of its own and is never
counted as a matter's (T9); so are money with a purpose (T10), money whose owner is unknown (T11) and the firm's own for
bank charges (T6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.jurisdictions import Jurisdiction
from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.errors import Rejected


class LedgerKind(StrEnum):
    MATTER = "matter"
    CLIENT = "client"
    RESTRICTED = "restricted"
    SUSPENSE = "suspense"
    FIRM_CHARGES = "firm_charges"


class LineKind(StrEnum):
    DEPOSIT = "deposit"
    DRAW = "draw"
    DISBURSEMENT = "disbursement"
    TRANSFER = "transfer"
    RETURN = "return"
    FEE = "fee"
    CORRECTION = "correction"
    SET_ASIDE = "set_aside"


class Origin(StrEnum):
    """CLIO is a fact of the firm's books, which is never refused; OURS is a line that a person starts here."""

    CLIO = "clio"
    OURS = "ours"


MOVED_AS = {
    LineKind.DEPOSIT: MovementKind.DEPOSIT,
    LineKind.DRAW: MovementKind.DRAW,
    LineKind.DISBURSEMENT: MovementKind.DISBURSEMENT,
    LineKind.TRANSFER: MovementKind.TRANSFER,
    LineKind.RETURN: MovementKind.RETURN,
    LineKind.FEE: MovementKind.FEE,
}


@dataclass(frozen=True, slots=True)
class Ledger:
    """Which ledger: its account's key, and whose money it is."""

    account: str
    kind: LedgerKind
    client_id: int | None = None
    matter_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """A line of a bank ledger as Clio has it; `amount_cents` is signed, `on` the account's own date."""

    id: int
    etag: str
    account_id: int
    amount_cents: int
    currency: str | None
    on: date
    client_id: int | None
    matter_id: int | None
    bill_id: int | None
    allocation_id: int | None
    payment_type: str | None
    description: str
    confirmation: str
    online: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAsk:
    """A ledger line we want Clio to have; it moves no money and pays no bill. `description` carries our key."""

    account_id: int
    amount_cents: int
    currency: str
    on: date
    client_id: int | None
    matter_id: int | None
    confirmation: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A line to append, with everything a line must say (T7); the ledger adds the new balance."""

    ledger: Ledger
    origin: Origin
    external_id: str
    version: int
    kind: LineKind
    amount_cents: int
    currency: str
    on: date
    effective_on: date
    party: str
    purpose: str
    reference: str
    clears_on: date | None = None
    bill_id: int | None = None
    reverses: int | None = None
    actor: str = "worker"
    authoriser: str | None = None
    why: str | None = None
    told_at: datetime | None = None


def complete(posting: Posting, *, currency: str) -> Posting:
    """The posting itself; `Rejected` when it lacks what a ledger line must say (T7) or is in another currency (T50)."""
    for name in ("external_id", "party", "purpose", "reference"):
        if not getattr(posting, name):
            raise Rejected(f"A trust line needs its {name.replace('_', ' ')}.", reason="trust_line_incomplete")
    if not posting.amount_cents:
        raise Rejected("A trust line needs its amount.", reason="trust_line_incomplete")
    if posting.origin is Origin.OURS and posting.amount_cents < 0 and not posting.authoriser:
        raise Rejected("A trust line that takes money out needs who authorised it.", reason="trust_line_incomplete")
    if posting.currency != currency:
        raise Rejected(
            f"A line in {posting.currency} cannot stand in an account in {currency}.", reason="currency_mismatch"
        )
    return posting


def ledger_of(line: BankLine, account: FirmAccount) -> Ledger:
    """Whose money a line moves, by what Clio says of it and nothing else."""
    if line.matter_id is not None:
        return Ledger(account.key, LedgerKind.MATTER, line.client_id, line.matter_id)
    if line.client_id is not None:
        return Ledger(account.key, LedgerKind.CLIENT, line.client_id)
    # Nobody's money in is somebody's who is not known yet; nobody's money out can only be met by the firm's own (T6, T11).
    return Ledger(account.key, LedgerKind.SUSPENSE if line.amount_cents > 0 else LedgerKind.FIRM_CHARGES)


def kind_of(line: BankLine, *, debt: bool) -> LineKind:
    """What a trust line is; `debt` when its bill is known to be one, and no request for a deposit.

    Clio documents no value of its own fields for this, so only the sign, the owner and the bill decide (API notes §5).
    """
    if line.amount_cents > 0:
        # Into a matter for the sake of a bill: client-level money on its way, or a draw put back.
        return LineKind.TRANSFER if debt else LineKind.DEPOSIT
    if line.online:
        return LineKind.RETURN
    if line.client_id is None and line.matter_id is None:
        return LineKind.FEE
    if line.bill_id is None:
        return LineKind.DISBURSEMENT
    return LineKind.DRAW if line.matter_id is not None else LineKind.TRANSFER


TOGETHER = timedelta(seconds=5)
"""Rows of one act are written in one breath."""


def within(lines: Sequence[BankLine]) -> dict[int, int]:
    """Money that only changed its owner inside an account: {line in: line out}. No bank ever shows it.

    Clio writes such an act as two rows (client level to matter, matter to matter, a correction) and says nowhere that they
    belong together; they are one when account, amount, day and moment are the same and a client or a reference is.
    """
    found: dict[int, int] = {}
    for into in sorted(lines, key=lambda line: line.id):
        if into.amount_cents <= 0 or into.bill_id is not None:
            continue
        for out in lines:
            if out.id not in found.values() and out.id < into.id and _one_act(out, into):
                found[into.id] = out.id
                break
    return found


def _one_act(out: BankLine, into: BankLine) -> bool:
    return (
        out.amount_cents == -into.amount_cents
        and (out.account_id, out.on, out.bill_id) == (into.account_id, into.on, None)
        and abs(into.created_at - out.created_at) <= TOGETHER
        and (out.client_id, out.matter_id) != (into.client_id, into.matter_id)
        and (
            (out.client_id is not None and out.client_id == into.client_id)
            or (bool(out.confirmation) and out.confirmation == into.confirmation)
        )
    )


def clears_on(line: BankLine, kind: LineKind, profile: Jurisdiction) -> date | None:
    """From which day a deposit may be used; None for what is no deposit (T13)."""
    if kind is not LineKind.DEPOSIT:
        return None
    card = "card" in (line.payment_type or "").lower()
    return line.on + timedelta(days=profile.hold_days(card=card))


def posting_of(line: BankLine, account: FirmAccount, *, kind: LineKind, version: int, clears: date | None) -> Posting:
    """A Clio line as one of ours; the amount is the gross one that Clio recorded (T16)."""
    party = (
        f"matter:{line.matter_id}" if line.matter_id is not None
        else f"client:{line.client_id}" if line.client_id is not None
        else "unknown" if line.amount_cents > 0 else "bank"
    )  # fmt: skip
    return Posting(
        ledger=ledger_of(line, account), origin=Origin.CLIO, external_id=str(line.id), version=version, kind=kind,
        amount_cents=line.amount_cents, currency=line.currency or account.currency, on=line.on, effective_on=line.on,
        party=party, purpose=f"bill:{line.bill_id}" if line.bill_id is not None else kind.value,
        reference=line.confirmation or f"clio:{line.id}", clears_on=clears, bill_id=line.bill_id,
        told_at=line.updated_at,
    )  # fmt: skip


def movement_of(
    line: BankLine, account: FirmAccount | None, *, kind: LineKind, payment_id: int | None = None
) -> Movement:
    """The same line as one source's sighting, for the comparison with the others."""
    trust = account is not None and account.is_trust
    into = MovementKind.DEPOSIT if line.amount_cents > 0 else MovementKind.OTHER
    return Movement(
        source=Source.CLIO_LEDGER, external_id=str(line.id), account=account.key if account is not None else None,
        amount_cents=line.amount_cents, currency=line.currency or (account.currency if account is not None else "USD"),
        on=line.on, at=None, kind=MOVED_AS[kind] if trust else into,
        status=MovementStatus.SETTLED, reference=line.confirmation,
        matter_id=line.matter_id, client_id=line.client_id, bill_id=line.bill_id, payment_id=payment_id,
        parent=str(payment_id) if payment_id is not None else None,
    )  # fmt: skip
