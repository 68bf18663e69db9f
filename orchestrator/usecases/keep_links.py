"""W12: links that end before the next letter are made anew in time, and a person hears of a quota that is getting short."""

from datetime import timedelta

from orchestrator.domain.asking import Ask
from orchestrator.domain.bills import Bill
from orchestrator.domain.links import RENEWED
from orchestrator.domain.reminders import Sequence as Steps
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import still_asked
from orchestrator.usecases.forecast_links import foreseen, warning
from orchestrator.usecases.judge_reminders import sequences_of
from orchestrator.usecases.renew_link import renew

BEFORE_THE_END = timedelta(days=3)
"""How long before its end a link is made anew: two business days to notice, should that fail."""

EASED = 0.75
"""The share of both quotas below which it is over: at the brink of `TIGHT`, a person would be told every half day."""

AT_ONCE = 200
TIGHT = "link_budget_tight"


def keep_links(job: Job, rt: Runtime) -> None:
    """Renew what ends before its next letter, as far as both quotas allow; foresee both, and tell a person once."""
    with rt.read() as work:
        used = work.links.use()
        found = foreseen(rt, work, used[1])[1] if used is not None else None
    with step(rt, job) as work:
        if used is not None and found is not None and found.tight is not None:
            work.exceptions.open(TIGHT, "account", warning(rt, used[1], found))
        elif used is None or found is None or found.most < EASED * used[1].limit:
            work.exceptions.close(TIGHT, "account")
        _renew_ending(rt, work)


def _renew_ending(rt: Runtime, work: Work) -> None:
    ending = work.links.ending_before(work.now + BEFORE_THE_END, limit=AT_ONCE)
    bills = work.mirror.bills([link["bill_id"] for link in ending])
    sequences = sequences_of(rt, work, list(bills.values())) if rt.settings.reminders.enabled else {}
    for link in ending:
        bill = bills.get(link["bill_id"])
        follows = (
            bill is not None and bill.id in sequences and _letter_follows(rt, work, link, bill, sequences[bill.id])
        )
        if follows and isinstance(still_asked(rt, work, link), Ask):
            renew(work, link, reason=RENEWED)


def _letter_follows(rt: Runtime, work: Work, link: Row, bill: Bill, sequence: Steps) -> bool:
    """Whether the next letter about this bill comes after its link has ended; one before that brings another by itself."""
    today, end = rt.local_date(work.now), rt.local_date(link["expires_at"])
    days = [
        on for one in sequence.steps if one.is_letter and (on := sequence.on(one, bill)) is not None and on >= today
    ]
    return bool(days) and min(days) >= end
