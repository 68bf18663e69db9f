"""The engine's own upkeep: a heartbeat that goes through the broker, and finished ticks forgotten."""

from datetime import timedelta

from orchestrator.domain.reasons import PROVIDERS, WAITED_FOR
from orchestrator.domain.topics import PASSING
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.storage.vault import rewrap
from orchestrator.usecases.approve_in_clio import forget_presses
from orchestrator.usecases.prune_runs import prune_runs
from orchestrator.usecases.verify_audit import verify_newest

KEEP_TICKS = timedelta(days=3)


def beat_heart(job: Job, rt: Runtime) -> None:
    """Prove that messages reach a worker and a worker reaches the database: a process being there proves nothing (F52)."""
    with step(rt, job) as work:
        work.pulses.beat("heartbeat", holder=rt.holder)
        for provider in PROVIDERS:
            for reason in work.exceptions.standing(WAITED_FOR, provider):
                if not work.jobs.any_waiting(reason):
                    work.exceptions.close(reason, provider)


def tidy(job: Job, rt: Runtime) -> None:
    """Forget ticks done so long ago that their keys cannot come again; put every secret under the newest key (F49).

    Before that the day's audit lines are checked, the head of the chain is noted outside the database (F82), and matches of
    superseded runs are let go.
    """
    verify_newest(rt)
    prune_runs(rt, each=lambda work: work.jobs.renew(job, lease_seconds=rt.settings.engine.lease_seconds))
    with step(rt, job) as work:
        work.jobs.tidy(before=work.now - KEEP_TICKS, topics=PASSING)
        forget_presses(work)
        moved = rewrap(work, rt.cipher)
        if moved:
            work.audit.line("secrets.rewrapped", "key", "newest", values=moved)
