"""Dirty mark or sweep → one batched read of the truth → our mirror moves forward → decisions, in the same commit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Protocol

from orchestrator.domain.kinds import Kind
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import PracticeManagement
from orchestrator.storage.jobs import Job
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.sync_activities import Activities
from orchestrator.usecases.sync_bills import Bills
from orchestrator.usecases.sync_contacts import Contacts
from orchestrator.usecases.sync_links import Links
from orchestrator.usecases.sync_matters import Matters
from orchestrator.usecases.sync_payments import Payments
from orchestrator.usecases.sync_tasks import Tasks

BATCH = 200
"""Objects in one call to Clio (API notes §9) and marks in one drain."""


class Syncing(Protocol):
    """How one kind is read and what follows: `complete` may read more, `apply` only writes."""

    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[Any]: ...
    def changed(self, practice: PracticeManagement, since: Any) -> Iterator[Any]: ...
    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[Any]) -> Any: ...
    def apply(self, rt: Runtime, work: Work, reading: Any) -> None: ...
    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None: ...
    def news(self, work: Work, read: Sequence[Any]) -> int: ...


SYNCS: Mapping[Kind, Syncing] = {
    Kind.ACTIVITY: Activities(),
    Kind.MATTER: Matters(),
    Kind.CONTACT: Contacts(),
    Kind.TASK: Tasks(),
    Kind.BILL: Bills(),
    Kind.LINK: Links(),
    Kind.PAYMENT: Payments(),
}


def drain(job: Job, rt: Runtime) -> None:
    """Read every marked object of a kind once, however many deliveries marked it (F16, F17)."""
    kind = Kind(job.topic.removeprefix("sync."))
    syncing, practice = SYNCS[kind], rt.practice(Urgency(job.urgency))
    with rt.uow() as work:
        marks = work.dirty.begin_drain(kind, limit=BATCH)
    if not marks:
        with step(rt, job):
            return
    read, gone = read_twice(syncing, practice, marks)
    reading = syncing.complete(rt, practice, read)
    with step(rt, job, {"read": len(read), "gone": len(gone)}) as work:
        syncing.apply(rt, work, reading)
        if gone:
            syncing.gone(rt, work, gone)
        work.dirty.drained(kind, marks)


def read_twice(syncing: Syncing, practice: PracticeManagement, ids: Iterable[int]) -> tuple[list[Any], list[int]]:
    """What there is of these objects, and which are gone: one absence may be a lagging replica, two are not (F40)."""
    wanted = set(ids)
    read = list(syncing.read(practice, sorted(wanted)))
    missing = wanted - {seen.id for seen in read}
    again = list(syncing.read(practice, sorted(missing))) if missing else []
    return [*read, *again], sorted(missing - {seen.id for seen in again})


def sweep(job: Job, rt: Runtime) -> None:
    """Find what no webhook told: everything changed since the last sweep, with an overlap, batch by batch (F26)."""
    kind = Kind(job.payload["kind"])
    syncing, practice = SYNCS[kind], rt.practice(Urgency(job.urgency))
    started = rt.clock()
    with rt.read() as work:
        watermark = work.dirty.watermark(kind)
    overlap = timedelta(seconds=rt.settings.sweep.overlap_seconds)
    since = (watermark - overlap) if watermark is not None else started - FIRST_LOOK
    found = 0
    for batch in _batches(syncing.changed(practice, since)):
        reading = syncing.complete(rt, practice, batch)
        with rt.uow() as work:
            found += syncing.news(work, batch)
            syncing.apply(rt, work, reading)
    with step(rt, job, {"found": found}) as work:
        work.dirty.swept(kind, up_to=started, found=found if watermark is not None else 0)
        work.pulses.beat(f"sweep.{kind}", found=found)
        if kind is Kind.LINK:
            # Clio lists no changed payments, and a link says nothing of the one made with it once it is used.
            work.dirty.mark(Kind.PAYMENT, work.mirror.payments_under_way())


FIRST_LOOK = timedelta(days=400)
"""How far the first sweep looks back: everything that can still have an open bill or an unbilled entry."""


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        yield batch
