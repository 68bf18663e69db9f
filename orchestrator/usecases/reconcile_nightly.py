"""Nightly: every account up to yesterday, and the last month end until somebody has signed it (T39, T49)."""

from datetime import date, timedelta

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.jurisdictions import Every
from orchestrator.domain.periods import last_period_end
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.late_periods import late_since
from orchestrator.usecases.reconcile import account_named, begin, go_on

OVERDUE = "reconciliation_overdue"


def reconcile_nightly(job: Job, rt: Runtime) -> None:
    """One run for each account and day to look at; an account whose signature is late is a person's (T39)."""
    with step(rt, job) as work:
        for account in rt.settings.trust.firm_accounts:
            today = work.now.astimezone(account.zone).date()
            last = work.periods.last(account.key)
            signed_to = last["closed_on"] if last is not None else None
            days = {today - timedelta(days=1): "nightly", last_period_end(today, Every.MONTH): "month_end"}
            for day, trigger in days.items():
                if (signed_to is None or day > signed_to) and work.figures.first_day(account.key, day) is not None:
                    work.jobs.add(
                        "reconcile.run", job.key, account.key, trigger, account=account.key, cut_off=day.isoformat(),
                        trigger=trigger,
                    )  # fmt: skip
            if account.is_trust:
                _alert(rt, work, account)


def reconcile_run(job: Job, rt: Runtime) -> None:
    """The run of one account up to one day; a worker that takes over goes on with it."""
    account = account_named(rt, job.payload["account"])
    cut_off = date.fromisoformat(job.payload["cut_off"])

    def renew(work: Work) -> None:
        work.jobs.renew(job, lease_seconds=rt.settings.engine.lease_seconds)

    with rt.read() as work:
        last = work.periods.last(account.key)
    if last is not None and cut_off <= last["closed_on"]:
        with step(rt, job, {"signed": True}):
            return
    run = go_on(rt, begin(rt, account, cut_off=cut_off, trigger=job.payload["trigger"]).run_id, each=renew)
    with step(rt, job, {"run": run["id"]}):
        pass


def _alert(rt: Runtime, work: Work, account: FirmAccount) -> None:
    end = late_since(rt, work, account)
    if end is not None:
        work.exceptions.open(OVERDUE, account.key, f"{account.key} up to {end} is not signed, and its day is over.")
    else:
        work.exceptions.close(OVERDUE, account.key)
