"""Reconcile one window again, because something that it could not know is known now (W15)."""

from datetime import timedelta

from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.reconcile import account_named, begin, go_on


def reconcile_window(job: Job, rt: Runtime) -> None:
    """The run whose breaks were reopened, decided anew: one job for each run and each reference that explained some.

    A signed period stays as it was: what became known since belongs to the open one (T41).
    """
    account = account_named(rt, job.payload["account"])
    with rt.read() as work:
        before = work.runs.get(job.payload["run_id"])
        last = work.periods.last(account.key)
        newest = work.runs.newest(account.key)
    yesterday = rt.clock().astimezone(account.zone).date() - timedelta(days=1)
    cut_off = max((row["cut_off"] for row in (before, newest) if row is not None), default=yesterday)
    if last is not None and cut_off <= last["closed_on"]:
        cut_off = yesterday
    if last is not None and cut_off <= last["closed_on"]:
        # Signed a moment ago: the open period has no finished day yet, and every night compares what it has by then.
        with step(rt, job, {"run": None}):
            return

    def renew(work: Work) -> None:
        work.jobs.renew(job, lease_seconds=rt.settings.engine.lease_seconds)

    run = go_on(rt, begin(rt, account, cut_off=cut_off, trigger="window").run_id, each=renew)
    with step(rt, job, {"run": run["id"]}):
        pass
