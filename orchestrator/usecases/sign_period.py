"""A named reviewer signs what a run says, and locks its period: what comes later belongs to the open one (T20, T41)."""

from datetime import datetime, time, timedelta

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.breaks import BREAKS, Severity
from orchestrator.domain.three_way import Statement
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.reconcile import account_named

WAIVER = "one_person_firm"


def sign_period(rt: Runtime, run_id: int, *, reviewer: str, dry_run: bool = False) -> Row:
    """The run that was signed, or `Rejected` with the one thing that stands in the way."""
    with rt.uow() as work:
        run = work.runs.get(run_id)
        if run is None or run["state"] != "finished":
            raise Rejected(f"There is no finished run {run_id}.", reason="run_unknown")
        account = account_named(rt, run["account"])
        problem = _problem(rt, work, account, run, reviewer)
        if problem is not None:
            raise Rejected(problem, reason="not_signable")
        if dry_run:
            return run
        waiver = WAIVER if _only_authoriser(work, account, run) == reviewer else None
        signed = work.periods.sign(
            account=account.key, opened_on=run["opened_on"], closed_on=run["cut_off"], run_id=run_id, reviewer=reviewer,
            waiver=waiver, inputs_digest=run["inputs_digest"], digest=run["digest"],
        )  # fmt: skip
        if not signed:
            raise Rejected(f"{account.key} is signed up to {run['cut_off']} already.", reason="period_locked")
        work.audit.line(
            "period_signed", "run", run_id, actor=reviewer, account=account.key, closed_on=run["cut_off"].isoformat(),
            digest=run["digest"], inputs=run["inputs_digest"], waiver=waiver,
        )  # fmt: skip
        return run


def _problem(rt: Runtime, work: Work, account: FirmAccount, run: Row, reviewer: str) -> str | None:
    trust, statement = rt.settings.trust, Statement(**run["statement"])
    last, newest = (
        work.periods.last(account.key),
        work.runs.versions(account.key, run["opened_on"], run["cut_off"])[-1],
    )
    found = work.differences.of_run(run["id"])
    bad = sorted({row["kind"] for row in found if BREAKS[row["kind"]].severity is not Severity.OPEN})
    today = rt.clock().astimezone(account.zone).date()
    for applies, sentence in (
        (
            reviewer not in trust.reviewers,
            f"{reviewer} is no reviewer of this firm: [trust] reviewers names {', '.join(trust.reviewers) or 'nobody'}.",
        ),
        (
            last is not None and run["cut_off"] <= last["closed_on"],
            f"{account.key} is signed up to {last['closed_on'] if last is not None else ''} already.",
        ),
        (newest["id"] != run["id"], f"Run {newest['id']} is a newer version of the same period: look at it, and sign that."),
        (run["cut_off"] >= today, f"The period ends on {run['cut_off']}, which is not over in {account.time_zone}."),
        (
            account.is_trust and statement.bank_until != run["cut_off"].isoformat(),
            f"The bank has told until {statement.bank_until or 'never'}: import its statement up to {run['cut_off']} first.",
        ),
        (
            account.is_trust and not statement.equal,
            "Bank, book and client ledgers are not equal to the cent: a difference is cured, never signed.",
        ),
        (bool(bad), f"Breaks stand: {', '.join(bad)}. Cure them and run again; `orchestrator reconcile breaks` has them."),
        (
            _only_authoriser(work, account, run) == reviewer and WAIVER not in trust.waivers,
            f"{reviewer} alone authorised the period's draws: another reviewer signs, or [trust] waivers says one-person firm.",
        ),
    ):  # fmt: skip
        if applies:
            return sentence
    return None


def _only_authoriser(work: Work, account: FirmAccount, run: Row) -> str | None:
    """The one person who authorised every draw of the period; None when nobody or several did (T20)."""
    begins = datetime.combine(run["opened_on"], time(), account.zone)
    ends = datetime.combine(run["cut_off"] + timedelta(days=1), time(), account.zone)
    names = work.periods.authorisers(account.key, begins, ends)
    return next(iter(names)) if len(names) == 1 else None
