"""T6, T10: money moved between ledgers of one account by a person's word, as a pair of lines that no bank will ever show."""

from dataclasses import dataclass
from typing import Any

from orchestrator.domain.ids import effect_key
from orchestrator.domain.money import Money
from orchestrator.domain.trust import Ledger, LedgerKind, LineKind, Origin, Posting
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.hold_trust import ledger_of_matter
from orchestrator.usecases.trial import trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """So much from one ledger of an account to another; the key of facts makes it happen once (T23)."""

    source: Ledger
    target: Ledger
    cents: int
    currency: str
    key: str
    purpose: str
    by: str
    why: str


def set_aside(
    rt: Runtime, matter_id: int, *, amount_cents: int, account: str | None, back: bool, why: str, by: str, dry_run: bool
) -> dict[str, Any]:
    """Keep money of a matter for a purpose, out of reach for fees; `back` frees it again (T10)."""
    _require_signatory(rt, by)
    with trial(rt, dry_run=dry_run) as work:
        free = ledger_of_matter(rt, work, matter_id, account)
        general = Ledger(free["account"], LedgerKind.MATTER, free["client_id"], matter_id)
        kept = Ledger(free["account"], LedgerKind.RESTRICTED, free["client_id"], matter_id)
        key = effect_key("set-aside", free["id"], work.now, amount_cents, str(back))[:32]
        _shift(
            work,
            Shift(
                source=kept if back else general, target=general if back else kept, cents=amount_cents,
                currency=free["currency"], key=key, purpose="set aside", by=by, why=why,
            ),
            on=work.now.astimezone(_zone(rt, free)).date(),
        )  # fmt: skip
        ask_for_payment(rt, work, work.mirror.open_bill_ids_of_matter(matter_id))
        return {"dry_run": dry_run, "matter_id": matter_id, "amount_cents": amount_cents, "back": back}


def assign_to_firm(rt: Runtime, line_id: int, *, why: str, by: str, dry_run: bool) -> dict[str, Any]:
    """A deposit that names nobody is the firm's own money for bank charges, up to the cap (T6)."""
    _require_signatory(rt, by)
    with trial(rt, dry_run=dry_run) as work:
        line = work.trust.line(line_id)
        ledger = work.trust.ledger_by_id(line["ledger_id"]) if line is not None else None
        if line is None or ledger is None or ledger["kind"] != LedgerKind.SUSPENSE or line["amount_cents"] <= 0:
            raise Rejected(f"Line {line_id} is no deposit in suspense.", reason="rejected")
        charges = Ledger(line["account"], LedgerKind.FIRM_CHARGES)
        held = work.trust.ledger(charges, currency=line["currency"])["balance_cents"]
        if held + line["amount_cents"] > rt.settings.trust.firm_money_cap_cents:
            there = Money(held + line["amount_cents"], line["currency"])
            raise Rejected(
                f"With it {there} of the firm's own would lie in {line['account']}.", reason="trust_firm_money"
            )
        _shift(
            work,
            Shift(
                source=Ledger(line["account"], LedgerKind.SUSPENSE), target=charges, cents=line["amount_cents"],
                currency=line["currency"], key=f"assign:{line_id}", purpose="firm charges", by=by, why=why,
            ),
            on=work.now.astimezone(_zone(rt, ledger)).date(),
        )  # fmt: skip
        work.exceptions.close("trust_owner_unknown", f"line:{line_id}")
        return {"dry_run": dry_run, "line_id": line_id, "amount_cents": line["amount_cents"]}


def _shift(work: Work, shift: Shift, *, on: Any) -> None:
    for ledger, cents, end in ((shift.source, -shift.cents, "out"), (shift.target, shift.cents, "in")):
        work.trust.post(
            Posting(
                ledger=ledger, origin=Origin.OURS, external_id=f"{shift.key}:{end}", version=1, kind=LineKind.SET_ASIDE,
                amount_cents=cents, currency=shift.currency, on=on, effective_on=on, party="the same account",
                purpose=shift.purpose, reference=shift.key, actor=shift.by, authoriser=shift.by, why=shift.why,
            ),
            currency=shift.currency,
        )  # fmt: skip
    work.audit.line("trust.shifted", "trust_line", shift.key[:32], actor=shift.by, cents=shift.cents, why=shift.why)


def _require_signatory(rt: Runtime, by: str) -> None:
    if rt.settings.trust.signatory(name=by) is None:
        raise Rejected(f"{by} is not on the list of signatories.", reason="trust_not_signatory")


def _zone(rt: Runtime, ledger: Row) -> Any:
    account = rt.settings.trust.account_of(key=ledger["account"])
    return account.zone if account is not None else rt.settings.firm.zone
