"""W8: a bill nobody reacts to → one high-priority Clio task for the responsible attorney, whose key is of (bill, step)."""

from datetime import date
from typing import Any

from orchestrator.domain.bills import Bill
from orchestrator.domain.ids import effect_key, short_key
from orchestrator.domain.matters import Matter
from orchestrator.domain.money import Money
from orchestrator.domain.silence import Quiet
from orchestrator.engine.effects import Intent, Unneeded
from orchestrator.storage.audit import WORKER
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.create_task import CreateTask
from orchestrator.usecases.judge_reminders import Judged, decide, facts_of
from orchestrator.usecases.read_standings import read_standings

PURPOSE = "unpaid_bill"
TOPIC = "reminder.flag"
AT_ONCE = 200


def flag_to_attorney(work: Work, one: Judged, matter: Matter, *, today: date) -> None:
    """Intend the task; asked for again on a later day it is the same task, under the same key (I1)."""
    assert one.step is not None
    bill, due_on = one.bill, one.facts.sequence.due_on(one.bill)
    key = effect_key("reminder", bill.id, one.step.key)
    overdue = f"{(today - due_on).days} days overdue" if due_on is not None else "still unpaid"
    amount, marked = _amount(bill), short_key(key)
    payload: dict[str, Any] = {
        "key": key, "purpose": PURPOSE, "matter_id": matter.id, "bill_id": bill.id, "step": one.step.key,
        "amount_cents": bill.open_cents,
        "name": f"Invoice {bill.number} is {overdue}: {amount} [{marked}]",
        "description": (
            f"Invoice {bill.number} of {matter.display_number} was due on {due_on}; {amount} is still open after every reminder. "
            "Please decide how to go on with the client: a call, a payment plan, or a write-off in Clio. "
            f"Reference {marked}."
        ),
    }  # fmt: skip
    work.tasks.intend(key, PURPOSE, matter_id=matter.id, bill_id=bill.id, step=one.step.key)
    work.jobs.add(TOPIC, key, today.isoformat(), **payload)


def _amount(bill: Bill) -> str:
    return str(Money(bill.open_cents, bill.currency or "USD"))


class FlagToAttorney(CreateTask):
    """The task, unless the bill has fallen silent since it was planned; a paid bill is nobody's task."""

    quiets: tuple[Quiet, ...] = ()

    def look(self) -> Intent | Unneeded:
        rt, payload = self.rt, self.job.payload
        with rt.read() as work:
            due = {int(one["bill_id"]) for one in work.jobs.due_payloads(TOPIC, limit=AT_ONCE - 1)}
        read_standings(rt, self.job, sorted(due | {payload["bill_id"]}))
        with rt.read() as work:
            bills = work.mirror.bills([payload["bill_id"]])
            [facts] = facts_of(rt, work, list(bills.values()))
            judged = decide(rt, facts, today=rt.local_date(work.now), planning=False)
        if judged.step is None or judged.step.key != payload["step"]:
            return Unneeded("reminder_overtaken")
        if judged.quiets:
            self.quiets = judged.quiets
            return Unneeded(judged.quiets[0].reason)
        looked = super().look()
        return looked if isinstance(looked, Unneeded) else looked | {"high_priority": True}

    def record(self, work: Work, intent: Intent, made: int) -> None:
        super().record(work, intent, made)
        payload = self.job.payload
        work.reminders.done(payload["bill_id"], payload["step"], at=work.now)
        work.audit.line("reminder.flagged", "bill", payload["bill_id"], actor=WORKER, step=payload["step"], task=made)

    def unneeded(self, work: Work, reason: str) -> None:
        payload = self.job.payload
        quiets = self.quiets or (Quiet(reason),)
        work.reminders.fall_silent(payload["bill_id"], payload["step"], quiets, today=self.rt.local_date(work.now))
        work.audit.line("reminder.withheld", "bill", payload["bill_id"], why=reason)
