"""Claim one job, run its body, record how it went."""

import contextlib
from collections.abc import Callable, Mapping

from orchestrator.engine import verdicts
from orchestrator.engine.endings import ended
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import NeedsReview
from orchestrator.storage.jobs import LET_GO_SECONDS, Job, JobState, LostLease
from orchestrator.storage.unit_of_work import DatabaseTrouble, is_defect
from orchestrator.telemetry import spans, trace

UNKNOWN_TOPIC_SECONDS = 30.0
LONGEST_TROUBLE_PAUSE = 60.0

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
    about = {"firm": rt.firm, "job": job.id, "topic": job.topic, "attempt": job.attempts}
    trace_id = job.trace_id or trace.begun_by(job.topic, job.key)
    span = spans.span(f"job {job.topic}", firm=rt.firm, job=job.id, attempt=job.attempts)
    with trace.bound(**about, bill=job.payload.get("bill_id"), trace_id=trace_id), span:
        _do(rt, book, job)
    return True


def _do(rt: Runtime, book: Book, job: Job) -> None:
    try:
        _refuse_poison(job, rt)
        if job.topic in book:
            book[job.topic](job, rt)
        else:
            _leave_to_a_newer(rt, job)
    except SystemExit:
        # Told to stop (F15): as after a crash, its row says what the job had reached; only nobody need wait for the lease.
        ended(job, "handed_back")
        with contextlib.suppress(LostLease, *DatabaseTrouble), rt.uow() as work:
            work.jobs.let_go(job)
        raise
    except LostLease as lost:
        ended(job, "lease_lost", why=type(lost).__name__)
    except DatabaseTrouble as trouble:
        if is_defect(trouble):
            _record(rt, job, trouble)
        else:
            # What was committed is not known (F55): as after a crash the row says what to do, and nobody waits for the lease.
            _stand_back(rt, job, trouble)
    except Exception as failure:  # noqa: BLE001  the verdict table knows what each means; none may end the worker
        _record(rt, job, failure)


def _leave_to_a_newer(rt: Runtime, job: Job) -> None:
    """A version that is being rolled out wrote it: it rests until a worker of that version hears its bell (docs/adr/0009)."""
    before = JobState.SENT if job.state is JobState.SENT else JobState.READY
    with rt.uow() as work:
        work.jobs.hand_back(job, pause_seconds=UNKNOWN_TOPIC_SECONDS, counted=False, state=before)
    ended(job, "topic_unknown")


def _refuse_poison(job: Job, rt: Runtime) -> None:
    """Killed again and again before it could say why, a job would take every worker with it: `NeedsReview` (F14)."""
    if job.attempts > rt.settings.engine.attempts * 3:
        raise NeedsReview(f"Claimed {job.attempts} times without an end.", reason="attempts_exhausted")


def _record(rt: Runtime, job: Job, failure: Exception) -> None:
    try:
        verdicts.record(rt, job, failure)
    except LostLease:
        ended(job, "lease_lost", why="verdict")
    except DatabaseTrouble as trouble:
        _stand_back(rt, job, trouble)


def _stand_back(rt: Runtime, job: Job, trouble: Exception) -> None:
    """Give the lease back, and the attempt with it: a full disk is no fault of the job's, and must leave none to a person (F56).

    A deadlock costs a second; what has been due for long waits up to a minute, so that a trouble that lasts is not filled
    with calls to Clio. With the database away the lease runs out by itself.
    """
    ended(job, "database_trouble", why=type(trouble).__name__)
    with contextlib.suppress(LostLease, *DatabaseTrouble), rt.uow() as work:
        due_for = (work.now - max(job.not_before, job.created_at)).total_seconds()
        pause = min(max(due_for / 10, LET_GO_SECONDS), LONGEST_TROUBLE_PAUSE)
        work.jobs.let_go(job, pause_seconds=pause, counted=False)
