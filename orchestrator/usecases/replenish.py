"""W5, W9: a matter's trust money fell below its evergreen level → one request to fill it up; back at its level → over."""

from collections.abc import Collection
from datetime import timedelta

from orchestrator.domain.bills import GONE, Bill, BillState
from orchestrator.domain.evergreen import Level, RetainerState, level_of, missing_cents
from orchestrator.domain.ids import effect_key
from orchestrator.domain.kinds import Kind
from orchestrator.domain.matters import Matter, MatterStatus
from orchestrator.domain.money import Money
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.create_task import ask_by_task
from orchestrator.usecases.plan_draws import trust_accounts
from orchestrator.usecases.take_deposits import HELD, held

UNLISTED = timedelta(days=3)
"""How long after its request was paid a deposit may be missing from the ledger before the level is judged without it."""

UNREADABLE = "evergreen_unreadable"
WHOLE = "evergreen_whole"


def replenish(rt: Runtime, work: Work, matter_ids: Collection[int]) -> None:
    """Bring each matter's one request in line with its trust money; nothing before the ledgers were read once."""
    if not rt.settings.trust.evergreen.on or not matter_ids or work.dirty.watermark(Kind.LEDGER) is None:
        return
    for matter in work.mirror.matters(matter_ids).values():
        _judge(rt, work, matter)


def below(rt: Runtime, work: Work, matter: Matter) -> tuple[Level | None, int]:
    """A matter's level, and what it has in trust, deposits that have not cleared included: those are on their way already."""
    evergreen = rt.settings.trust.evergreen
    fit = [one for one in evergreen.defaults if one.practice_area in (None, matter.practice_area)]
    # A default for the practice area goes before one for all.
    fit.sort(key=lambda one: one.practice_area is None)
    default = Level(fit[0].threshold_cents, fit[0].target_cents) if fit else None
    level = level_of(
        matter.custom_fields, threshold_field=evergreen.threshold_field, target_field=evergreen.target_field, default=default
    )  # fmt: skip
    keys = {account.key for account in trust_accounts(rt)}
    own = [row for row in work.trust.ledgers(matter_id=matter.id) if row["account"] in keys]
    return level, sum(row["balance_cents"] for row in own)


def quiet(rt: Runtime, work: Work, matter: Matter) -> str | None:
    """Why nobody is asked to fill this matter's money up; None when somebody may be."""
    if matter.status is not MatterStatus.OPEN:
        return "matter_closed"
    if matter.client is None:
        return "client_missing"
    if not any(account.currency == rt.currency for account in trust_accounts(rt)):
        return "no_link_account"
    open_bills = work.mirror.bills(work.mirror.trust_bill_ids_of_matter(matter.id)).values()
    ours = work.retainers.of_bills([bill.id for bill in open_bills])
    if any(bill.state not in GONE and bill.open_cents > 0 and bill.id not in ours for bill in open_bills):
        return "trust_request_open"
    return HELD if held(work, [matter.id]) else None


def _judge(rt: Runtime, work: Work, matter: Matter) -> None:
    try:
        level, balance = below(rt, work, matter)
    except Rejected as refusal:
        work.exceptions.open(UNREADABLE, f"matter:{matter.id}", str(refusal), subject=("matter", matter.id))
        return
    work.exceptions.close(UNREADABLE, f"matter:{matter.id}")
    retainer = work.retainers.open_of(matter.id)
    if retainer is not None:
        _follow(work, matter, retainer, whole=level is None or balance >= level.threshold_cents)
        return
    cents = missing_cents(level, balance) if level is not None else 0
    if level is None or not cents or quiet(rt, work, matter) is not None or _refused_by_hand(work, matter.id, balance):
        return
    assert matter.client is not None
    wanted = work.retainers.want(
        matter_id=matter.id, client_id=matter.client.id, amount_cents=cents, currency=rt.currency,
        threshold_cents=level.threshold_cents, balance_cents=balance,
    )  # fmt: skip
    if wanted is not None:
        work.jobs.add("trust.request", wanted["key"], retainer_id=wanted["id"], matter_id=matter.id)
        work.audit.line(
            "retainer.wanted", "matter", matter.id, cents=cents, balance=balance, level=level.threshold_cents
        )


def _refused_by_hand(work: Work, matter_id: int, balance: int) -> bool:
    """Whether a person took the last request back at this balance: the same is not asked again before it falls further."""
    last = work.retainers.last_of(matter_id)
    return last is not None and last["reason"] == "bill_gone" and balance >= last["balance_cents"]


def _follow(work: Work, matter: Matter, retainer: Row, *, whole: bool) -> None:
    """An open request: find its bill, and end it when the money is back, or when there is nothing left of it."""
    if retainer["state"] != RetainerState.WANTED and retainer["bill_id"] is None:
        found = _bill_of(work, matter.id, retainer)
        if found is not None:
            work.retainers.answered(retainer, found.id)
            work.audit.line("retainer.asked", "bill", found.id, retainer=retainer["id"], cents=found.total_cents)
            retainer = {**retainer, "bill_id": found.id}  # type: ignore[assignment]
    bill = work.mirror.bills([retainer["bill_id"]]).get(retainer["bill_id"]) if retainer["bill_id"] else None
    paid = bill is not None and bill.state is BillState.PAID
    if bill is not None and bill.state in GONE:
        end(work, retainer, "bill_gone")
    elif whole:
        end(work, retainer, WHOLE)
        if bill is not None and not paid:
            _take_back(work, matter, retainer, bill)
    elif paid and bill is not None and bill.updated_at <= work.now - UNLISTED:
        end(work, retainer, "payment_recorded")


def end(work: Work, retainer: Row, reason: str) -> None:
    """The request is over."""
    work.retainers.move(retainer, RetainerState.OVER, reason=reason)
    work.audit.line("retainer.over", "matter", retainer["matter_id"], retainer=retainer["id"], why=reason)


def _bill_of(work: Work, matter_id: int, retainer: Row) -> Bill | None:
    """The trust bill that a request became: of this matter alone, seen since, nobody else's, and the only one that fits.

    What Clio made for us has our amount; what a person was asked to make may have another.
    """
    bills = work.mirror.bills(work.mirror.trust_bill_ids_of_matter(matter_id))
    taken = work.retainers.of_bills(bills.keys())
    fit = [
        bill
        for bill in bills.values()
        if bill.id not in taken
        and bill.matter_ids == (matter_id,)
        and bill.state not in GONE
        and bill.created_at >= retainer["created_at"] - timedelta(minutes=10)
        and (retainer["state"] == RetainerState.TASKED or bill.total_cents == retainer["amount_cents"])
    ]
    return fit[0] if len(fit) == 1 else None


def _take_back(work: Work, matter: Matter, retainer: Row, bill: Bill) -> None:
    """Clio documents no call of ours for a trust request that is not wanted any more: its link ends, and a person voids it."""
    amount = Money(bill.open_cents, bill.currency or retainer["currency"])
    ask_by_task(
        work, effect_key("void-trust-request", bill.id), "void_trust_request", matter=matter,
        title=f"Void trust request {bill.number}: the retainer is whole again",
        text=(
            f"The trust money of {matter.display_number} is back at its level, and {amount} of trust request {bill.number} are "
            "still asked for. Its payment link ends now. Please void the request in Clio."
        ),
    )  # fmt: skip
