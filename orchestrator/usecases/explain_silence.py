"""W8: why a bill's steps were done or not, in words, and what would change it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from orchestrator.domain.reasons import advice, meaning
from orchestrator.domain.reminders import NOT_YET_READ, LetterState, ReminderState, Step
from orchestrator.domain.silence import PASSES, Quiet, quiet
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.usecases.hold_reminders import told
from orchestrator.usecases.judge_reminders import Facts, decide, facts_of
from orchestrator.usecases.read_standings import holds_on, rules_of


def explain_silence(rt: Runtime, bill_id: int) -> dict[str, Any]:
    """Each step of a bill's sequence with what became of it and every reason, and what silences the bill now.

    It is told from what was last read (`read_at`), of a bill that is here (`find_bill`).
    """
    with rt.read() as work:
        row = work.mirror.bill_rows([bill_id])[bill_id]
        today = rt.local_date(work.now)
        [facts] = facts_of(rt, work, list(work.mirror.bills([bill_id]).values()))
        holds = [told(hold, today) for hold in holds_on(work, [facts.bill])[bill_id]]
    judged = decide(rt, facts, today=today, planning=True)
    # Where no step is due, what would silence the next one if it were.
    now = judged.quiets if judged.step is not None else quiet(facts.standing, today=today, rules=rules_of(rt))
    # That Clio was not asked yet says nothing about the bill: it is asked before anything leaves.
    now = tuple(one for one in now if one.reason != NOT_YET_READ)
    return {
        "bill_id": bill_id, "bill_number": facts.bill.number, "client_name": row["client_name"], "state": facts.bill.state,
        "open_cents": facts.bill.open_cents, "currency": facts.bill.currency, "due_on": facts.sequence.due_on(facts.bill),
        "sequence": facts.sequence.name, "read_at": row["read_at"],
        "steps": [_step(rt, facts, step, today) for step in facts.sequence.steps],
        "due_now": judged.step.key if judged.step is not None else None,
        "silent_because": _worded(now),
        "holds": holds,
    }  # fmt: skip


def _step(rt: Runtime, facts: Facts, step: Step, today: date) -> dict[str, Any]:
    on = facts.sequence.on(step, facts.counted)
    row = facts.known.get(step.key)
    said = {"step": step.key, "action": step.action, "falls_due_on": on}
    if row is None:
        return said | {"state": None, "happened": _ahead(on, today), "since": None, "reasons": []}
    reasons = [
        Quiet(one["reason"], date.fromisoformat(one["until"]) if one["until"] else None) for one in row["reasons"] or ()
    ] or ([Quiet(row["reason"])] if row["reason"] else [])
    return said | {
        "state": row["state"], "happened": _happened(rt, row), "since": row["silent_since"], "reasons": _worded(reasons),
    }  # fmt: skip


def _ahead(on: date | None, today: date) -> str:
    if on is None:
        return "never falls due: the bill has no date to count from"
    return f"falls due on {on}" if on > today else "has not been judged yet"


def _happened(rt: Runtime, row: Row) -> str:
    """What became of a step, as a person would say it."""
    if row["letter_state"] == LetterState.UNKNOWN:
        return f"may have been sent on {row['letter_on']}: the relay fell silent, and a person must look"
    sent = rt.local_date(row["sent_at"]) if row["sent_at"] is not None else row["letter_on"]
    return {
        ReminderState.PLANNED: f"goes out with the letter of {row['letter_on']}"
        if row["letter_on"]
        else "is being done",
        ReminderState.HELD: f"waits until a person approves the letters of {row['letter_on']}",
        ReminderState.SENT: f"done on {sent}",
        ReminderState.SILENT: f"not done, silent since {row['silent_since']}",
        ReminderState.SKIPPED: "never done, skipped for good",
        ReminderState.SUPERSEDED: "never done, and no longer wanted",
    }[ReminderState(row["state"])]


def _worded(reasons: Sequence[Quiet]) -> list[Mapping[str, Any]]:
    return [
        {
            "reason": one.reason, "meaning": meaning(one.reason), "until": one.until,
            "changes": f"It passes after {one.until}." if one.until else advice(one.reason) or PASSES.get(one.reason, ""),
        }
        for one in reasons
    ]  # fmt: skip
