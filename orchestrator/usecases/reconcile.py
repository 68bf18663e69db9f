"""W14: one account, one period, one state of knowledge → matches, breaks and the three-way statement, as a versioned run.

A run is decided once: the same inputs find the run that has decided about them, new inputs make its next version (T42), or
none when they come to the very same result.
Beginning one writes only the run; going on writes only what the run found.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.ids import effect_key
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.reconcile_course import Course, RunTaken
from orchestrator.usecases.reconcile_ground import Memo
from orchestrator.usecases.see_payments import see_payments

RULES = 10
"""Raised with every change of the ladder: the same movements may then come out otherwise."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run, and whether there was none of exactly these inputs before."""

    run_id: int
    new: bool


Progress = Callable[[int, int], None]
"""How many steps of how many."""


def account_named(rt: Runtime, key: str) -> FirmAccount:
    """The configured account of this key, or `Rejected` with the keys there are."""
    known = {account.key: account for account in rt.settings.trust.firm_accounts}
    if key not in known:
        said = ", ".join(sorted(known)) or "none: add [[trust.accounts]] to the firm's profile"
        raise Rejected(f"There is no account {key}; configured are {said}.", reason="account_unknown")
    return known[key]


def begin(
    rt: Runtime, account: FirmAccount, *, cut_off: date | None = None, trigger: str = "operator", by: str = "worker"
) -> Begun:  # fmt: skip
    """The run of an account's open period up to a day (yesterday by default), begun, under way or finished.

    The period opens with the day after the last signed one, or else with the first statement of the bank, or else with the
    first movement. A day inside a signed period is `Rejected`: it is locked (T41).
    """
    today = rt.clock().astimezone(account.zone).date()
    day = cut_off or today - timedelta(days=1)
    with rt.uow(quietly=True) as work:
        see_payments(work, rt.settings.trust)
        last = work.periods.last(account.key)
        if last is not None and day <= last["closed_on"]:
            raise Rejected(
                f"{account.key} is signed and locked up to {last['closed_on']}; run a later day.",
                reason="period_locked",
            )
        opened_on = last["closed_on"] + timedelta(days=1) if last is not None else _first_day(work, account, day)
        inputs = _inputs(work, account, day, last)
        digest = effect_key("run", account.key, opened_on, day, *(f"{name}={inputs[name]}" for name in sorted(inputs)))
        known = work.runs.of_inputs(account.key, opened_on, day, digest)
        if known is not None:
            return Begun(known["id"], new=False)
        work.runs.abandon(account.key, opened_on, day)
        version = len(work.runs.versions(account.key, opened_on, day)) + 1
        run_id = work.runs.begin(
            account=account.key, opened_on=opened_on, cut_off=day, version=version, trigger=trigger, asked_by=by,
            inputs=inputs, inputs_digest=digest, place={"phase": 0, "after": None, "days": {}, "rules": {}, "chain": ""},
        )  # fmt: skip
        work.audit.line(
            "run_begun", "run", run_id, actor=by, account=account.key, cut_off=day.isoformat(), inputs=digest
        )
        return Begun(run_id, new=True)


def go_on(rt: Runtime, run_id: int, *, say: Progress | None = None, each: Callable[[Work], None] | None = None) -> Row:
    """Take a run to its end from wherever it was; a finished one is returned as it is. `each` joins every transaction."""
    memo: Memo = {}
    while True:
        with rt.uow(quietly=True) as work:
            run = work.runs.get(run_id)
            if run is None:
                raise Rejected(f"There is no run {run_id}.", reason="run_unknown")
            if run["state"] == "same":
                return work.runs.get(run["place"]["same_as"]) or run
            if run["state"] != "running":
                return run
            course = Course(rt, work, run, account_named(rt, run["account"]), memo)
            try:
                with uncollected():
                    done, steps = course.step()
            except RunTaken:
                # Another worker went on with it: its steps are as good as ours.
                continue
            if each is not None:
                each(work)
        if say is not None:
            say(done, steps)


@contextmanager
def uncollected() -> Iterator[None]:
    """A step makes tens of thousands of tuples and no cycle: looking for one among them costs as much as the step."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def reconcile(
    rt: Runtime, account: FirmAccount, *, cut_off: date | None = None, trigger: str = "operator", by: str = "worker",
    say: Progress | None = None,
) -> Row:  # fmt: skip
    """`begin` and `go_on`: the finished run."""
    return go_on(rt, begin(rt, account, cut_off=cut_off, trigger=trigger, by=by).run_id, say=say)


def _first_day(work: Work, account: FirmAccount, day: date) -> date:
    first = work.bank_files.first_day(account.key) or work.figures.first_day(account.key, day) or day
    return min(first, day)


def _inputs(work: Work, account: FirmAccount, day: date, last: Row | None) -> dict[str, Any]:
    """Everything that a run's result depends on, in numbers that never go back."""
    bank = work.bank_files.covering(account.key, day)
    return {
        "rules": RULES,
        "upto": work.movements.newest(),
        # The client ledgers as they stood when the run began; an operating account has none.
        "lines": work.three_way.newest() if account.is_trust else None,
        "account": [account.account_class, account.currency, account.time_zone],
        "references": work.runs.known_references(),
        "draws": work.runs.known_draws(),
        "unallocated": work.journal.newest_unallocated(),
        "bank_file": bank["id"] if bank is not None else None,
        "period": last["id"] if last is not None else None,
    }
