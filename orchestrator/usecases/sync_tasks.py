"""A Clio task changed → if we asked for it and a person completed it, that is their answer (W2)."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestrator.domain.tasks import RemoteTask
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import Page, PracticeManagement
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.approve_time import approve_matter
from orchestrator.usecases.authorise_draw import authorise_by_task


class Tasks:
    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[RemoteTask]:
        return practice.tasks.by_ids(ids)

    def changed(self, practice: PracticeManagement, since: datetime, at: str | None) -> Iterator[Page[RemoteTask]]:
        return practice.tasks.changed(since, at)

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[RemoteTask]) -> Sequence[RemoteTask]:  # noqa: ARG002
        return read

    def apply(self, rt: Runtime, work: Work, reading: Sequence[RemoteTask]) -> None:
        """Note completed tasks of ours; a completed approval task approves its matter's rested entries, by its assignee."""
        complete = {task.id: task for task in reading if task.complete}
        for row in work.tasks.ours(sorted(complete)):
            if not work.tasks.completed(row["key"]):
                continue
            by = f"clio-user:{complete[row['clio_id']].assignee_id}"
            work.audit.line("task.completed", "task", row["clio_id"], actor=by, purpose=row["purpose"])
            if row["purpose"] == "approve_time":
                approve_matter(work, rt, row["matter_id"], by=by, signal="task_completed")
            elif row["purpose"] == "authorise_draw":
                authorise_by_task(rt, work, row["key"], clio_user_id=complete[row["clio_id"]].assignee_id)

    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None:
        """A task somebody deleted is no answer."""

    def news(self, work: Work, read: Sequence[RemoteTask]) -> int:
        complete = [task.id for task in read if task.complete]
        return sum(not row["complete"] for row in work.tasks.ours(complete))
