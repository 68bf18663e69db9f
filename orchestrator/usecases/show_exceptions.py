"""What waits for a person: the most money first."""

from datetime import timedelta
from typing import Any

from orchestrator.domain.reasons import advice, meaning
from orchestrator.engine.runtime import Runtime
from orchestrator.usecases.show_jobs import job_facts
from orchestrator.usecases.show_links import facts

EXCEPTION = (
    "id", "kind", "summary", "subject_kind", "subject_id", "job_id", "money_cents", "times", "state", "owner", "opened_at",
    "updated_at",
)  # fmt: skip


def show_exceptions(
    rt: Runtime, *, kind: str | None, owner: str | None, unassigned: bool, days: int | None, everything: bool, limit: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Open exceptions, or with `everything` the settled ones too; `days` leaves only those that are as old or older."""
    with rt.read() as work:
        before = work.now - timedelta(days=days) if days is not None else None
        rows = work.exceptions.listed(
            state=None if everything else "open",
            kind=kind,
            owner=owner,
            unassigned=unassigned,
            before=before,
            limit=limit,
        )
        return [facts(row, EXCEPTION) | {"meaning": meaning(row["kind"])} for row in rows]


def show_exception(rt: Runtime, exception_id: int) -> dict[str, Any] | None:
    """One exception with what to do about it and the job that waits for it; None when there is none of this id."""
    with rt.read() as work:
        row = work.exceptions.get(exception_id)
        if row is None:
            return None
        job = work.jobs.get(row["job_id"]) if row["job_id"] else None
        return {
            "exception": facts(row, EXCEPTION),
            "meaning": meaning(row["kind"]),
            "advice": advice(row["kind"]),
            "job": job_facts(job) if job else None,
        }
