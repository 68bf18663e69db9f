"""W8: the due table, and everything that follows one bill."""

from typing import Any

from orchestrator.domain.reasons import meaning
from orchestrator.domain.reminders import Dated, Step
from orchestrator.domain.reminders import Sequence as Steps
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.usecases.judge_reminders import decide, facts_of
from orchestrator.usecases.show_links import facts

LISTED = (
    "bill_id", "number", "client_name", "step", "state", "reason", "due_on", "looked_on", "silent_since", "letter_on",
    "letter_state", "message_id", "sent_at", "balance_cents", "currency",
)  # fmt: skip


def list_reminders(rt: Runtime, *, state: str | None, limit: int) -> dict[str, Any]:
    """The newest rows of the due table first, and how many steps there are in each state."""
    with rt.read() as work:
        rows = work.reminders.listed(states=[state] if state else [], limit=limit)
        return {
            "reminders": [facts(row, LISTED) | {"why": meaning(row["reason"])} for row in rows],
            "counts": work.reminders.counts(),
        }


def show_reminders(rt: Runtime, bill_id: int) -> dict[str, Any]:
    """Each step of the sequence of one bill that is here (`find_bill`): when it falls due and what became of it."""
    with rt.read() as work:
        bill = work.mirror.bills([bill_id])[bill_id]
        [known] = facts_of(rt, work, [bill])
        judged = decide(rt, known, today=rt.local_date(work.now), planning=True)
        letters = work.reminders.letters(
            [row["letter_id"] for row in known.known.values() if row["letter_id"] is not None]
        )
        audit = [line for line in work.audit.about("bill", bill_id) if line["action"].startswith("reminder.")]
    sequence = known.sequence
    gone = [row for key, row in known.known.items() if key not in {step.key for step in sequence.steps}]
    return {
        "bill_id": bill.id, "bill_number": bill.number, "state": bill.state, "sequence": sequence.name,
        "due_on": sequence.due_on(bill), "open_cents": bill.open_cents, "currency": bill.currency,
        "steps": [
            *(_step(step, sequence, known.counted, known.known.get(step.key), letters) for step in sequence.steps),
            *(_of_row(row, letters) | {"action": None, "falls_due_on": row["due_on"]} for row in gone),
        ],
        "due_now": judged.step.key if judged.step is not None else None,
        "silent_because": [
            {"reason": one.reason, "words": meaning(one.reason), "until": one.until} for one in judged.quiets
        ],
        "audit": [facts(line, ("at", "actor", "action", "facts")) for line in audit],
    }  # fmt: skip


def _step(step: Step, sequence: Steps, bill: Dated, row: Row | None, letters: dict[int, Row]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "step": step.key, "state": "not due yet", "reason": None, "why": "", "silent_since": None, "sent_at": None,
        "letter_on": None, "message_id": None,
    }  # fmt: skip
    if row is not None:
        told = _of_row(row, letters)
    return told | {"action": step.action, "falls_due_on": sequence.on(step, bill)}


def _of_row(row: Row, letters: dict[int, Row]) -> dict[str, Any]:
    letter = letters.get(row["letter_id"])
    return facts(row, ("step", "state", "reason", "silent_since", "sent_at")) | {
        "why": meaning(row["reason"]),
        "letter_on": letter["on"] if letter is not None else None,
        "message_id": letter["message_id"] if letter is not None else None,
    }
