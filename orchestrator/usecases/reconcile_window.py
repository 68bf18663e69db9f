"""Reconcile one window again, because something that it could not know is known now (W15)."""

from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job


def reconcile_window(job: Job, rt: Runtime) -> None:
    """One job for each run whose breaks were reopened and each reference that explained them."""
    with step(rt, job):
        pass
