"""W9: an issued bill with trust money on its own matter → a draw proposed, its money promised, a person asked."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from orchestrator import jurisdictions
from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.bills import GONE, Bill
from orchestrator.domain.draws import Account, Denied, DrawState, Facts, Plan, Purpose, plan
from orchestrator.domain.jurisdictions import Jurisdiction
from orchestrator.domain.matters import Matter
from orchestrator.domain.money import Money
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.audit import WORKER
from orchestrator.storage.repository import Row
from orchestrator.storage.trust import NOTHING, Funds
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.choose_rail import less_paid_elsewhere
from orchestrator.usecases.confirm_accounts import refused
from orchestrator.usecases.create_task import ask_by_task
from orchestrator.usecases.late_periods import late_since

PURPOSE = "authorise_draw"
WAITS_FOR_A_PERSON = ("trust_not_signatory", "trust_notice_missing", "trust_notice_waiting")
ABOUT_A_DRAW = (*WAITS_FOR_A_PERSON, "trust_draw_lingers")
"""What a person is asked about a draw that has not left; it is asked no longer when the draw is over."""


@dataclass(frozen=True, slots=True)
class Considered:
    """A bill with the account and ledger that could pay it, and what was decided."""

    account: FirmAccount | None
    matter: Matter | None
    funds: Funds
    decision: Plan | Denied


def profile_of(rt: Runtime) -> Jurisdiction | None:
    """The profile that the firm's trust accounts are under."""
    return jurisdictions.load(rt.settings.config_dir, rt.settings.trust.jurisdiction)


def trust_accounts(rt: Runtime) -> list[FirmAccount]:
    return [account for account in rt.settings.trust.firm_accounts if account.is_trust]


def account_facts(rt: Runtime, work: Work, account: FirmAccount) -> Account:
    """What must be there before anything leaves this account (T25)."""
    return Account(
        profile=profile_of(rt),
        confirmed=rt.settings.trust.confirmed_by is not None,
        refused=refused(work, account),
        has_signatory=bool(rt.settings.trust.signatories),
        short=bool(work.trust.shortages(account.key)),
        reconciled=late_since(rt, work, account) is None,
        currency=account.currency,
    )


def consider(rt: Runtime, work: Work, bill: Bill, *, own: Row | None = None) -> Considered:
    """What trust money could pay of this bill now; `own` is its open draw, whose promise does not stand in its own way."""
    bill = less_paid_elsewhere(work, bill)
    matter = work.mirror.matters(bill.matter_ids).get(bill.matter_ids[0]) if len(bill.matter_ids) == 1 else None
    accounts = trust_accounts(rt)
    if not accounts:
        return Considered(None, matter, NOTHING, Denied("trust_nothing_available"))
    richest = _richest(rt, work, [matter]) if matter is not None else {}
    account, funds = next(iter(richest.values()), (accounts[0], NOTHING))
    if own is not None and own["ledger_id"] == funds.ledger_id:
        funds = replace(funds, reserved_cents=funds.reserved_cents - own["amount_cents"])
    facts = Facts(
        available_cents=funds.available_cents,
        frozen=funds.frozen,
        disputed_cents=work.draws.disputed(bill.id),
        reversed_=work.exceptions.is_open("payment_reversed", f"bill:{bill.id}"),
        matter_known=matter is not None and matter.client is not None,
    )
    return Considered(account, matter, funds, plan(bill, account_facts(rt, work, account), facts))


def plan_draws(rt: Runtime, work: Work, bills: Iterable[Bill]) -> None:
    """Bring each bill's one draw in line with what is right now: propose it, or take back what no longer is."""
    if not trust_accounts(rt):
        return
    known = list(bills)
    ids = [bill.id for bill in known]
    open_, declined = work.draws.open_of(ids), work.draws.declined(ids)
    for bill in known:
        draw = open_.get(bill.id)
        if draw is not None and not _stands(rt, work, bill, draw):
            draw = None
        if draw is None and rt.settings.trust.trust_first and bill.id not in declined:
            propose(rt, work, bill, actor=WORKER)


def propose(rt: Runtime, work: Work, bill: Bill, *, actor: str) -> Row | Denied:
    """Promise what the plan says and intend to ask a signatory; nothing moves (T19)."""
    found = consider(rt, work, bill)
    if isinstance(found.decision, Denied):
        return found.decision
    assert found.account is not None
    assert found.matter is not None
    assert found.funds.ledger_id is not None
    cents = found.decision.amount_cents
    today = work.now.astimezone(found.account.zone).date()
    if not work.trust.reserve(found.funds.ledger_id, cents, today=today):
        return Denied("trust_nothing_available")
    ledger = work.trust.ledger_by_id(found.funds.ledger_id)
    draw = work.draws.propose(bill_id=bill.id, purpose=Purpose.EARNED_FEE, ledger=ledger, amount_cents=cents)
    if draw is None:
        work.trust.let_go(ledger["id"], cents)
        return Denied("trust_draw_over")
    work.audit.line(
        "draw.proposed", "draw", draw["id"], actor=actor, bill_id=bill.id, cents=cents, ledger_id=ledger["id"]
    )
    _ask(work, draw, bill, found.matter, found.account)
    if rt.settings.trust.notices == "mail":
        work.jobs.add("notice.send", draw["key"], draw_id=draw["id"], bill_id=bill.id)
    return draw


