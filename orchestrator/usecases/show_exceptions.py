"""What waits for a person: the most money first."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from orchestrator.domain.reasons import advice, meaning
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.retry_exception import way
from orchestrator.usecases.show_jobs import job_facts
from orchestrator.usecases.show_links import facts

EXCEPTION = (
    "id", "kind", "summary", "subject_kind", "subject_id", "job_id", "money_cents", "times", "state", "owner", "opened_at",
    "updated_at",
)  # fmt: skip
HISTORY = ("seq", "at", "actor", "action", "facts")


class Concern(StrEnum):
    """What an exception is about, so that whoever reconciles need not read what whoever mails must do."""

    BREAK = "break"
    JOB = "job"
    PAYMENT = "payment"
    DATA = "data"


def concern_of(row: Row) -> Concern:
    """Under which of these an exception is looked for; what is none of the others is something to set right in the data."""
    if row["kind"].startswith("break_") or row["subject_kind"] in ("break", "movement"):
        return Concern.BREAK
    if row["job_id"] is not None:
        return Concern.JOB
    if row["kind"].startswith("payment_") or row["subject_kind"] == "payment":
        return Concern.PAYMENT
    return Concern.DATA


def show_exceptions(
    rt: Runtime, *, kind: str | None, owner: str | None, unassigned: bool, days: int | None, everything: bool, limit: int,
    concern: str | None = None, about: tuple[str, int] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Open exceptions, or with `everything` the settled ones too; `days` leaves only those that are as old or older."""
    with rt.read() as work:
        before = work.now - timedelta(days=days) if days is not None else None
        rows = work.exceptions.listed(
            state=None if everything else "open", kind=kind, owner=owner, unassigned=unassigned, before=before, about=about,
            # Which of them concern what is known only here.
            limit=limit if concern is None else None,
        )  # fmt: skip
        chosen = [row for row in rows if concern in (None, concern_of(row))][:limit]
        return [_said(row, work.now) for row in chosen]


def show_exception(rt: Runtime, exception_id: int) -> dict[str, Any] | None:
    """One exception: what to do, what a retry does, what it is about, and what was done; None when there is none of this id."""
    with rt.read() as work:
        row = work.exceptions.get(exception_id)
        if row is None:
            return None
        job = work.jobs.get(row["job_id"]) if row["job_id"] else None
        return {
            "exception": _said(row, work.now),
            "meaning": meaning(row["kind"]),
            "advice": advice(row["kind"]),
            "retry": way(row, job),
            "subject": _subject(work, row),
            "job": job_facts(job) if job else None,
            "history": [facts(line, HISTORY) for line in work.audit.about("exception", exception_id)],
        }


def _said(row: Row, now: datetime) -> dict[str, Any]:
    ended = row["updated_at"] if row["state"] != "open" else now
    return facts(row, EXCEPTION) | {
        "concern": concern_of(row),
        "age_seconds": max(0, int((ended - row["opened_at"]).total_seconds())),
        "meaning": meaning(row["kind"]),
        "advice": advice(row["kind"]),
    }


BREAK = (
    "id", "kind", "account", "state", "reference", "money_cents", "currency", "cause", "candidates", "since", "owner", "why",
    "cure_by",
)  # fmt: skip
MOVEMENT = (
    "id", "source", "external_id", "account", "amount_cents", "currency", "on", "kind", "status", "reference", "matter_id",
    "bill_id", "payment_id",
)  # fmt: skip
BILL = ("id", "number", "state", "balance_cents", "pending_cents", "currency", "matter_ids")
PAYMENT = ("id", "state", "amount_cents", "currency", "bill_ids", "matter_ids", "booked_cents")


def _subject(work: Work, row: Row) -> dict[str, Any] | None:
    """What it is about, as it is now."""
    kind, ident = row["subject_kind"], row["subject_id"]
    if kind not in SUBJECTS or ident is None:
        return None
    read, names = SUBJECTS[kind]
    found = read(work, ident)
    return facts(found, names) if found is not None else None


SUBJECTS: Mapping[str, tuple[Callable[[Work, int], Row | None], tuple[str, ...]]] = {
    "break": (lambda work, ident: work.breaks.get(ident), BREAK),
    "movement": (lambda work, ident: work.movements.rows_of([ident]).get(ident), MOVEMENT),
    "bill": (lambda work, ident: work.mirror.bill_rows([ident]).get(ident), BILL),
    "payment": (lambda work, ident: work.mirror.payments([ident]).get(ident), PAYMENT),
}
