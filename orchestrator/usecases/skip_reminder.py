"""W8: a person skips one step of one bill; the next step follows on its day."""

from typing import Any

from orchestrator.domain.reminders import OVER, LetterState, ReminderState
from orchestrator.domain.silence import Quiet
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.reminders import told_of
from orchestrator.usecases.judge_reminders import sequences_of
from orchestrator.usecases.trial import trial

BY_HAND = "reminder_skipped_by_hand"


def skip_reminder(rt: Runtime, bill_id: int, step_key: str, *, by: str, dry_run: bool) -> dict[str, Any]:
    """Skip this step, due already or not, for good; `Rejected` says why it cannot be."""
    with trial(rt, dry_run=dry_run) as work:
        bill = work.mirror.bills([bill_id])[bill_id]
        sequence = sequences_of(rt, work, [bill])[bill_id]
        step = next((one for one in sequence.steps if one.key == step_key), None)
        if step is None:
            known = ", ".join(one.key for one in sequence.steps)
            raise Rejected(f"The sequence of bill {bill.number} has no step {step_key!r}: it has {known}.")
        row = work.reminders.of_bills([bill_id]).get(bill_id, {}).get(step_key)
        if row is not None and row["state"] in OVER:
            raise Rejected(f"Step {step_key} of bill {bill.number} is {row['state']} already.")
        if row is not None and row["letter_state"] == LetterState.UNKNOWN:
            raise Rejected(f"Step {step_key} of bill {bill.number} may have been sent: settle its job first.")
        today = rt.local_date(work.now)
        work.reminders.put(
            [
                {
                    "bill_id": bill_id, "step": step_key, "state": ReminderState.SKIPPED,
                    "due_on": sequence.on(step, bill) or today, "looked_on": today, "letter_id": None,
                    **told_of([Quiet(BY_HAND)], since=row["silent_since"] if row is not None else None, today=today),
                }
            ]
        )  # fmt: skip
        work.audit.line("reminder.skipped", "bill", bill_id, actor=by, step=step_key)
    return {"dry_run": dry_run, "bill_id": bill_id, "bill_number": bill.number, "step": step_key}
