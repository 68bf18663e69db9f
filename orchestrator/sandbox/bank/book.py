"""The bank's own view. Money shows here some business days after Clio or LawPay spoke of it, and nobody here knows a matter."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from orchestrator.sandbox.faults import Fault, Faults
from orchestrator.sandbox.firm.books import Books
from orchestrator.sandbox.firm.money import BankTransaction
from orchestrator.sandbox.firm.things import BankAccount, Thing
from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.shapes import EASTERN
from orchestrator.sandbox.lawpay.things import Event, Facts, Transaction
from orchestrator.sandbox.refusal import Refusal

CARD_FEE_PERCENT, CARD_FEE_CENTS, ECHECK_FEE_CENTS, CHARGEBACK_FEE_CENTS = 2.95, 20, 200, 1500


@dataclass(eq=False, kw_only=True)
class Line:
    """One line of an account. It is booked on `on`, and nobody sees it before."""

    id: str
    account: str
    on: date
    amount: int
    kind: str
    name: str
    memo: str = ""
    sources: list[str] = field(default_factory=list)
    """What it is made of, for the oracle: a bank does not say."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """An account at the bank: `number` is how its statements call it."""

    key: str
    number: str
    behind: BankAccount


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a period's statement says: balances at its two ends, and the lines between them."""

    account: Held
    start: date
    end: date
    opening: int
    closing: int
    lines: tuple[Line, ...]


class Batch(NamedTuple):
    """What a processor sends as one line: an account's payments of one day, booked on another."""

    name: str
    key: str
    taken: date
    on: date


