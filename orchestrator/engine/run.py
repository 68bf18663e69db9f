"""Claim one job, run its body, record how it went."""

import contextlib
from collections.abc import Callable, Mapping

import structlog

from orchestrator.engine import verdicts
from orchestrator.engine.effects import LeaseRunOut
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import NeedsReview, Paced
from orchestrator.storage.jobs import Job, LostLease
from orchestrator.storage.unit_of_work import DatabaseTrouble

log = structlog.get_logger()

Body = Callable[[Job, Runtime], None]
Book = Mapping[str, Body]
"""Every topic and the body that does it."""


def run(rt: Runtime, book: Book, job_id: int) -> bool:
    """Do one job if it is due and free; False when somebody else has it or it is over (F53)."""
    rt.passing(Point.CLAIM_BEGIN)
    with rt.uow(quietly=True, beside=True) as work:
        job = work.jobs.claim(job_id, holder=rt.holder, lease_seconds=rt.settings.engine.lease_seconds)
    if job is None:
        return False
    rt.passing(Point.CLAIMED)
    try:
        _refuse_poison(job, rt)
        book[job.topic](job, rt)
    except (LostLease, LeaseRunOut) as lost:
        log.warning("job.lease_lost", job=job.id, topic=job.topic, why=type(lost).__name__)
    except DatabaseTrouble as trouble:
        # What was committed is not known (F55): as after a crash, the row says what to do, and nobody need wait for the lease.
        log.warning("job.database_trouble", job=job.id, topic=job.topic, why=type(trouble).__name__)
        _let_go(rt, job)
    except Exception as failure:  # noqa: BLE001  the verdict table knows what each means; none may end the worker
        _record(rt, job, failure)
    else:
        log.debug("job.done", job=job.id, topic=job.topic)
    return True


def _refuse_poison(job: Job, rt: Runtime) -> None:
    """Killed again and again before it could say why, a job would take every worker with it: `NeedsReview` (F14)."""
    if job.attempts > rt.settings.engine.attempts * 3:
        raise NeedsReview(f"Claimed {job.attempts} times without an end.", reason="attempts_exhausted")


def _record(rt: Runtime, job: Job, failure: Exception) -> None:
    level = log.debug if isinstance(failure, Paced) else log.warning
    level("job.stopped", job=job.id, topic=job.topic, attempts=job.attempts, verdict=type(failure).__name__)
    try:
        verdicts.record(rt, job, failure)
    except LostLease:
        log.warning("job.lease_lost", job=job.id, topic=job.topic, why="verdict")
    except DatabaseTrouble as trouble:
        log.warning("job.database_trouble", job=job.id, topic=job.topic, why=type(trouble).__name__)
        _let_go(rt, job)


def _let_go(rt: Runtime, job: Job) -> None:
    """Give the lease back, so that a deadlock (F56) costs a second; with the database away it runs out by itself."""
    with contextlib.suppress(LostLease, *DatabaseTrouble), rt.uow() as work:
        work.jobs.let_go(job)
