"""W9: an operator asks for a draw of one bill, or what it would be."""

from typing import Any

from orchestrator.domain.draws import Denied
from orchestrator.domain.reasons import meaning
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.plan_draws import propose
from orchestrator.usecases.trial import trial


def propose_draw(rt: Runtime, bill_id: int, *, by: str, dry_run: bool) -> dict[str, Any]:
    """Propose what the plan allows; `Rejected` with the reason when it allows nothing."""
    with trial(rt, dry_run=dry_run) as work:
        bill = work.mirror.bills([bill_id]).get(bill_id)
        if bill is None:
            raise Rejected(f"There is no bill {bill_id}.", reason="bill_gone")
        draw = propose(rt, work, bill, actor=by)
        if isinstance(draw, Denied):
            raise Rejected(f"Nothing is drawn for bill {bill.number}: {meaning(draw.reason)}.", reason=draw.reason)
        said = {"dry_run": dry_run, **dict(draw)}
        ask_for_payment(rt, work, [bill_id])
        return said