class Bank:
    """Hears of real money in Clio's ledgers and at LawPay, and books it in its own time."""

    def __init__(self, *, books: Books, gateway: Gateway, faults: Faults, seed: int) -> None:
        self.books = books
        self.gateway = gateway
        self.faults = faults
        self._random = random.Random(f"bank {seed}")
        keys = books.keys.get("bank_accounts", {})
        self.accounts = {key: self._open(key, books.get(BankAccount, ident)) for key, ident in keys.items()}
        self._key_of = {ident: key for key, ident in keys.items()}
        self.lines: list[Line] = []
        self.told: set[str] = set()
        """Ids of lines that a person has entered in Clio after the bank did it."""
        self._batches: dict[Batch, Line] = {}
        for line in books.table(BankTransaction).values():
            if line.real:
                self._add(self._key_of[line.bank_account.id], _cents(line), self.today(), "deposit", "DEPOSIT")
        books.listeners.append(self.recorded)
        gateway.listeners.append(self.processed)

    def _open(self, key: str, behind: BankAccount) -> Held:
        digits = (behind.account_number or "0000")[-4:]
        return Held(key=key, number=f"{self._random.randrange(100_000, 999_999)}{digits}", behind=behind)

    def today(self) -> date:
        """The bank's business date."""
        return _local(self.books.clock.now()).date()

    def account(self, name: str) -> Held:
        """By its key in the scenario or by its number at the bank."""
        found = next((held for held in self.accounts.values() if name in {held.key, held.number}), None)
        if found is None:
            raise Refusal(404, f"There is no account {name} at this bank.")
        return found

    def key_of(self, behind: BankAccount) -> str:
        return self._key_of[behind.id]

    def booked(self, key: str) -> list[Line]:
        """The account's lines up to today, in the order of their days."""
        today = self.today()
        return sorted((line for line in self.lines if line.account == key and line.on <= today), key=_day)

    def statement(self, name: str, start: date, end: date) -> Statement:
        """The account from `start` to `end`, both included; what is not booked yet is on no statement."""
        held = self.account(name)
        lines = self.booked(held.key)
        return Statement(
            account=held,
            start=start,
            end=end,
            opening=sum(line.amount for line in lines if line.on < start),
            closing=sum(line.amount for line in lines if line.on <= end),
            lines=tuple(line for line in lines if start <= line.on <= end),
        )

    # -- what reaches the bank ----------------------------------------------------------------------------------------

    def recorded(self, event: str, thing: Thing) -> None:
        """A person wrote a line in Clio with which money moves; Clio Payments pays out a day's payments at once."""
        if event != "created" or not isinstance(thing, BankTransaction) or not thing.real:
            return
        key, amount, source = self._key_of[thing.bank_account.id], _cents(thing), f"clio {thing.id}"
        day = business_day(self.today(), 1)
        if thing.clio_payments_transaction and amount > 0:
            batch = Batch("CLIO PAYMENTS DEPOSIT", key, self.today(), day)
            self._batch(batch, amount, source)
        elif thing.clio_payments_transaction:
            self._add(key, amount, day, "return", "CLIO PAYMENTS DEBIT", sources=[source])
        else:
            kind = "transfer" if thing.allocation is not None and thing.allocation.source_bank_account else ""
            self._move(key, amount, day, kind, source)

    def processed(self, event: Event, one: Transaction) -> None:
        """LawPay settled, paid out or took back."""
        handle = HANDLERS.get((event.type, one.type))
        if handle is not None:
            handle(self, one)

    def charge_settled(self, one: Transaction) -> None:
        """Cards arrive as one deposit a day, eChecks one by one: gross, and the fee is taken from operating."""
        key, fee, taken = one.account.bank_key, fee_of(one), _captured_on(one)
        day = business_day(taken, 2)
        fault = self._fault(key, "net_deposit", "fee_from_trust", "missing_at_bank", "amount_differs", "duplicate")
        do = fault.do if fault else ""
        arrives = one.amount - fee if do == "net_deposit" else one.amount + _off(fault)
        if do != "missing_at_bank":
            for _ in range(2 if do == "duplicate" else 1):
                self._deposit(one, Batch("LAWPAY DEPOSIT", key, taken, day), arrives)
        if do != "net_deposit":
            payer = key if do == "fee_from_trust" else self.operating_key
            self._batch(Batch("LAWPAY FEE", payer, taken, day), -fee, one.id, kind="fee")
        if fault is not None and not fault.params.get("planted"):
            self._planted(do, key, fee if "fee" in do or do == "net_deposit" else one.amount, lawpay_id=one.id)

    def _deposit(self, one: Transaction, batch: Batch, amount: int) -> None:
        if one.by_card:
            self._batch(batch, amount, one.id)
        else:
            self._add(batch.key, amount, batch.on, "deposit", "LAWPAY ECHECK", sources=[one.id])

    def refund_settled(self, one: Transaction) -> None:
        day = business_day(self.today(), 2)
        self._add(one.account.bank_key, -one.amount, day, "refund", "LAWPAY REFUND", sources=[one.id])
        self._payee(one, day)

    def credit_settled(self, one: Transaction) -> None:
        day = business_day(self.today(), 1)
        self._add(one.account.bank_key, -one.amount, day, "credit", "LAWPAY CREDIT", sources=[one.id])
        self._payee(one, day)

    def _payee(self, one: Transaction, day: date) -> None:
        """Money that the firm paid to itself arrives there."""
        if one.pays:
            self._add(one.pays, one.amount, day, "deposit", "LAWPAY CREDIT", sources=[one.id])

    def failed(self, one: Transaction) -> None:
        """Money on its way does not arrive; what did arrive, or left for a refund, is moved back. A fee stays taken."""
        moved = [line for line in self.lines if one.id in line.sources and line.kind != "fee"]
        today = self.today()
        for line in moved:
            if line.on > today and line.sources == [one.id]:
                self.lines.remove(line)
            else:
                back = -one.amount if line.amount > 0 else one.amount
                self._add(line.account, back, business_day(today, 1), "return", "LAWPAY RETURN", sources=[one.id])

    def chargeback(self, one: Transaction, amount: int, key: str) -> Line:
        """The card network takes a payment back. Only the bank shows it: the gateway's API says nothing."""
        day = business_day(self.today(), 1)
        self._add(self.operating_key, -CHARGEBACK_FEE_CENTS, day, "fee", "LAWPAY CHARGEBACK FEE", sources=[one.id])
        return self._add(key, -amount, day, "chargeback", "LAWPAY CHARGEBACK", sources=[one.id])

    def by_itself(self, key: str, amount: int, kind: str, name: str) -> Line:
        """Interest, a charge of its own, anything a bank does without being asked; booked today."""
        return self._add(self.account(key).key, amount, self.today(), kind, name)

    # -- booking ------------------------------------------------------------------------------------------------------

    def _move(self, key: str, amount: int, day: date, kind: str, source: str) -> None:
        """A cheque, a transfer or a wire that a person set going together with the line in Clio."""
        fault = self._fault(key, "missing_at_bank", "amount_differs", "duplicate") if amount > 0 else None
        do = fault.do if fault else ""
        kind = kind or ("deposit" if amount > 0 else "withdrawal")
        name = {"transfer": "TRANSFER", "deposit": "DEPOSIT", "withdrawal": "WITHDRAWAL"}[kind]
        if do != "missing_at_bank":
            for _ in range(2 if do == "duplicate" else 1):
                self._add(key, amount + _off(fault), day, kind, name, sources=[source])
        if fault is not None:
            self._planted(do, key, amount, clio_line=int(source.removeprefix("clio ")))

    def _batch(self, batch: Batch, amount: int, source: str, *, kind: str = "deposit") -> None:
        """Add to the one line that the processor sends for this account and day's payments."""
        line = self._batches.get(batch)
        if line is None:
            line = self._batches[batch] = self._add(batch.key, 0, batch.on, kind, batch.name)
        line.amount += amount
        line.sources.append(source)

    def _add(self, key: str, amount: int, day: date, kind: str, name: str, *, sources: list[str] | None = None) -> Line:
        ident = f"{day:%Y%m%d}{self._random.randrange(10**8):08d}"
        line = Line(id=ident, account=key, on=day, amount=amount, kind=kind, name=name, sources=sources or [])
        self.lines.append(line)
        return line

    @property
    def operating_key(self) -> str:
        """Where the firm's own money is, and what fees are taken from."""
        return self._key_of[self.books.operating_account().id]

    def _fault(self, key: str, *among: str) -> Fault | None:
        return self.faults.take("bank", among=among, account=key)

    def _planted(self, do: str, key: str, amount: int, **facts: object) -> None:
        self.books.journal.add("fault.planted", do, account=key, amount_cents=amount, at_bank=True, **facts)


