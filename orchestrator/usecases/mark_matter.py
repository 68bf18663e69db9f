"""W7: the bill decides "paid" → the matter's custom field says so, and says otherwise when money goes back."""

from collections.abc import Sequence

from orchestrator.domain.bills import Bill, BillState
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work

YES, NO = "true", "false"


def mark_matters(rt: Runtime, work: Work, bill: Bill, *, was: str | None) -> None:
    """Intend the field's right value on a bill's matters when the bill became paid, or is paid no longer."""
    paid = bill.state is BillState.PAID
    if rt.settings.notes.paid_field is None or paid == (was == BillState.PAID):
        return
    for matter_id in bill.matter_ids:
        facts = (matter_id, bill.id, bill.state, bill.updated_at.isoformat())
        work.jobs.add("matter.mark", *facts, matter_id=matter_id, bill_id=bill.id)


class MarkMatter(Effect[str]):
    """The field as it should be now: yes once the matter has paid bills and owes nothing on an issued one."""

    sees_itself = True

    def look(self) -> Intent | Unneeded:
        field = self.rt.settings.notes.paid_field
        matter_id = self.job.payload["matter_id"]
        with self.rt.read() as work:
            states = work.mirror.bill_states_of_matter(matter_id)
        wanted = YES if BillState.PAID in states and BillState.AWAITING_PAYMENT not in states else NO
        if field is None or self._current(field, matter_id) == wanted:
            return Unneeded("bill_settled")
        return {"matter_id": matter_id, "name": field, "value": wanted}

    def send(self, intent: Intent) -> str:
        self.rt.practice(Urgency(self.job.urgency)).set_matter_field(**intent)
        return str(intent["value"])

    def search(self, intent: Intent) -> Sequence[str]:
        current = self._current(intent["name"], intent["matter_id"])
        return [current] if current is not None and current == intent["value"] else []

    def record(self, work: Work, intent: Intent, made: str) -> None:
        work.audit.line("matter.marked", "matter", intent["matter_id"], field=intent["name"], value=made)

    def _current(self, field: str, matter_id: int) -> str | None:
        value = self.rt.practice(Urgency(self.job.urgency)).matter_field(matter_id, field)
        return value.lower() if value is not None else None
