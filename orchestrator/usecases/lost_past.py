"""What a database restored from a backup cannot know, said in the words of decisions (F57)."""

from datetime import date, timedelta

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work

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