HANDLERS = {
    ("transaction.completed", "CHARGE"): Bank.charge_settled,
    ("transaction.completed", "REFUND"): Bank.refund_settled,
    ("transaction.completed", "CREDIT"): Bank.credit_settled,
    ("transaction.failed", "CHARGE"): Bank.failed,
    ("transaction.failed", "REFUND"): Bank.failed,
    ("transaction.failed", "CREDIT"): Bank.failed,
}


def fee_of(one: Transaction) -> int:
    """What the processor takes for a charge, in whole cents."""
    return round(one.amount * CARD_FEE_PERCENT / 100) + CARD_FEE_CENTS if one.by_card else ECHECK_FEE_CENTS


def business_day(day: date, count: int) -> date:
    """The count-th day after `day` that is no Saturday or Sunday."""
    for later in _working_days(day):
        count -= 1
        if count <= 0:
            return later
    raise AssertionError("days do not end")


def _working_days(day: date) -> Iterator[date]:
    while True:
        day += timedelta(days=1)
        if day.weekday() < 5:
            yield day


def _captured_on(one: Transaction) -> date:
    """The day whose payments were captured at its end, at midnight."""
    return (_local(one.modified) - timedelta(seconds=1)).date()


def _local(moment: datetime) -> datetime:
    return moment.astimezone(EASTERN)


def _off(fault: Fault | None) -> int:
    """By how many cents the bank is off."""
    return int(fault.params.get("by_cents", -100)) if fault is not None and fault.do == "amount_differs" else 0


def _cents(line: BankTransaction) -> int:
    return int(line.amount * 100)


def _day(line: Line) -> date:
    return line.on


def shown(line: Line) -> Facts:
    return {**line.__dict__, "on": line.on.isoformat()}
