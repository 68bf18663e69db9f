"""W11: every matter that Clio has, however old, is read once, so that its numbers are known before its money comes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import PageLost
from orchestrator.storage.jobs import LIVE, Job
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.sync_matters import Matters

NAME = "matters"
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Before Clio: every matter has changed since."""


@dataclass(frozen=True, slots=True)
class Progress:
    """So many matters are kept, of `total` if Clio said how many there are."""

    read: int
    total: int | None


def backfill_matters(
    rt: Runtime, urgency: Urgency, *, told: Callable[[Progress], None], turned: Callable[[Work], None]
) -> int:
    """Read on where the last attempt stopped, page by page, each kept in a commit of its own; returns how many were read.

    `turned` takes part in the commit of each page, `told` follows it. Whatever stops it, the next call goes on.
    """
    practice = rt.practice(urgency)
    with rt.uow() as work:
        row = work.references.backfill(NAME)
        if row is None or row["done_at"] is not None:
            work.references.backfill_begins(NAME)
        place = row["place"] if row is not None and row["done_at"] is None else None
    try:
        for page in practice.matters.changed(BEGINNING, place):
            with rt.uow() as work:
                Matters().apply(rt, work, page.rows)
                work.references.backfill_turns(NAME, place=page.onward, read=len(page.rows), total=page.total)
                row = work.references.backfill(NAME)
                assert row is not None
                if page.onward is None:
                    work.audit.line("matters.backfilled", "account", "clio", matters=row["read"])
                turned(work)
            told(Progress(row["read"], row["total"]))
    except PageLost:
        with rt.uow() as work:
            work.references.backfill_begins(NAME)
        raise
    assert row is not None
    return int(row["read"])


def backfill(job: Job, rt: Runtime) -> None:
    """The same in a worker's hands; tried again, it goes on where it stopped."""

    def renewed(work: Work) -> None:
        work.jobs.renew(job, lease_seconds=rt.settings.engine.lease_seconds)

    read = backfill_matters(rt, Urgency(job.urgency), told=lambda _: None, turned=renewed)
    with step(rt, job, {"read": read}):
        return


def queue_backfill(rt: Runtime) -> bool:
    """Leave it to a worker; False when one is at it, or about to be."""
    with rt.uow() as work:
        if work.jobs.listed(topic="matters.backfill", states=LIVE, limit=1):
            return False
        return work.jobs.add("matters.backfill", work.now.isoformat())


def backfill_stands(rt: Runtime) -> dict[str, Any] | None:
    """How far the last backfill came, or None before the first."""
    with rt.read() as work:
        row = work.references.backfill(NAME)
    return {name: row[name] for name in ("began_at", "read", "total", "done_at")} if row is not None else None
