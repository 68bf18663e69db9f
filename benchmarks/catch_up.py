"""P7: what it takes to know everything again after three hours in which nothing was heard and nothing asked."""

import math
from collections import Counter
from collections.abc import Mapping

from benchmarks.figure import Bound, Figure, Say
from benchmarks.house import QUIET, busy_firm, calls, sandbox_of, sqlite
from orchestrator.sandbox import SandboxHandle
from tests.firm import Firm, open_firm

PAGE = 200
DEAF_HOURS = 3
PER_USER = 50
CENTS = 25_000

LISTS = {"bills": "/bills", "payments": "/clio_payments/payments", "activities": "/activities"}
"""The kinds that change, and the lists that show them; a changed link is only how a payment is found."""


def measure(quick: bool, say: Say) -> Figure:
    """Calls until the firm is at rest again ÷ the pages that what changed fills, kind by kind."""
    each = 100 if quick else 500
    # Nothing is written at Clio for a payment, so that reading is all there is to do.
    silent = QUIET | {"approval": {"signal": "operator"}, "mail": {"batch_seconds": 60}}
    with (
        sandbox_of(busy_firm(users=math.ceil(each / PER_USER) + 1, clients=5)) as sandbox,
        sqlite() as database_url,
        open_firm(sandbox, database_url, environment=silent) as firm,
    ):
        say(f"{each} bills with their links")
        made = sandbox.act("bulk", bills=each, clients=each // 10, amount=f"{CENTS / 100:.2f}")["bill_ids"]
        for _ in range(4):
            firm.sandbox.clock_advance(16 * 60)
            firm.work(most=20 * each)
        assert len(firm.links()) == each
        say(f"{each} payments, bills and entries of which nobody hears")
        sandbox.clock_advance(DEAF_HOURS * 3600)
        paid = sandbox.act("bulk", pay_links=each, settle_after_seconds=0)["payment_ids"]
        matter = firm.matter()
        worked = [firm.log_time(matter)["id"] for _ in range(each)]
        before, lists = calls(sandbox), _asked(sandbox)
        sandbox.clock_advance(15 * 60)
        firm.work(most=20 * each)
        spent, lost = calls(sandbox) - before, _lost(firm, made, paid, worked)
        asked = {kind: number - lists[kind] for kind, number in _asked(sandbox).items()}
    pages = math.ceil(each / PAGE)
    return Figure(
        value=spent / (len(LISTS) * pages),
        baseline=len(LISTS) * pages,
        n=len(LISTS) * each,
        also=[
            Bound("changes lost", lost, "≤", 0),
            Bound("calls for the kind that took most ÷ its pages", max(asked.values()) / pages, "≤", 3),
        ],
        limit="links are listed to find their payments, and bills read once more with them: the bill decides what is paid",
        detail={"calls": spent, "by_kind": asked, "pages_by_kind": pages},
    )


def _asked(sandbox: SandboxHandle) -> Mapping[str, int]:
    """List calls so far, by kind."""
    paths = Counter(one["path"] for one in sandbox.requests())
    return {kind: paths[path] for kind, path in LISTS.items()}


def _lost(firm: Firm, bill_ids: list[int], payment_ids: list[int], entry_ids: list[int]) -> int:
    """How many of these our books do not show as Clio does."""
    with firm.rt.read() as work:
        bills = work.mirror.bills(bill_ids)
        payments = work.mirror.payments(payment_ids)
        entries = {row["id"] for row in work.mirror.entries(entry_ids)}
        held = work.journal.held()
    settled = {bill_id for bill_id, bill in bills.items() if bill.state == "paid"}
    known = {ident for ident, row in payments.items() if row["state"] == "completed"}
    unbooked = abs(CENTS * len(payment_ids) - held) // CENTS
    return len(set(bill_ids) - settled) + len(set(payment_ids) - known) + len(set(entry_ids) - entries) + unbooked
