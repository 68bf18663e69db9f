"""W2: an approval signal → our record of who approved which values, when."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.audit import WORKER
from orchestrator.storage.jobs import Job
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_approval import ask_for_approval


def approve_when_rested(rt: Runtime, work: Work) -> None:
    """Approve every billable, unbilled, visible entry that has rested for the quiet period, or ask a person to.

    Which of them the signal says; under `operator` nothing is done. For entries that still rest, one job a minute comes
    back when the oldest will have rested (the article's debounce).
    """
    signal, quiet = rt.settings.approval.signal, _quiet(rt)
    if signal == "operator":
        return
    rested = work.approvals.resting(changed_before=work.now - quiet)
    if signal == "task_completed":
        ask_for_approval(rt, work, rested)
    else:
        for entry in rested:
            _approve(work, entry, by=WORKER, signal=signal)
    oldest = work.approvals.next_rest(changed_after=work.now - quiet)
    if oldest is not None:
        # Rounded up, the minute lies ahead of us: its job cannot have run already.
        minute = datetime.fromtimestamp(math.ceil((oldest + quiet).timestamp() / 60) * 60, UTC)
        work.jobs.add("time.approve", minute.strftime("%Y-%m-%dT%H:%MZ"), at=minute)


def approve_rested(job: Job, rt: Runtime) -> None:
    """Look again at what was still resting."""
    with step(rt, job) as work:
        approve_when_rested(rt, work)


def approve_entries(work: Work, rt: Runtime, entry_ids: Sequence[int], *, by: str, signal: str) -> dict[int, str]:
    """Approve these entries for `by`; returns, for each one not approved, why: it has not rested, or it is not approvable."""
    ready = {
        entry["id"]: entry
        for entry in work.approvals.resting(changed_before=work.now - _quiet(rt), entry_ids=entry_ids)
    }
    resting = {
        entry["id"] for entry in work.approvals.resting(changed_before=work.now, entry_ids=entry_ids)
    } - ready.keys()
    standing = work.approvals.standing(entry_ids)
    for entry in ready.values():
        _approve(work, entry, by=by, signal=signal)
    refused = {}
    for entry_id in entry_ids:
        if entry_id not in ready:
            refused[entry_id] = (
                "it is approved already" if entry_id in standing
                else f"it changed less than {rt.settings.approval.quiet_seconds} seconds ago" if entry_id in resting
                else "it is not a billable, unbilled, visible entry that we know"
            )  # fmt: skip
    return refused


def approve_matter(work: Work, rt: Runtime, matter_id: int, *, by: str, signal: str) -> int:
    """Approve a matter's rested entries; returns how many."""
    rested = work.approvals.unapproved_of_matter(matter_id, changed_before=work.now - _quiet(rt))
    for entry in rested:
        _approve(work, entry, by=by, signal=signal)
    return len(rested)


def _approve(work: Work, entry: Row, *, by: str, signal: str) -> None:
    if work.approvals.approve(entry, by=by, signal=signal):
        values = {"digest": entry["digest"], "cents": entry["total_cents"]}
        work.audit.line("approval.given", "activity", entry["id"], actor=by, signal=signal, **values)


def _quiet(rt: Runtime) -> timedelta:
    return timedelta(seconds=rt.settings.approval.quiet_seconds)
