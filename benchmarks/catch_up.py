"""P7: what it takes to know everything again after three hours in which nothing was heard and nothing asked."""

import math

from benchmarks.figure import Bound, Figure, Say
from benchmarks.house import QUIET, busy_firm, calls, sandbox_of, sqlite
from tests.firm import Firm, open_firm

PAGE = 200
DEAF_HOURS = 3


def measure(quick: bool, say: Say) -> Figure:
    """Calls until the firm is at rest again ÷ the pages that what changed fills, kind by kind."""
    bills = 600 if quick else 2000
    # Links are for bills issued from a date to come, so that reading is all there is to do.
    silent = QUIET | {"links": {"issued_from": "2030-01-01"}, "approval": {"signal": "operator"}}
    with (
        sandbox_of(busy_firm(clients=5)) as sandbox,
        sqlite() as database_url,
        open_firm(sandbox, database_url, environment=silent) as firm,
    ):
        firm.work()
        before, detail = calls(sandbox), sandbox.counts()["calls"]
        say(f"{bills} bills on {bills // 2} new matters")
        made = sandbox.act("bulk", bills=bills, clients=bills // 2, amount="250.00")["bill_ids"]
        worked = [firm.log_time(firm.matter())["id"] for _ in range(bills // 10)]
        firm.later(hours=DEAF_HOURS)
        lost = _lost(firm, made, worked)
        spent = calls(sandbox) - before
        detail = {template: n - detail.get(template, 0) for template, n in sandbox.counts()["calls"].items()}
    changed = (len(made), bills // 2, len(worked))
    pages = sum(math.ceil(kind / PAGE) for kind in changed)
    return Figure(
        value=spent / pages,
        baseline=pages,
        n=sum(changed),
        also=[Bound("changes lost", lost, "≤", 0)],
        limit="one call for every kind that has not changed, and the look at drafts and webhooks that is due then",
        detail={"calls": {template: n for template, n in detail.items() if n}, "pages": pages},
    )


def _lost(firm: Firm, bill_ids: list[int], entry_ids: list[int]) -> int:
    """How many of these our mirror does not show as Clio does."""
    with firm.rt.read() as work:
        seen = work.mirror.bills(bill_ids)
        entries = {row["id"] for row in work.mirror.entries(entry_ids)}
    standing = {made for made in bill_ids if made in seen and seen[made].state == "awaiting_payment"}
    return len(set(bill_ids) - standing) + len(set(entry_ids) - entries)
