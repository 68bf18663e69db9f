"""T26–T29: what is in dispute, or claimed by a third party, stays in trust until a person releases it."""

from typing import Any

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.draws import DrawState
from orchestrator.domain.trust import LedgerKind
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.draws import CLAIM, DISPUTE
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.plan_draws import profile_of, withdraw
from orchestrator.usecases.trial import trial

LEDGER = "ledger"


def dispute(rt: Runtime, bill_id: int, *, amount_cents: int | None, why: str, by: str, dry_run: bool) -> dict[str, Any]:
    """From now on so much of a bill (all that is open, unless said) is drawn by nobody; the rest stays drawable (T26).

    Money drawn before stays where it is: the profile says what a person does about it (T27).
    """
    with trial(rt, dry_run=dry_run) as work:
        bill = work.mirror.bills([bill_id]).get(bill_id)
        if bill is None:
            raise Rejected(f"There is no bill {bill_id}.", reason="bill_gone")
        cents = bill.total_cents if amount_cents is None else amount_cents
        hold_id = work.draws.hold(DISPUTE, amount_cents=cents, why=why, by=by, bill_id=bill_id)
        work.audit.line("trust.disputed", "bill", bill_id, actor=by, cents=cents, hold=hold_id)
        draw = work.draws.open_of([bill_id]).get(bill_id)
        if draw is not None and draw["amount_cents"] > bill.open_cents - work.draws.disputed(bill_id):
            withdraw(work, draw, "trust_disputed", actor=by)
        drawn = [row for row in work.draws.of_bill(bill_id) if row["state"] in {DrawState.POSTED, DrawState.RECONCILED}]
        ask_for_payment(rt, work, [bill_id])
        profile = profile_of(rt)
        return {
            "dry_run": dry_run, "hold": f"{DISPUTE}:{hold_id}", "bill_id": bill_id, "amount_cents": cents,
            "drawn_before": [row["id"] for row in drawn],
            "then": profile.dispute_after_draw if drawn and profile is not None else None,
        }  # fmt: skip


def claim(
    rt: Runtime, matter_id: int, *, amount_cents: int, account: str | None, why: str, by: str, dry_run: bool
) -> dict[str, Any]:
    """Hold so much of a matter's money for a third party, whatever the client says (T29)."""
    with trial(rt, dry_run=dry_run) as work:
        ledger = ledger_of_matter(rt, work, matter_id, account)
        hold_id = work.draws.hold(CLAIM, amount_cents=amount_cents, why=why, by=by, ledger_id=ledger["id"])
        work.trust.claim(ledger["id"], amount_cents)
        work.audit.line("trust.claimed", "matter", matter_id, actor=by, cents=amount_cents, hold=hold_id)
        bills = set()
        for draw in work.draws.open_on(ledger["id"]):
            now = work.trust.ledger_by_id(ledger["id"])
            if now["reserved_cents"] + now["claimed_cents"] <= now["balance_cents"]:
                break
            withdraw(work, draw, "trust_claimed", actor=by)
            bills.add(draw["bill_id"])
        ask_for_payment(rt, work, sorted(bills))
        return {
            "dry_run": dry_run, "hold": f"{CLAIM}:{hold_id}", "matter_id": matter_id, "amount_cents": amount_cents,
            "ledger_id": ledger["id"],
        }  # fmt: skip


def release(rt: Runtime, what: str, *, why: str, by: str, dry_run: bool) -> dict[str, Any]:
    """End a hold (`dispute:ID`, `claim:ID`), or the freeze of a ledger that is whole again (`ledger:ID`)."""
    kind, _, number = what.partition(":")
    if kind not in (DISPUTE, CLAIM, LEDGER) or not number.isdigit():
        raise Rejected(f"{what!r} is none of dispute:ID, claim:ID and ledger:ID.", reason="rejected")
    with trial(rt, dry_run=dry_run) as work:
        bills = _thaw(work, int(number)) if kind == LEDGER else _release(work, kind, int(number), why=why, by=by)
        work.audit.line("trust.released", kind, int(number), actor=by, why=why)
        ask_for_payment(rt, work, bills)
        return {"dry_run": dry_run, "released": what}


def ledger_of_matter(rt: Runtime, work: Work, matter_id: int, account: str | None) -> Row:
    """The one ledger of a matter that holds money, in this account if several do; `Rejected` when it is not one."""
    found = [
        row
        for row in work.trust.ledgers(account=account, matter_id=matter_id)
        if row["kind"] == LedgerKind.MATTER and _configured(rt, row["account"]) is not None
    ]
    if len(found) != 1:
        raise Rejected(
            f"Matter {matter_id} has {len(found) or 'no'} trust ledgers{' here' if account else ''}: name its account.",
            reason="trust_nothing_available",
        )
    return found[0]


def _configured(rt: Runtime, key: str) -> FirmAccount | None:
    return rt.settings.trust.account_of(key=key)


def _release(work: Work, kind: str, number: int, *, why: str, by: str) -> list[int]:
    hold = work.draws.hold_of(number)
    if hold is None or hold["kind"] != kind or not work.draws.release(number, by=by, why=why):
        raise Rejected(f"{kind}:{number} is not held.", reason="rejected")
    if kind == DISPUTE:
        return [hold["bill_id"]]
    work.trust.claim(hold["ledger_id"], -hold["amount_cents"])
    return work.mirror.open_bill_ids_of_matter(work.trust.ledger_by_id(hold["ledger_id"])["matter_id"])


def _thaw(work: Work, ledger_id: int) -> list[int]:
    work.trust.thaw(ledger_id)
    work.exceptions.close_all(("trust_shortage", "trust_return"), f"ledger:{ledger_id}")
    return work.mirror.open_bill_ids_of_matter(work.trust.ledger_by_id(ledger_id)["matter_id"])
