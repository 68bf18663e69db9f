"""W5, T2: which requests for a deposit are asked for by a link, and into which accounts: trust, and nothing else."""

from orchestrator.domain.asking import Deposit
from orchestrator.domain.bills import Bill, BillKind
from orchestrator.domain.evergreen import RetainerState
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.confirm_accounts import refused
from orchestrator.usecases.plan_draws import trust_accounts

HELD = "trust_held"


def deposit_for(rt: Runtime, work: Work, bill: Bill) -> Deposit | None:
    """What a request for a deposit may be paid into; None for a bill for work, and for requests the firm sends itself."""
    if bill.kind is not BillKind.TRUST:
        return None
    retainer = work.retainers.of_bill(bill.id)
    if retainer is None and not rt.settings.links.trust_requests:
        return None
    accounts = frozenset(
        account.clio_id
        for account in trust_accounts(rt)
        if account.clio_id is not None and account.currency == rt.currency and not refused(work, account)
    )
    return Deposit(accounts, _quiet(work, bill, retainer))


def held(work: Work, matter_id: int) -> str | None:
    """Why money of this matter is in question, so that nobody is asked for more (T14, T26–T29); None when it is not."""
    if any(row["frozen"] or row["claimed_cents"] for row in work.trust.ledgers(matter_id=matter_id)):
        return HELD
    return HELD if any(map(work.draws.disputed, work.mirror.open_bill_ids_of_matter(matter_id))) else None


def _quiet(work: Work, bill: Bill, retainer: Row | None) -> str | None:
    if retainer is not None and retainer["state"] == RetainerState.OVER:
        return "evergreen_whole"
    return next(filter(None, (held(work, matter_id) for matter_id in bill.matter_ids)), None)
