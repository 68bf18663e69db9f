"""W2 under the signal `task_completed`: a matter's rested work → one Clio task; completing it approves the work."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from orchestrator.domain.ids import effect_key
from orchestrator.domain.matters import BillingMethod, Matter
from orchestrator.domain.money import Money
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.create_task import ask_by_task
from orchestrator.usecases.lost_past import lost_days

PURPOSE = "approve_time"

ASK_AGAIN = timedelta(days=7)
"""An open task covers what rests later too; one left alone, or deleted, for so long is asked once more."""


def ask_for_approval(rt: Runtime, work: Work, rested: Sequence[Row]) -> None:
    """Intend at most one approval task a matter and day for these rested entries; tomorrow looks again at what still waits."""
    by_matter: dict[int, list[Row]] = defaultdict(list)
    for entry in rested:
        by_matter[entry["matter_id"]].append(entry)
    matters = work.mirror.matters(by_matter.keys())
    asked = work.tasks.latest(PURPOSE, by_matter.keys())
    for matter in matters.values():
        if _approvable(matter) and not _asked(rt, work, asked.get(matter.id)):
            _ask(rt, work, matter, by_matter[matter.id])
    if by_matter.keys() - matters.keys():
        soon = work.now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        work.jobs.add("time.approve", "matters", soon.isoformat(), at=soon)
    if by_matter:
        tomorrow = rt.local_date(work.now) + timedelta(days=1)
        midnight = datetime.combine(tomorrow, time(), rt.settings.firm.zone).astimezone(UTC)
        work.jobs.add("time.approve", "day", tomorrow.isoformat(), at=midnight)


def _approvable(matter: Matter) -> bool:
    """Whether approving its time could ever lead to a bill."""
    return matter.billable and matter.billing_method is not BillingMethod.CONTINGENCY


def _asked(rt: Runtime, work: Work, last: Row | None) -> bool:
    if last is None:
        return False
    today = rt.local_date(last["created_at"]) == rt.local_date(work.now)
    return today or (not last["complete"] and last["created_at"] > work.now - ASK_AGAIN)


def _ask(rt: Runtime, work: Work, matter: Matter, entries: Sequence[Row]) -> None:
    days = (rt.local_date(work.now), *lost_days(rt, work))
    key, *other_keys = (effect_key("approval-task", matter.id, day) for day in days)
    amount = Money(sum(entry["total_cents"] for entry in entries), matter.currency or rt.currency)
    ask_by_task(
        work, key, PURPOSE, matter=matter, other_keys=other_keys, title=f"Approve the time on {matter.display_number}: {amount}",
        text=(
            f"{len(entries)} entries come to {amount}. Please look through the matter's unbilled time in Clio and correct it "
            "where needed. Completing this task approves what has not changed in the last minutes before."
        ),
    )  # fmt: skip
