"""A process that dies anywhere on a reminder's way sends one mail a client and day, and one a bill and step, at most."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from orchestrator.engine.points import Point
from orchestrator.storage.jobs import JobState
from tests.firm import Died, open_firm

POINTS = [point for point in Point if not point.value.startswith("receipt.")]
FIRST, SECOND, FLAG = "2026-03-19T15:00:20+00:00", "2026-04-02T15:00:20+00:00", "2026-04-13T15:00:20+00:00"


def survive(firm):
    """Whoever dies is started again."""
    for _ in range(8):
        with suppress(Died):
            firm.work()
            return
        firm.rest_pauses()


def on(firm, moment):
    firm.sandbox.clock_advance((datetime.fromisoformat(moment) - firm.rt.clock()).total_seconds())
    for seconds in (0, 45, 180):
        firm.sandbox.clock_advance(seconds)
        survive(firm)


def judged(firm, bills):
    """By the sandbox's own record: who was written to when, about which step of which bill, and what Clio was told."""
    verdict = firm.sandbox.oracle()
    assert verdict["duplicate_mails"] == verdict["mails_after_payment"] == []
    mails = [mail for mail in firm.mails() if not mail["headers"]["X-Orchestrator-Step"].startswith("invoice")]
    days = Counter((mail["to"][0], datetime.fromisoformat(mail["at"]).astimezone(UTC).date()) for mail in mails)
    steps = Counter(
        step
        for mail in mails
        for step in zip(
            mail["headers"]["X-Orchestrator-Bill"].split(","),
            mail["headers"]["X-Orchestrator-Step"].split(","),
            strict=True,
        )
    )
    assert set(days.values()) | set(steps.values()) <= {1}
    sent = [job for job in firm.jobs("reminder.send") if job["state"] == JobState.DONE]
    parked = [job for job in firm.jobs("reminder.send") if job["state"] == JobState.PARKED]
    # What a process took to its grave after it was marked as sent is a person's question, never a second mail.
    assert {job["reason"] for job in parked} <= {"mail_outcome_unknown"}
    assert len(sent) <= len(mails) <= len(sent) + len(parked)
    keys = {mail["headers"]["X-Orchestrator-Key"] for mail in mails}
    logged = list(firm.effects("communication.created"))
    assert len(logged) <= len(keys) + len(bills)
    flagged = [task for task in firm.effects("task.created") if "overdue" in task["name"]]
    assert len(flagged) == len({task["name"] for task in flagged}) <= len(bills)
    return steps, flagged, parked


@pytest.mark.parametrize("nth", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("point", POINTS)
def test_F10_a_death_at_any_point_leaves_one_mail_a_day_and_one_a_step(sandbox, database_url, point, nth):
    left = 0

    def passing(passed):
        nonlocal left
        left -= passed is point
        if passed is point and left == 0:
            raise Died(point)

    with open_firm(sandbox, database_url, passing=passing) as firm:
        firm.work()
        bills = [firm.mailed_bill(dollars=dollars, due_at="2026-03-12") for dollars in (100, 200)]
        for moment in (FIRST, SECOND, FLAG):
            left = nth
            on(firm, moment)
        steps, flagged, parked = judged(firm, bills)
        if not parked:
            assert len(steps) == 2 * len(bills)
        assert len(flagged) == len(bills)
