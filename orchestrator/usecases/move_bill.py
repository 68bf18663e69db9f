"""W4: a matched draft → submitted or issued by us, where the firm switched that on and Clio offers it."""

from collections.abc import Sequence

from orchestrator.domain.bills import Bill, BillState
from orchestrator.domain.kinds import Kind
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work


def move_along(rt: Runtime, work: Work, bill: Bill) -> None:
    """Intend the next state of a bill that answers a request of ours and carries approved entries only."""
    target = _target(rt, bill)
    if target is None or target not in bill.next_states:
        return
    row = work.mirror.bill_rows([bill.id])[bill.id]
    carried = [entry["id"] for entry in work.mirror.entries_on_bills([bill.id])]
    if row["request_id"] is None or not carried or work.approvals.standing(carried) != set(carried):
        return
    work.jobs.add("bill.move", bill.id, bill.state, target, bill_id=bill.id, target=target)


def _target(rt: Runtime, bill: Bill) -> BillState | None:
    if bill.state is BillState.DRAFT and rt.settings.billing.submit_drafts:
        return BillState.AWAITING_APPROVAL
    if bill.state in (BillState.DRAFT, BillState.AWAITING_APPROVAL) and rt.settings.billing.issue_approved:
        return BillState.AWAITING_PAYMENT
    return None


class MoveBill(Effect[Bill]):
    """One step of the state ladder, under If-Match; refused, it becomes a person's task (API notes §1)."""

    sees_itself = True

    def look(self) -> Intent | Unneeded:
        bill = self.rt.practice(Urgency(self.job.urgency)).bill(self.job.payload["bill_id"])
        target = BillState(self.job.payload["target"])
        if bill.state is target or target not in bill.next_states:
            return Unneeded("bill_changed")
        return {"bill_id": bill.id, "etag": bill.etag, "state": target}

    def send(self, intent: Intent) -> Bill:
        practice = self.rt.practice(Urgency(self.job.urgency))
        return practice.move_bill(intent["bill_id"], intent["etag"], BillState(intent["state"]))

    def search(self, intent: Intent) -> Sequence[Bill]:
        bill = self.rt.practice(Urgency(self.job.urgency)).bill(intent["bill_id"])
        return [bill] if bill.state == intent["state"] else []

    def record(self, work: Work, intent: Intent, made: Bill) -> None:
        work.audit.line("bill.moved", "bill", made.id, state=intent["state"])
        # What follows from the new state is decided where every reading of a bill is, webhook or none.
        work.dirty.mark(Kind.BILL, [made.id])

    def unneeded(self, work: Work, reason: str) -> None:  # noqa: ARG002
        work.dirty.mark(Kind.BILL, [self.job.payload["bill_id"]])
