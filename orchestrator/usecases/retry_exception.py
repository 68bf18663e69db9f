"""A person asks for another attempt at whatever an exception is about: the job that waits, or one more look at the truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.domain.kinds import Kind
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import STOPPED
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.retry_job import retry_job
from orchestrator.usecases.trial import trial


@dataclass(frozen=True, slots=True)
class Again:
    """What another look at one kind of subject is; none of them sends anything by itself."""

    words: str
    look: Callable[[Work, int], None]


def _read(kind: Kind) -> Callable[[Work, int], None]:
    def look(work: Work, ident: int) -> None:
        work.dirty.mark(kind, [ident])

    return look


def _read_and_plan(work: Work, matter_id: int) -> None:
    work.dirty.mark(Kind.MATTER, [matter_id])
    work.jobs.add("billing.plan", f"matter:{matter_id}", work.now.isoformat())


def _reconcile(work: Work, break_id: int) -> None:
    row = work.breaks.get(break_id)
    if row is None:
        raise Rejected(f"Break {break_id} is not there any more.")
    work.breaks.reopen([break_id])
    work.jobs.add(
        "reconcile.window", row["run_id"], f"break:{break_id}", work.now.isoformat(), account=row["account"],
        run_id=row["run_id"],
    )  # fmt: skip


AGAIN: Mapping[str, Again] = {
    "bill": Again("the bill is read again, and everything about it decided anew", _read(Kind.BILL)),
    "payment": Again("the payment is read again, and booked as it is now", _read(Kind.PAYMENT)),
    "matter": Again("the matter is read again, and planned anew", _read_and_plan),
    "break": Again("its window is reconciled again", _reconcile),
}


def way(row: Row, job: Row | None) -> str | None:
    """What a retry of this exception would do, in words; None when there is nothing to try again."""
    if row["state"] != "open":
        return None
    if job is not None and job["state"] in STOPPED:
        return f"job {job['id']} ({job['topic']}) is given to the workers again"
    return AGAIN[row["subject_kind"]].words if row["subject_kind"] in AGAIN else None


def retry_exception(rt: Runtime, exception_id: int, *, by: str, resend: bool, dry_run: bool) -> str:
    """Try again what one open exception is about; returns in words what follows, `Rejected` says why nothing does.

    A waiting job goes back to the workers, searching before it sends if its answer was lost; without one, the truth is read
    again and the exception closes when that settles it.
    """
    with rt.read() as work:
        row = required_open(work, exception_id)
        job = work.jobs.get(row["job_id"]) if row["job_id"] is not None else None
    if job is not None and job["state"] in STOPPED:
        return f"job {job['id']} {retry_job(rt, job['id'], by=by, resend=resend, dry_run=dry_run)}"
    if resend:
        raise Rejected(f"Nothing that exception {exception_id} is about was sent: there is nothing to send again.")
    with trial(rt, dry_run=dry_run) as work:
        row = required_open(work, exception_id)
        again = AGAIN.get(row["subject_kind"] or "")
        if again is None or row["subject_id"] is None:
            raise Rejected(
                f"Exception {exception_id} ({row['kind']}) has nothing to try again: it closes by itself, or is resolved."
            )
        again.look(work, row["subject_id"])
        about = f"{row['subject_kind']}:{row['subject_id']}"
        work.audit.line("exception.retried", "exception", exception_id, actor=by, kind=row["kind"], about=about)
    return again.words


def required_open(work: Work, exception_id: int) -> Row:
    """The exception, or `Rejected` when there is none of this id or it is over."""
    row = work.exceptions.get(exception_id)
    if row is None:
        raise Rejected(f"There is no exception {exception_id}.")
    if row["state"] != "open":
        raise Rejected(f"Exception {exception_id} is {row['state']} already.")
    return row
