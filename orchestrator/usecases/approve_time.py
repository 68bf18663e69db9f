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

BY_PEOPLE = ("operator", "custom_action")


def approve_when_rested(rt: Runtime, work: Work) -> None:
    """Approve every billable, unbilled, visible entry that has rested for the quiet period, or ask a person to.

    Which of them the signal says; where a person begins (`BY_PEOPLE`), nothing is done. For entries that still rest, one
    job a minute comes back when the oldest will have rested (the article's debounce).
    """
    signal, quiet = rt.settings.approval.signal, _quiet(rt)
    if signal in BY_PEOPLE:
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
    """Approve these entries for `by`; returns, for each one not approved, why."""
    refused = why_not(work, rt, entry_ids)
    for entry in work.mirror.entries([entry_id for entry_id in entry_ids if entry_id not in refused]):
        if not _approve(work, entry, by=by, signal=signal):
            refused[entry["id"]] = APPROVED
    return refused


APPROVED = "it is approved already"


def why_not(work: Work, rt: Runtime, entry_ids: Sequence[int]) -> dict[int, str]:
    """Of these entries those that nobody can approve now, and why: approved, resting, or not approvable."""
    candidates = {row["id"]: row for row in work.approvals.resting(changed_before=work.now, entry_ids=entry_ids)}
    standing = work.approvals.standing(entry_ids)
    rested = work.now - _quiet(rt)
    return {
        entry_id: (
            APPROVED if entry_id in standing
            else f"it changed less than {rt.settings.approval.quiet_seconds} seconds ago" if entry_id in candidates
            else "it is not a billable, unbilled, visible entry that we know"
        )
        for entry_id in entry_ids
        if entry_id not in candidates or candidates[entry_id]["changed_at"] > rested
    }  # fmt: skip


def approve_matter(work: Work, rt: Runtime, matter_id: int, *, by: str, signal: str) -> int:
    """Approve a matter's rested entries; returns how many."""
    rested = work.approvals.unapproved_of_matter(matter_id, changed_before=work.now - _quiet(rt))
    for entry in rested:
        _approve(work, entry, by=by, signal=signal)
    return len(rested)


def _approve(work: Work, entry: Row, *, by: str, signal: str) -> bool:
    given = work.approvals.approve(entry, by=by, signal=signal)
    if given:
        values = {"digest": entry["digest"], "cents": entry["total_cents"]}
        work.audit.line("approval.given", "activity", entry["id"], actor=by, signal=signal, **values)
    return given


def _quiet(rt: Runtime) -> timedelta:
    return timedelta(seconds=rt.settings.approval.quiet_seconds)
