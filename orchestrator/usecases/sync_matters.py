"""A matter changed → its mirror, and what it means for billing."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestrator.domain.kinds import Kind
from orchestrator.domain.matters import Matter, MatterStatus
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import Page, PracticeManagement
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.map_reference import keep_numbers


class Matters:
    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[Matter]:
        return practice.matters.by_ids(ids)

    def changed(self, practice: PracticeManagement, since: datetime, at: str | None) -> Iterator[Page[Matter]]:
        return practice.matters.changed(since, at)

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[Matter]) -> Sequence[Matter]:  # noqa: ARG002
        return read

    def apply(self, rt: Runtime, work: Work, reading: Sequence[Matter]) -> None:
        """Keep the matters and their numbers (W11).

        One that closed, or reached another stage, is planned for now, not at the next hour (W3).
        """
        known = work.mirror.matters([matter.id for matter in reading])
        work.mirror.put_matters(reading)
        # From the mirror, not from this reading: an older one would make the present number an alias (F17).
        keep_numbers(work, work.mirror.matters([matter.id for matter in reading]).values())
        for matter in reading:
            before = known.get(matter.id)
            closed = matter.status is MatterStatus.CLOSED and (
                before is None or before.status is not MatterStatus.CLOSED
            )
            if rt.settings.links.hold_closed and before is not None and before.status is not matter.status:
                work.dirty.mark(Kind.BILL, work.mirror.open_bill_ids_of_matter(matter.id))
            staged = before is not None and before.stage != matter.stage
            if before is not None and (closed or staged):
                work.jobs.add("billing.plan", f"matter:{matter.id}", matter.updated_at.isoformat())

    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None:
        """A matter that Clio no longer shows keeps its mirror: what it owes does not vanish with our view of it."""

    def news(self, work: Work, read: Sequence[Matter]) -> int:
        known = work.mirror.matters([matter.id for matter in read])
        return sum(matter.id not in known or known[matter.id].updated_at < matter.updated_at for matter in read)
