"""A person settled an exception: it closes, no fact is edited, and the bill it was about is decided on anew."""

from typing import Any

from orchestrator.domain.bounces import HELD
from orchestrator.domain.kinds import Kind
from orchestrator.domain.lawpay_payments import BILL_GONE
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.repository import Row
from orchestrator.usecases.choose_rail import open_beside
from orchestrator.usecases.map_reference import map_reference
from orchestrator.usecases.note_bounce import ADDRESS
from orchestrator.usecases.rerun_breaks import provider_of
from orchestrator.usecases.retry_exception import required_open
from orchestrator.usecases.show_exceptions import Concern, concern_of
from orchestrator.usecases.trial import trial

BY_RETRY = (
    "Its job {job} waits: retry that instead (`orchestrator jobs retry {job}`), and the exception closes with it."
)


def name_its_matter(
    rt: Runtime, exception_id: int, matter_id: int, *, by: str, note: str, dry_run: bool = False
) -> dict[str, Any]:
    """Say which matter the text of a break means: it is mapped, and the break's window run again, which settles the break.

    Nothing is closed by hand: were it the wrong matter, the run would say so. `Rejected` says why not.
    """
    with rt.read() as work:
        row = required_open(work, exception_id)
        found = work.breaks.get(row["subject_id"]) if row["subject_kind"] == "break" else None
        if found is None or not found["reference"].strip():
            raise Rejected(f"Exception {exception_id} is about no text that could name a matter.")
        provider = provider_of(work, found)
    return map_reference(
        rt, found["reference"], matter_id, provider=provider, by=by, source="break", note=note, dry_run=dry_run
    )


def resolve_exception(rt: Runtime, exception_id: int, *, by: str, note: str, dry_run: bool = False) -> Row:
    """Close one open exception for `by`, keeping `note` as the why; returns it as it was, `Rejected` says why not."""
    with trial(rt, dry_run=dry_run) as work:
        row = required_open(work, exception_id)
        if concern_of(row) is Concern.BREAK and not note.strip():
            raise Rejected(
                "Whoever settles a break says why (--note): the break itself stands until a run no longer finds it."
            )
        job = work.jobs.get(row["job_id"]) if row["job_id"] is not None else None
        if job is not None and job["state"] == "parked":
            raise Rejected(BY_RETRY.format(job=row["job_id"]))
        work.exceptions.resolve(exception_id)
        work.audit.line("exception.resolved", "exception", exception_id, actor=by, kind=row["kind"], why=note)
        if row["kind"] in HELD.values() and row["key"].startswith(ADDRESS):
            work.bounces.release(int(row["key"].removeprefix(ADDRESS)), by=by)
        if row["kind"] == "link_ended_unseen":
            work.links.note(work.links.of_bill(row["subject_id"])[-1]["id"], reason="link_replaced")
        if row["subject_kind"] == Kind.BILL:
            work.dirty.mark(Kind.BILL, [row["subject_id"]])
        if row["kind"] == BILL_GONE:
            for bill in work.mirror.bills([row["subject_id"]]).values():
                work.dirty.mark(Kind.BILL, open_beside(work, bill))
    return row
