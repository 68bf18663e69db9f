"""W8, W13: ten thousand open bills are read page by page, and what is sent costs two calls at most: nothing else is a call per bill."""

from datetime import UTC, datetime
from math import ceil

import pytest

BILLS, PAGE = 10_000, 200
CLIENTS = 150
USERS = 3
"""Good for 150 links, so that each client has one."""

QUESTIONS = 3
"""One each to matters, activities and links, in every sweep and whatever there is: anybody's hand may have changed them."""

DUE, REMINDED = "2026-03-12", datetime(2026, 3, 19, 15, 0, 20, tzinfo=UTC)


@pytest.fixture
def firm(opened, tiny):
    """Three users, and nothing but link, message and communication follows from a bill."""
    tiny["users"] += [{"key": f"user{n}", "name": f"User {n}", "email": f"user{n}@solo.test"} for n in range(1, USERS)]
    firm = opened(tiny, notes={"events": (), "paid_field": None})
    firm.later(seconds=20)
    return firm


class Spent:
    """Every call to Clio and every mail since it was made."""

    def __init__(self, firm):
        self.firm, self.before, self.mails = firm, dict(firm.sandbox.counts()["calls"]), len(firm.mails())

    def calls(self):
        return {one: made - self.before.get(one, 0) for one, made in self.firm.sandbox.counts()["calls"].items()}

    def sends(self):
        return len(self.firm.mails()) - self.mails


def work_on(firm, seconds):
    firm.sandbox.clock_advance(seconds)
    firm.work(most=50_000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_open_bills_cost_their_pages_two_calls_for_each_invoice_and_less_for_each_reminder(firm):
    spent = Spent(firm)
    firm.sandbox.act("bulk", bills=BILLS, clients=CLIENTS, amount="50.00", due_at=DUE)
    work_on(firm, 15 * 60)
    work_on(firm, 60)
    calls, sends = spent.calls(), spent.sends()
    assert sends == CLIENTS
    assert calls["POST /clio_payments/links"] == calls["POST /communications"] == sends
    read_again = ceil(sends / PAGE)
    assert calls["GET /bills"] == BILLS / PAGE + read_again, "every page once, and those that are sent once more"
    # An invoice needs both its calls, link and communication: what is asked beside is on top, and never grows with the bills.
    assert sum(calls.values()) == BILLS / PAGE + 2 * sends + read_again + QUESTIONS, calls

    spent = Spent(firm)
    for client in sorted(firm.ids["contacts"].values()):
        firm.sandbox.act("edit_contact", id=client)  # the bills of a client that was changed are read anew
    work_on(firm, (REMINDED - firm.rt.clock()).total_seconds())
    work_on(firm, 60)
    calls, sends = spent.calls(), spent.sends()
    assert sends == CLIENTS
    assert calls["POST /communications"] == sends
    assert calls["GET /bills"] >= BILLS / PAGE
    assert sum(calls.values()) <= BILLS / PAGE + 2 * sends, calls
    assert firm.sandbox.oracle()["duplicate_mails"] == []
