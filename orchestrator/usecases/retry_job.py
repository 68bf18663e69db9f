"""A person gives a stopped job to the workers again."""

from orchestrator.engine.runtime import Runtime


def retry_job(rt: Runtime, job_id: int, *, by: str, resend: bool) -> str | None:
    """Retry one parked or failed job and settle its exception; returns why not, or None when it was given back.

    A job whose answer was lost searches first. `resend` is a person's word that what it sent did not arrive.
    """
    with rt.uow() as work:
        row = work.jobs.get(job_id)
        if row is None:
            return f"There is no job {job_id}."
        if not work.jobs.retry(job_id, resend=resend):
            return f"Job {job_id} is {row['state']}: only a parked or failed job can be retried."
        work.exceptions.close_job(job_id)
        work.audit.line("job.retried", "job", job_id, actor=by, topic=row["topic"], was=row["reason"], resend=resend)
    return None
