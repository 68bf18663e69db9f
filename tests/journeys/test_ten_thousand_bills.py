"""W13: ten thousand open bills are read page by page, and what is sent costs two calls each: nothing else is a call per bill."""

import math

import pytest

BILLS = 10_000
PAGE = 200
KINDS_BESIDE = 5
"""Matters, activities, tasks, links, and payments under way: one question each, most often answered by nothing."""


def spent(firm):
    return dict(firm.sandbox.counts()["calls"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_of_ten_thousand_open_bills_costs_their_pages_and_two_calls_for_each_that_is_sent(opened, tiny):
    firm = opened(tiny, notes={"events": (), "paid_field": None})
    before = spent(firm)
    firm.sandbox.act("bulk", bills=BILLS, clients=5, amount="50.00")
    firm.sandbox.clock_advance(15 * 60)
    firm.work(most=20_000)
    firm.sandbox.clock_advance(60)
    firm.work(most=20_000)
    calls = {template: number - before.get(template, 0) for template, number in spent(firm).items()}
    sends = len(firm.mails())
    assert sends == 50
    read_again = math.ceil(sends / PAGE)
    assert calls["GET /bills"] <= BILLS / PAGE + read_again, "every page once, and those that are sent once more"
    assert sum(calls.values()) <= BILLS / PAGE + 2 * sends + KINDS_BESIDE + read_again, calls
    assert firm.sandbox.oracle()["duplicate_mails"] == []
