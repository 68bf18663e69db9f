"""W5, rail `lawpay_page`: a wanted page → its address under our reference, without a call; the message is intended with it."""

from datetime import timedelta

from orchestrator.domain.asking import Ask
from orchestrator.domain.lawpay_pages import key_of, page_address, reference_of
from orchestrator.domain.links import Bringer, LinkState
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.usecases.ask_for_payment import ask_for_payment, what_to_ask
from orchestrator.usecases.fresh_bills import refresh
from orchestrator.usecases.match_lawpay import judge
from orchestrator.usecases.want_message import want_message


def open_page(job: Job, rt: Runtime) -> None:
    """Make the address on a bill that was read just now, or take the wish back; the same link always gets the same one."""
    refresh(rt, job, since_due=False)
    with step(rt, job) as work:
        link = work.links.get(job.payload["link_id"])
        bill = work.mirror.bills([job.payload["bill_id"]]).get(job.payload["bill_id"])
        if link is None or bill is None or link["state"] != LinkState.RESERVED:
            return
        ask = what_to_ask(rt, work, bill)
        if not isinstance(ask, Ask) or (ask.amount_cents, ask.account) != (link["amount_cents"], link["account"]):
            reason = "link_replaced" if isinstance(ask, Ask) else ask.reason
            work.links.move(link, LinkState.WITHDRAWN, reason=reason)
            ask_for_payment(rt, work, [bill.id])
            return
        matters = list(work.mirror.matters(bill.matter_ids).values())
        number = matters[0].display_number if len(matters) == 1 else None
        reference = reference_of(link["key"], matter_number=number, bill_number=bill.number)
        page = rt.settings.lawpay.pages[link["account"]]
        work.links.move(
            link, LinkState.LIVE, reference=reference, reference_key=key_of(link["key"]), paid_before_cents=bill.paid_cents,
            url=page_address(page, amount_cents=link["amount_cents"], reference=reference),
            expires_at=work.now + timedelta(days=rt.settings.links.days),
        )  # fmt: skip
        work.audit.line(
            "link.created", "link", link["id"], bill_id=bill.id, cents=link["amount_cents"], rail=link["rail"]
        )
        if link["brought_by"] == Bringer.MESSAGE:
            want_message(rt, work, link)
        # A database that was restored makes a page anew that may have been paid in the past it lost (F57).
        for charge_id in work.gateway.under(reference):
            judge(rt, work, charge_id, {bill.id: bill})
