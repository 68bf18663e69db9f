"""The engine's own upkeep: a heartbeat that goes through the broker, and finished ticks forgotten."""

from datetime import timedelta

from orchestrator.domain.topics import PASSING
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job

KEEP_TICKS = timedelta(days=3)


def beat_heart(job: Job, rt: Runtime) -> None:
    """Prove that messages reach a worker and a worker reaches the database: a process being there proves nothing (F52)."""
    with step(rt, job) as work:
        work.pulses.beat("heartbeat", holder=rt.holder)


def tidy(job: Job, rt: Runtime) -> None:
    """Forget what was done so long ago that its key, a moment gone by, cannot come again."""
    with step(rt, job) as work:
        work.jobs.tidy(before=work.now - KEEP_TICKS, topics=PASSING)
