"""Dirty mark or sweep → one batched read of the truth → our mirror moves forward → decisions, in the same commit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from orchestrator.domain.contacts import EmailProblem
from orchestrator.domain.kinds import Kind, swept
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import NeedsConnection, NeedsReview, OrchestratorError, Paced, Rejected, Transient
from orchestrator.ports import Page, PageLost, PracticeManagement
from orchestrator.storage.jobs import Job
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import allot
from orchestrator.usecases.compare_links import want_comparison
from orchestrator.usecases.sync_activities import Activities
from orchestrator.usecases.sync_bills import Bills
from orchestrator.usecases.sync_contacts import Contacts
from orchestrator.usecases.sync_ledger import LedgerLines
from orchestrator.usecases.sync_links import Links
from orchestrator.usecases.sync_matters import Matters
from orchestrator.usecases.sync_payments import Payments
from orchestrator.usecases.sync_tasks import Tasks

BATCH = 200
"""Objects in one call to Clio (API notes §9) and marks in one drain."""


class Reading(Protocol):
    """How one kind is read by its ids; each object has an `id`."""

    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[Any]: ...


class Syncing(Reading, Protocol):
    """What follows from a reading: `complete` may read more, `apply` only writes."""

    def complete(self, rt: Runtime, practice: PracticeManagement, read: Sequence[Any]) -> Any: ...
    def apply(self, rt: Runtime, work: Work, reading: Any) -> None: ...
    def gone(self, rt: Runtime, work: Work, ids: Sequence[int]) -> None: ...


class Sweeping(Syncing, Protocol):
    """A kind whose changes Clio lists; `news` counts those that no webhook had told."""

    def changed(self, practice: PracticeManagement, since: datetime, at: str | None) -> Iterator[Page[Any]]: ...
    def news(self, work: Work, read: Sequence[Any]) -> int: ...


SWEEPS: Mapping[Kind, Sweeping] = {
    Kind.MATTER: Matters(),
    Kind.ACTIVITY: Activities(),
    Kind.TASK: Tasks(),
    Kind.BILL: Bills(),
    Kind.LINK: Links(),
    Kind.LEDGER: LedgerLines(),
}
SYNCS: Mapping[Kind, Syncing] = {**SWEEPS, Kind.CONTACT: Contacts(), Kind.PAYMENT: Payments()}


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


def read_twice(syncing: Reading, practice: PracticeManagement, ids: Iterable[int]) -> tuple[list[Any], list[int]]:
    """What there is of these objects, and which are gone: one absence may be a lagging replica, two are not (F40)."""
    wanted = set(ids)
    read = list(syncing.read(practice, sorted(wanted)))
    missing = wanted - {seen.id for seen in read}
    again = list(syncing.read(practice, sorted(missing))) if missing else []
    return [*read, *again], sorted(missing - {seen.id for seen in again})


def sweep(job: Job, rt: Runtime) -> None:
    """Find what no webhook told, kind by kind: everything changed since the last sweep, with an overlap (F26).

    A kind that fails keeps no other from being swept; tried again, the job goes on where each list stopped.
    """
    with rt.read() as work:
        if work.jobs.another_under_way(job):
            kinds: Sequence[Kind] = ()  # a long one from an earlier slot: it is this slot's sweep as well
        else:
            marks = {kind: work.dirty.watermark(kind) for kind in _kinds(job, rt)}
            kinds = [kind for kind, mark in marks.items() if mark is None or mark < job.created_at]
    silent: dict[Kind, datetime] = {}
    troubles: list[OrchestratorError] = []
    for kind in kinds:
        try:
            if (began := _sweep_kind(job, rt, kind)) is not None:
                silent[kind] = began
        except (Transient, Rejected, NeedsReview) as trouble:
            troubles.append(trouble)
            if isinstance(trouble, (Paced, NeedsConnection)):
                break  # what holds one kind back holds back all
    with rt.uow() if troubles else step(rt, job) as work:
        for kind, began in silent.items():
            _swept(work, kind, up_to=began, found=0)
    if troubles:
        raise min(troubles, key=lambda trouble: not isinstance(trouble, Transient))


def _kinds(job: Job, rt: Runtime) -> Sequence[Kind]:
    if "kind" in job.payload:
        return [Kind(job.payload["kind"])]
    return swept(trust=bool(rt.settings.trust.accounts))


def _sweep_kind(job: Job, rt: Runtime, kind: Kind) -> datetime | None:
    """One list from the watermark to its end, each page applied in the commit that remembers where the next one is.

    Most often nothing changed: then the moment the look began, for the caller to record with all the others.
    """
    sweeping, practice = SWEEPS[kind], rt.practice(Urgency(job.urgency))
    with rt.read() as work:
        watermark, begun, at = work.dirty.place(kind)
        began = begun or rt.clock()
        if kind is Kind.TASK and not work.tasks.any_open():
            return began  # only our own tasks are answers: until one is asked for, nothing that changes is meant for us
    overlap = timedelta(seconds=rt.settings.sweep.overlap_seconds)
    since = (watermark - overlap) if watermark is not None else began - FIRST_LOOK
    try:
        for page in sweeping.changed(practice, since, at):
            if not page.rows and page.onward is None:
                return began
            reading = sweeping.complete(rt, practice, page.rows)
            with rt.uow() as work:
                found = sweeping.news(work, page.rows) if watermark is not None else 0
                sweeping.apply(rt, work, reading)
                if page.onward is not None:
                    work.dirty.turn_page(kind, began=began, at=page.onward, found=found)
                else:
                    _swept(work, kind, up_to=began, found=found)
                # A long list outlasts any lease; whoever took over meanwhile has this page too.
                work.jobs.renew(job, lease_seconds=rt.settings.engine.lease_seconds)
    except PageLost:
        with rt.uow() as work:
            work.dirty.begin_again(kind)
        raise
    return None


def _swept(work: Work, kind: Kind, *, up_to: datetime, found: int) -> None:
    work.dirty.swept(kind, up_to=up_to, found=found)
    work.pulses.beat(f"sweep.{kind}", found=found)
    if kind in (Kind.BILL, Kind.LINK):
        # Only now is it known which open balances are the highest, and which of our links exist.
        allot(work)
    if kind is Kind.BILL:
        # Clio tells of a mended address by a webhook alone, and that may be lost; no bill changes with its client.
        waiting = [*work.mirror.silenced(list(EmailProblem)), *(row["bill_id"] for row in work.messages.stranded())]
        work.dirty.mark(Kind.BILL, waiting)
    if kind is Kind.LINK:
        # Clio lists no changed payments, and a link says nothing of the one made with it once it is used.
        work.dirty.mark(Kind.PAYMENT, work.mirror.payments_under_way())
        want_comparison(work)


FIRST_LOOK = timedelta(days=400)
"""How far the first sweep looks back: everything that can still have an open bill or an unbilled entry."""
