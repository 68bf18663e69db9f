"""A line of a bank ledger appeared or changed at Clio → one sighting more, and the client ledgers that it moves (W9, W10)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from orchestrator import jurisdictions
from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.bills import Bill, BillKind
from orchestrator.domain.kinds import Kind
from orchestrator.domain.money import Money
from orchestrator.domain.movements import MovementStatus, Source
from orchestrator.domain.trust import (
    BankLine,
    LedgerKind,
    LineKind,
    Posting,
    clears_on,
    complete,
    kind_of,
    ledger_of,
    movement_of,
    posting_of,
    within,
)
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.ports import Page, PracticeManagement
from orchestrator.storage.audit import WORKER
from orchestrator.storage.movements import to_movement
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.confirm_accounts import refused
from orchestrator.usecases.follow_draw import draw_kept, draw_left, line_undone
from orchestrator.usecases.plan_draws import make_room, profile_of
from orchestrator.usecases.replenish import replenish


class LedgerLines:
    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[BankLine]:
        return practice.ledger.by_ids(ids)

    def changed(self, practice: PracticeManagement, since: datetime, at: str | None) -> Iterator[Page[BankLine]]:
        return practice.ledger.changed(since, at)

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[BankLine]) -> Sequence[BankLine]:  # noqa: ARG002
        return read

    def apply(self, rt: Runtime, work: Work, reading: Sequence[BankLine]) -> None:
        """Show every line to reconciliation; post those of trust accounts, in Clio's own order; then decide anew (T9, T12)."""
        trust = rt.settings.trust
        bills = work.mirror.bills({line.bill_id for line in reading if line.bill_id is not None})
        work.dirty.mark(Kind.BILL, {line.bill_id for line in reading if line.bill_id is not None} - bills.keys())
        moved = within(reading)
        names = [str(line.id) for line in reading]
        payments = work.mirror.payments_of_lines([line.id for line in reading if line.online])
        standing, versions, told = work.trust.standing(names), work.trust.versions(names), work.trust.told(names)
        matters: set[int] = set()
        seen = []
        for line in sorted(reading, key=lambda one: one.id):
            if line.updated_at < told.get(str(line.id), line.updated_at):
                continue  # an older reading than what we know (F17)
            account = trust.account_of(clio_id=line.account_id)
            row = standing.get(str(line.id))
            kind = _kind(work, line, account, row, debt=_debt(line, bills), moved=moved)
            seen.append(movement_of(line, account, kind=kind, payment_id=payments.get(line.id)))
            if account is not None and account.is_trust and not refused(work, account):
                entry = _Entry(line, account, kind, row, versions.get(str(line.id), 0), moved.get(line.id))
                matters |= _post(rt, work, entry)
            elif row is not None and (account is None or account.key != row["account"]):
                matters |= _take_back(rt, work, row, why="moved out of the account in Clio", told_at=line.updated_at)
        work.movements.see(seen)
        _decide(rt, work, matters)

    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None:
        """A line that somebody deleted in Clio is taken back by a line, never dropped (T12)."""
        matters: set[int] = set()
        for row in work.trust.standing([str(ident) for ident in ids]).values():
            matters |= _take_back(rt, work, row, why="deleted in Clio")
        heads = work.movements.heads(Source.CLIO_LEDGER, [str(ident) for ident in ids])
        work.movements.see([replace(to_movement(row), status=MovementStatus.VOIDED) for row in heads.values()])
        _decide(rt, work, matters)

    def news(self, work: Work, read: Sequence[BankLine]) -> int:
        known = work.trust.standing([str(line.id) for line in read])
        return sum(_changed(known.get(str(line.id)), line) for line in read)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line with all that decides about posting it; `source` is the line whose money it is, when no bank moved any."""

    line: BankLine
    account: FirmAccount
    kind: LineKind
    standing: Row | None
    versions: int
    source: int | None


def _debt(line: BankLine, bills: Mapping[int, Bill]) -> bool:
    bill = bills.get(line.bill_id or 0)
    # Of a bill that nobody has read yet only the sign speaks: money in waits as a deposit, money out paid it.
    return bill.kind is BillKind.REVENUE if bill is not None else line.bill_id is not None and line.amount_cents < 0


def _kind(
    work: Work, line: BankLine, account: FirmAccount | None, row: Row | None, *, debt: bool, moved: Mapping[int, int]
) -> LineKind:
    """What a line is, in the light of the lines beside it and of what it takes back."""
    if line.id in moved or line.id in moved.values():
        return LineKind.TRANSFER
    if row is not None and row["kind"] == LineKind.TRANSFER and row["amount_cents"] == line.amount_cents:
        return LineKind.TRANSFER  # its other half need not be read again with it
    kind = kind_of(line, debt=debt)
    if kind is LineKind.DISBURSEMENT and account is not None and line.confirmation:
        back = work.trust.deposited(ledger_of(line, account), reference=line.confirmation, cents=-line.amount_cents)
        return LineKind.RETURN if back else kind
    return kind


def _changed(row: Row | None, line: BankLine) -> bool:
    return row is None or (row["told_at"] is not None and row["told_at"] < line.updated_at)


def _clears(rt: Runtime, work: Work, entry: _Entry) -> date | None:
    """A deposit waits until it has cleared; money that changed its owner waits as long as it would have there (T13)."""
    if entry.source is not None:
        out = work.trust.standing([str(entry.source)]).get(str(entry.source))
        return work.trust.clears_last(out["ledger_id"]) if out is not None else None
    return clears_on(entry.line, entry.kind, profile_of(rt) or jurisdictions.strictest(rt.settings.config_dir))


def _post(rt: Runtime, work: Work, entry: _Entry) -> set[int]:
    """Post a new line, or correct the one that stands; returns the matters whose money moved."""
    line, account, standing = entry.line, entry.account, entry.standing
    if standing is not None and standing["account"] == account.key and not _changed(standing, line):
        return set()
    if not line.amount_cents:  # somebody corrected it to nothing, or it never moved any money
        why = "corrected to nothing in Clio"
        return _take_back(rt, work, standing, why=why, told_at=line.updated_at) if standing is not None else set()
    posting = posting_of(
        line, account, kind=entry.kind, version=entry.versions + 1, clears=_clears(rt, work, entry)
    )  # fmt: skip
    if not _can_stand(work, posting, account):
        return set()
    matters: set[int] = set()
    if standing is not None:
        if _same(work, standing, posting):
            return matters
        kept = draw_kept(work, standing, posting)
        matters |= _take_back(rt, work, standing, why="changed in Clio", told_at=line.updated_at, kept=kept is not None)
    else:
        kept = None
    ledger = work.trust.ledger(posting.ledger, currency=account.currency)
    draw = kept or (draw_left(rt, work, ledger, posting) if entry.kind is LineKind.DRAW else None)
    if line.amount_cents < 0:
        make_room(work, ledger["id"], -line.amount_cents)
    row = work.trust.post(posting, currency=account.currency)
    if row is None:
        return matters
    if draw is not None:
        draw.posted(work, row)
    _tell(rt, work, account, row)
    if posting.ledger.matter_id is not None:
        matters.add(posting.ledger.matter_id)
    return matters


def _can_stand(work: Work, posting: Posting, account: FirmAccount) -> bool:
    """Whether a ledger may have this line; a person is asked about one that it may not, and no other line waits for it (T50)."""
    key = f"line:{posting.external_id}"
    try:
        complete(posting, currency=account.currency)
    except Rejected as refusal:
        work.exceptions.open(
            refusal.reason, key, f"Line {posting.external_id} of {account.key} is in no client ledger: {refusal}",
            money_cents=abs(posting.amount_cents),
        )  # fmt: skip
        return False
    work.exceptions.close_all(("currency_mismatch", "trust_line_incomplete"), key)
    return True


def _same(work: Work, row: Row, posting: Posting) -> bool:
    """Whether a changed record still says the same of the money: then there is nothing to correct."""
    ledger = work.trust.ledger_by_id(row["ledger_id"])
    place = (ledger["account"], ledger["kind"], ledger["client_id"], ledger["matter_id"])
    own = posting.ledger
    return place == (own.account, own.kind, own.client_id or 0, own.matter_id or 0) and all(
        row[name] == getattr(posting, name)
        for name in ("kind", "amount_cents", "currency", "effective_on", "bill_id", "reference")
    )


def _take_back(
    rt: Runtime, work: Work, row: Row, *, why: str, told_at: datetime | None = None, kept: bool = False
) -> set[int]:  # fmt: skip
    """Reverse a line in the ledger where it stands, whatever account its record names now (T12); its draw may be `kept`."""
    account = rt.settings.trust.account_of(key=row["account"])
    if account is None:
        return set()
    if row["amount_cents"] > 0:
        make_room(work, row["ledger_id"], row["amount_cents"])
    today = work.now.astimezone(account.zone).date()
    undone = work.trust.reverse(row, on=today, actor=WORKER, why=why, told_at=told_at)
    if undone is None:
        return set()
    if not kept:
        line_undone(work, row)
    work.exceptions.close("trust_owner_unknown", f"line:{row['id']}")
    work.audit.line("trust.line_reversed", "trust_line", row["id"], cents=row["amount_cents"], why=why)
    _tell(rt, work, account, undone)
    matter_id = work.trust.ledger_by_id(row["ledger_id"])["matter_id"]
    return {matter_id} if matter_id else set()


def _tell(rt: Runtime, work: Work, account: FirmAccount, row: Row) -> None:
    """Ask for a person where a fact needs one; what was there before we first looked is history."""
    ledger = work.trust.ledger_by_id(row["ledger_id"])
    amount = Money(abs(row["amount_cents"]), row["currency"])
    if work.dirty.watermark(Kind.LEDGER) is None:
        _thaw_history(work, ledger)
    elif row["kind"] == LineKind.RETURN:
        work.trust.freeze(ledger["id"], by=f"return:{row['external_id']}")
        work.exceptions.open(
            "trust_return", f"ledger:{ledger['id']}",
            f"{amount} of a deposit into {account.key} for matter {ledger['matter_id']} went back.",
            subject=("matter", ledger["matter_id"]), money_cents=-row["amount_cents"],
        )  # fmt: skip
    elif row["kind"] == LineKind.FEE:
        work.exceptions.open(
            "trust_fee_debited", f"line:{row['id']}", f"{amount} was taken out of {account.key} and belongs to no client.",
            money_cents=-row["amount_cents"],
        )  # fmt: skip
    if ledger["kind"] == LedgerKind.SUSPENSE and row["kind"] == LineKind.DEPOSIT:
        work.exceptions.open(
            "trust_owner_unknown", f"line:{row['id']}", f"{amount} in {account.key} names no client and no matter.",
            money_cents=row["amount_cents"],
        )  # fmt: skip
    ledger = work.trust.ledger_by_id(row["ledger_id"])
    if ledger["balance_cents"] < 0:
        short = Money(-ledger["balance_cents"], ledger["currency"])
        profile = profile_of(rt) or jurisdictions.strictest(rt.settings.config_dir)
        work.exceptions.open(
            "trust_shortage", f"ledger:{ledger['id']}",
            f"Ledger {ledger['id']} of {account.key} is {short} short: cure within {profile.shortage_cure_business_days} "
            f"business days. {profile.shortage_report}",
            subject=("matter", ledger["matter_id"]), money_cents=-ledger["balance_cents"],
        )  # fmt: skip
    elif not ledger["frozen"]:
        work.exceptions.close("trust_shortage", f"ledger:{ledger['id']}")


def _thaw_history(work: Work, ledger: Row) -> None:
    """What was short once and is whole again was settled before anybody looked here."""
    if ledger["frozen"] and 0 <= ledger["reserved_cents"] <= ledger["balance_cents"]:
        work.trust.thaw(ledger["id"])


def _decide(rt: Runtime, work: Work, matters: Collection[int]) -> None:
    """Money of a matter moved: what its open bills may take from it, and ask for, is decided anew."""
    bills = {bill_id for matter_id in matters for bill_id in work.mirror.open_bill_ids_of_matter(matter_id)}
    replenish(rt, work, matters)
    if bills:
        ask_for_payment(rt, work, sorted(bills))
