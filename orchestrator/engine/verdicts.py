"""One table: what a failure means for the job that met it."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.domain.reasons import provider_of
from orchestrator.domain.topics import PASSING
from orchestrator.engine.endings import failed
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import NeedsReview, OrchestratorError, OutcomeUnknown, Rejected, Transient
from orchestrator.storage.exceptions import tick_key
from orchestrator.storage.jobs import Job, JobState
from orchestrator.storage.unit_of_work import Work

LONGEST_PAUSE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a failed attempt is recorded, in the words of the job's life."""

    record: Callable[[Runtime, Work, Job, OrchestratorError], None]


def backoff(attempts: int) -> float:
    """Seconds of real time before the next attempt: 1, 2, 4, … up to ten minutes."""
    return min(LONGEST_PAUSE_SECONDS, 2.0 ** max(0, attempts - 1))


def _again(rt: Runtime, work: Work, job: Job, failure: OrchestratorError) -> None:
    assert isinstance(failure, Transient)
    if failure.counted and job.attempts >= rt.settings.engine.attempts:
        _park(work, job, "attempts_exhausted", str(failure))
        return
    # Nothing happened outside, so a mark of SENT that this very attempt made is taken back with it.
    pause = failure.retry_after if failure.retry_after is not None else backoff(job.attempts)
    work.jobs.hand_back(
        job,
        pause_seconds=pause,
        counted=failure.counted,
        detail=str(failure),
        state=_before(job),
        reason=failure.notice,
    )
    if failure.notice is not None and not work.exceptions.is_open(failure.notice, provider_of(failure.notice)):
        # One for all that waits: a thousand jobs behind one shut door are one thing to do.
        work.exceptions.open(failure.notice, provider_of(failure.notice), str(failure))


def _find_out(_rt: Runtime, work: Work, job: Job, failure: OrchestratorError) -> None:
    # The next claim finds it SENT, and settles before it searches: the wait stands in one place (`effects`).
    work.jobs.hand_back(job, state=JobState.SENT, detail=str(failure))


def _fail(_rt: Runtime, work: Work, job: Job, failure: OrchestratorError) -> None:
    assert isinstance(failure, Rejected)
    work.jobs.stop(job, JobState.FAILED, reason=failure.reason, detail=str(failure))
    _tell(work, job, failure.reason, str(failure))


def _review(_rt: Runtime, work: Work, job: Job, failure: OrchestratorError) -> None:
    assert isinstance(failure, NeedsReview)
    _park(work, job, failure.reason, str(failure))


VERDICTS: dict[type[OrchestratorError], Verdict] = {
    Transient: Verdict(_again),
    OutcomeUnknown: Verdict(_find_out),
    Rejected: Verdict(_fail),
    NeedsReview: Verdict(_review),
}


def record(rt: Runtime, job: Job, failure: Exception, *, revoke: Callable[[Work], str | None] | None = None) -> None:
    """Turn a failed attempt into the job's next state; an error nobody planned for parks it at once and asks for a person.

    `revoke` may do, in the same transaction, what the failure means for the facts, and say that the job's cause is gone.
    """
    rt.passing(Point.VERDICT_REACHED)
    with rt.uow() as work:
        revoked = revoke(work) if revoke is not None else None
        if revoked is not None:
            work.jobs.stop(job, JobState.REVOKED, reason=revoked, detail=str(failure))
        else:
            _decide(rt, work, job, failure)
    rt.passing(Point.VERDICT_RECORDED)
    failed(job, failure, revoked=revoked)


def _decide(rt: Runtime, work: Work, job: Job, failure: Exception) -> None:
    for kind, verdict in VERDICTS.items():
        if isinstance(failure, kind):
            verdict.record(rt, work, job, failure)
            return
    _park(work, job, "unplanned", f"{type(failure).__name__} in {_place(failure)}")


def _before(job: Job) -> JobState:
    return JobState.SENT if job.state is JobState.SENT else JobState.READY


def _park(work: Work, job: Job, reason: str, detail: str) -> None:
    work.jobs.stop(job, JobState.PARKED, reason=reason, detail=detail)
    _tell(work, job, reason, detail)


def _tell(work: Work, job: Job, reason: str, detail: str) -> None:
    bill = job.payload.get("bill_id")
    subject = ("bill", int(bill)) if bill is not None else None
    # A tick comes again with the next slot, and so would its exception.
    key = tick_key(job.topic) if job.topic in PASSING else f"job:{job.id}"
    work.exceptions.open(
        reason, key, f"{job.topic}: {detail}", subject=subject, job_id=job.id,
        money_cents=job.payload.get("amount_cents"),
    )  # fmt: skip


def _place(failure: Exception) -> str:
    """File and line, without the message: an unplanned error's text may hold anything, a client's name included."""
    trace = failure.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "an unknown place"