def withdraw(work: Work, draw: Row, reason: str, *, actor: str = WORKER, declined: bool = False) -> None:
    """End a draw that has not left; its promise is free again, for the link or for another bill."""
    work.trust.let_go(draw["ledger_id"], draw["amount_cents"])
    work.draws.move(draw, DrawState.DECLINED if declined else DrawState.WITHDRAWN, reason=reason)
    work.exceptions.close_all(ABOUT_A_DRAW, f"draw:{draw['id']}")
    work.audit.line("draw.declined" if declined else "draw.withdrawn", "draw", draw["id"], actor=actor, why=reason)


def make_room(work: Work, ledger_id: int, cents_out: int) -> None:
    """Withdraw proposals, the newest first, until what a fact takes out of a ledger leaves its promises covered.

    What is authorised may be on its way already and is left alone: then the ledger freezes (T14).
    """
    for draw in work.draws.open_on(ledger_id):
        ledger = work.trust.ledger_by_id(ledger_id)
        if ledger["reserved_cents"] <= ledger["balance_cents"] - cents_out:
            return
        if draw["state"] == DrawState.PROPOSED:
            withdraw(work, draw, "trust_nothing_available")


def within_reach(rt: Runtime, work: Work, bills: Iterable[Bill]) -> dict[int, int]:
    """What trust money of each bill's own matter is promised to it, or free to pay it, in cents by bill.

    What a person declined is not free. A bill without such money may be left out.
    """
    if not trust_accounts(rt):
        return {}
    of_bill = {bill.id: bill.matter_ids[0] for bill in bills if len(bill.matter_ids) == 1}
    promises, declined = work.draws.open_of(of_bill), work.draws.declined(of_bill)
    richest = _richest(rt, work, work.mirror.matters(of_bill.values()).values())
    found = {bill_id: draw["amount_cents"] for bill_id, draw in promises.items()}
    for bill_id, matter_id in of_bill.items():
        if bill_id not in declined and matter_id in richest:
            found[bill_id] = found.get(bill_id, 0) + richest[matter_id][1].available_cents
    return found


def _richest(rt: Runtime, work: Work, matters: Iterable[Matter]) -> dict[int, tuple[FirmAccount, Funds]]:
    """The trust account in which each of these matters has most, if it has a client; without one it has nothing anywhere."""
    owners = [(matter.client.id, matter.id) for matter in matters if matter.client is not None]
    held = [(account, work.trust.available_to(account, owners)) for account in trust_accounts(rt)]

    def richest(owner: tuple[int, int]) -> tuple[FirmAccount, Funds]:
        pairs = [(account, funds.get(owner, NOTHING)) for account, funds in held]
        return max(pairs, key=lambda pair: (pair[1].available_cents, pair[1].balance_cents))

    return {owner[1]: richest(owner) for owner in owners} if held else {}


def _stands(rt: Runtime, work: Work, bill: Bill, draw: Row) -> bool:
    """Whether an open draw is still right. One that is authorised may have been made in Clio and not be listed yet."""
    if draw["state"] == DrawState.AUTHORISED:
        if bill.state in GONE:
            withdraw(work, draw, "bill_gone")
        return bill.state not in GONE
    decision = consider(rt, work, bill, own=draw).decision
    if isinstance(decision, Plan) and decision.amount_cents >= draw["amount_cents"]:
        return True
    withdraw(work, draw, decision.reason if isinstance(decision, Denied) else "trust_draw_too_much")
    return False


def _ask(work: Work, draw: Row, bill: Bill, matter: Matter, account: FirmAccount) -> None:
    amount = Money(draw["amount_cents"], draw["currency"])
    ask_by_task(
        work, draw["key"], PURPOSE, matter=matter, draw_id=draw["id"],
        title=f"Authorise {amount} from trust for bill {bill.number}",
        text=(
            f"Matter {matter.display_number} has money in {account.key} that can pay {amount} of bill {bill.number}. "
            "When the client has had notice, complete this task to authorise it, if you are on the firm's list of "
            "signatories; then record a payment from trust of exactly this amount in Clio and move the money at the bank."
        ),
    )  # fmt: skip
