"""A person takes a job out of the workers' hands, to look at it first."""

from orchestrator.domain.topics import PASSING
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import LIVE
from orchestrator.usecases.trial import trial

REASON = "parked_by_hand"


def park_job(rt: Runtime, job_id: int, *, by: str, why: str, dry_run: bool) -> None:
    """Park one job for `by` and put it on the list of exceptions; `Rejected` says why not.

    One in a worker's hands is never touched: what it is about to send cannot be called back.
    """
    with trial(rt, dry_run=dry_run) as work:
        row = work.jobs.get(job_id)
        if row is None:
            raise Rejected(f"There is no job {job_id}.")
        if row["topic"] in PASSING:
            raise Rejected(
                f"Job {job_id} ({row['topic']}) reads and decides for everybody: parked, it would stop more than itself."
            )
        if row["state"] not in LIVE:
            raise Rejected(f"Job {job_id} is {row['state']}: there is nothing left to park.")
        if not work.jobs.park(job_id, reason=REASON, detail=why):
            raise Rejected(f"Job {job_id} is in a worker's hands at this moment: ask again in half a minute.")
        bill = row["payload"].get("bill_id")
        work.exceptions.open(
            REASON, f"job:{job_id}", f"{row['topic']}: {why}", subject=("bill", int(bill)) if bill is not None else None,
            job_id=job_id, money_cents=row["payload"].get("amount_cents"),
        )  # fmt: skip
        work.audit.line("job.parked", "job", job_id, actor=by, topic=row["topic"], why=why)
