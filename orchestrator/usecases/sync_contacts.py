"""A contact changed → its matters and open bills are read again, for their client's name and address."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.domain.kinds import Kind
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import PracticeManagement
from orchestrator.storage.unit_of_work import Work


@dataclass(frozen=True, slots=True)
class ContactMark:
    """A contact that changed; what we need of it comes with its matters and bills."""

    id: int


class Contacts:
    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[ContactMark]:  # noqa: ARG002
        return [ContactMark(contact_id) for contact_id in ids]

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[ContactMark]) -> Sequence[ContactMark]:  # noqa: ARG002
        return read

    def apply(self, rt: Runtime, work: Work, reading: Sequence[ContactMark]) -> None:  # noqa: ARG002
        clients = [contact.id for contact in reading]
        work.dirty.mark(Kind.MATTER, work.mirror.matter_ids_of_clients(clients))
        work.dirty.mark(Kind.BILL, work.mirror.open_bill_ids_of_clients(clients))

    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None:
        """Never: `read` asks nobody."""

    def news(self, work: Work, read: Sequence[ContactMark]) -> int:  # noqa: ARG002
        return 0
