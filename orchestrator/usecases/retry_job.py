"""A person gives a stopped job to the workers again."""

from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import JobState
from orchestrator.storage.repository import Row
from orchestrator.usecases.trial import trial


def retry_job(rt: Runtime, job_id: int, *, by: str, resend: bool, dry_run: bool) -> str:
    """Retry one parked or failed job and settle its exception; returns what it will do next, `Rejected` says why not.

    A job whose answer was lost searches first. `resend` is a person's word that what it sent did not arrive.
    """
    with trial(rt, dry_run=dry_run) as work:
        row = work.jobs.get(job_id)
        if row is None:
            raise Rejected(f"There is no job {job_id}.")
        if not work.jobs.retry(job_id, resend=resend):
            raise Rejected(f"Job {job_id} is {row['state']}: only a parked or failed job can be retried.")
        work.exceptions.close_job(job_id)
        work.audit.line("job.retried", "job", job_id, actor=by, topic=row["topic"], was=row["reason"], resend=resend)
    return _next(row, resend=resend)


def _next(row: Row, *, resend: bool) -> str:
    if row["sent_at"] is None or row["state"] == JobState.FAILED:
        return "looks at the facts anew, and acts if they still call for it"
    return (
        "looks at the facts anew, and sends once more if they still call for it"
        if resend
        else "searches for what it may have done, before it does anything"
    )
