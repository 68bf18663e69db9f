"""Sandbox time: frozen, moved, running, and what falls due on the way."""

import time
from datetime import UTC, datetime, timedelta

from orchestrator.sandbox.clock import Clock

START = datetime(2026, 3, 2, 15, tzinfo=UTC)


def test_a_frozen_clock_moves_only_when_moved():
    clock = Clock(START, frozen=True)
    assert clock.now() == clock.now() == START
    clock.advance(60)
    assert clock.now() == START + timedelta(minutes=1)


def test_a_running_clock_keeps_its_offset():
    clock = Clock(START)
    assert timedelta(0) <= clock.now() - START < timedelta(seconds=5)


def test_what_falls_due_runs_in_order_at_its_own_moment():
    clock, seen = Clock(START, frozen=True), []
    for seconds in (30, 10, 20):
        clock.after(seconds, lambda: seen.append((clock.now() - START).total_seconds()))
    clock.advance(25)
    assert seen == [10, 20]
    clock.advance(25)
    assert seen == [10, 20, 30]


def test_what_falls_due_may_make_more_fall_due():
    clock, seen = Clock(START, frozen=True), []

    def again():
        seen.append(clock.now())
        if len(seen) < 3:
            clock.after(10, again)

    clock.after(10, again)
    clock.advance(3600)
    assert [(moment - START).total_seconds() for moment in seen] == [10, 20, 30]


def test_a_running_clock_settles_payments_by_itself(enter):
    clio = enter("tiny", frozen=False)
    link = clio.link(clio.issued_bill("ferris")).json()["data"]
    payment = clio.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0.05)
    deadline = time.monotonic() + 5
    while clio.get(f"/clio_payments/payments/{payment['id']}", "state")["state"] != "completed":
        assert time.monotonic() < deadline
