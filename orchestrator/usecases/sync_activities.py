"""W1: an activity changed → its mirror, its approval, and the quiet period that starts anew."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestrator.domain.activities import Activity
from orchestrator.domain.kinds import Kind
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import Page, PracticeManagement
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.approve_time import approve_when_rested


class Activities:
    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[Activity]:
        return practice.activities.by_ids(ids)

    def changed(self, practice: PracticeManagement, since: datetime, at: str | None) -> Iterator[Page[Activity]]:
        return practice.activities.changed(since, at)

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[Activity]) -> Sequence[Activity]:  # noqa: ARG002
        return read

    def apply(self, rt: Runtime, work: Work, reading: Sequence[Activity]) -> None:
        """Keep the entries; an edit withdraws the approval of what it changed (W2)."""
        work.mirror.put_entries(reading)
        self._withdraw(work, [entry.id for entry in reading])
        matter_ids = {entry.matter_id for entry in reading if entry.matter_id is not None}
        unknown = matter_ids - work.mirror.matters(matter_ids).keys()
        work.dirty.mark(Kind.MATTER, unknown)
        # A request is answered when its bill is read: what follows from the answer is decided there.
        asked = {request["matter_id"] for request in work.billing.asked_of(matter_ids)}
        work.dirty.mark(Kind.BILL, {entry.bill_id for entry in reading if entry.bill_id and entry.matter_id in asked})
        if any(entry.unbilled for entry in reading):
            approve_when_rested(rt, work)

    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None:  # noqa: ARG002
        work.mirror.entry_gone(ids)
        self._withdraw(work, ids)

    def news(self, work: Work, read: Sequence[Activity]) -> int:
        known = {row["id"]: row["updated_at"] for row in work.mirror.entries([entry.id for entry in read])}
        return sum(known.get(entry.id) is None or known[entry.id] < entry.updated_at for entry in read)

    @staticmethod
    def _withdraw(work: Work, ids: Sequence[int]) -> None:
        for entry_id in work.approvals.withdraw_changed(ids):
            work.audit.line("approval.withdrawn", "activity", entry_id, why="edited or deleted")
