"""W5, T2: which requests for a deposit are asked for by a link, and into which accounts: trust, and nothing else."""

from collections.abc import Collection, Iterable

from orchestrator.domain.asking import Deposit
from orchestrator.domain.bills import GONE, Bill, BillKind, BillState
from orchestrator.domain.evergreen import RetainerState
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.draws import DISPUTE
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.confirm_accounts import refused
from orchestrator.usecases.plan_draws import trust_accounts

HELD = "trust_held"


def deposits(rt: Runtime, work: Work, bills: Iterable[Bill]) -> dict[int, Deposit]:
    """What each request for a deposit may be paid into, by bill; without bills for work, and requests the firm sends itself."""
    requests = [bill for bill in bills if bill.kind is BillKind.TRUST]
    if not requests:
        return {}
    retainers = work.retainers.of_bills([bill.id for bill in requests])
    accounts = frozenset(
        account.clio_id
        for account in trust_accounts(rt)
        if account.clio_id is not None and account.currency == rt.currency and not refused(work, account)
    )
    in_question = held(work, {matter_id for bill in requests for matter_id in bill.matter_ids})
    return {
        bill.id: Deposit(accounts, _quiet(bill, retainers.get(bill.id), in_question))
        for bill in requests
        if bill.id in retainers or rt.settings.links.trust_requests
    }


def held(work: Work, matter_ids: Collection[int]) -> set[int]:
    """Those of these matters whose money is in question, so that nobody is asked for more (T14, T26–T29)."""
    found = {row["matter_id"] for row in work.trust.ledgers_of(matter_ids) if row["frozen"] or row["claimed_cents"]}
    disputed = [row["bill_id"] for row in work.draws.holds(kind=DISPUTE)]
    for bill in work.mirror.bills(disputed).values():
        found |= set(bill.matter_ids).intersection(matter_ids) if bill.state not in {BillState.PAID, *GONE} else set()
    return found


def _quiet(bill: Bill, retainer: Row | None, in_question: Collection[int]) -> str | None:
    if retainer is not None and retainer["state"] == RetainerState.OVER:
        return "evergreen_whole"
    return HELD if set(bill.matter_ids).intersection(in_question) else None
