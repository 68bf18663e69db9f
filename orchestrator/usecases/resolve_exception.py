"""A person settled an exception: it closes, no fact is edited, and the bill it was about is decided on anew."""

from orchestrator.domain.kinds import Kind
from orchestrator.engine.runtime import Runtime

BY_RETRY = (
    "Its job {job} waits: retry that instead (`orchestrator jobs retry {job}`), and the exception closes with it."
)


def resolve_exception(rt: Runtime, exception_id: int, *, by: str, note: str) -> str | None:
    """Close one open exception for `by`, keeping `note` as the why; returns why not, or None when it was closed."""
    with rt.uow() as work:
        row = work.exceptions.get(exception_id)
        if row is None:
            return f"There is no exception {exception_id}."
        if row["state"] != "open":
            return f"Exception {exception_id} is {row['state']} already."
        job = work.jobs.get(row["job_id"]) if row["job_id"] is not None else None
        if job is not None and job["state"] == "parked":
            return BY_RETRY.format(job=row["job_id"])
        work.exceptions.resolve(exception_id)
        work.audit.line("exception.resolved", "exception", exception_id, actor=by, kind=row["kind"], why=note)
        if row["subject_kind"] == Kind.BILL:
            work.dirty.mark(Kind.BILL, [row["subject_id"]])
    return None
