"""What a database restored from a backup cannot know, said in the words of decisions (F57)."""

from datetime import date, timedelta

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import JobState
from orchestrator.storage.lineage import Cause, Gate
from orchestrator.storage.unit_of_work import Work

CAUSES = {
    Cause.RESTORED: "restored from a backup",
    Cause.BEHIND: "it is behind its mark, as a copy from a backup would be",
    Cause.UNMARKED: "the mark outside that says how far it was is gone",
    Cause.OTHER: "the mark outside was made by another copy of it",
    Cause.AUDIT_CUT: "the end of its audit chain is gone",
    Cause.UNKNOWN_LINK: "Clio has a link of ours that it has never heard of",
}
STEP = {Gate.ADOPTING: "recovery.adopt", Gate.SWEEPING: "recovery.finish"}

MOST = 7
"""Days of the lost past that a decision of today may have been made on: one made earlier has been seen by its effect."""


def lost_days(rt: Runtime, work: Work) -> list[date]:
    """The office's other days on which today's decision may have been made already, the latest first; most often none."""
    life = work.lineage.life()
    if life.recovered_at is None or not life.doubtful(work.now):
        return []
    today, first = rt.local_date(work.now), rt.local_date(life.since or life.lost_from)
    days = [today - timedelta(days=back) for back in range(1, MOST + 1)]
    return [day for day in days if day >= first]


def recovery_said(work: Work) -> str | None:
    """What a recovery under way waits for, in a sentence for the administrator; None when there is none."""
    life = work.lineage.life()
    if not life.recovering:
        return None
    known = f"knows nothing after {life.since:%Y-%m-%d %H:%M} UTC" if life.since else "may have forgotten much"
    step = next(iter(work.jobs.listed(topic=STEP[life.gate], limit=1)), None)
    stopped = step is not None and step["state"] == JobState.PARKED
    waits = f" {step['detail'].rstrip('.')}." if step is not None and step["detail"] else ""
    todo = f" See `orchestrator jobs show {step['id']}`." if stopped and step is not None else ""
    return (
        f"Recovering ({CAUSES[life.cause or Cause.RESTORED]}): the database {known}. "
        f"{work.jobs.held_back()} jobs wait until Clio has been read; nothing leaves before.{waits}{todo}"
    )
