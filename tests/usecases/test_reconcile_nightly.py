"""Every night, in the account's own zone, until somebody signs (T39, T49)."""

from datetime import UTC, date, datetime

import pytest

from orchestrator.engine.run import run
from orchestrator.usecases.late_periods import late_since
from orchestrator.usecases.reconcile import account_named
from tests.databases import HeldClock
from tests.reconciling import bank, clio, office
from workflows.book import BOOK


@pytest.fixture
def clock():
    return HeldClock(datetime(2026, 4, 1, 3, tzinfo=UTC))


@pytest.fixture
def firm(database_url, clock):
    with office(database_url, clock=clock, jurisdiction="strict") as firm:
        yield firm


def night(firm, slot):
    with firm.rt.uow() as work:
        work.jobs.add("reconcile.nightly", slot)
    while True:
        with firm.rt.read() as work:
            ready = [job["id"] for job in work.jobs.listed(states=["ready"], limit=50)]
        if not ready:
            break
        for job in ready:
            run(firm.rt, BOOK, job)
    with firm.rt.read() as work:
        return [(row["trigger"], row["cut_off"]) for row in reversed(work.runs.listed())]


def test_T49_the_first_of_the_month_in_utc_is_still_march_in_new_york(firm, clock):
    firm.sees(clio(1, 1000, 2), bank("b1", 1000, 3))
    assert night(firm, "a") == [("nightly", date(2026, 3, 30))]
    clock.advance(hours=2)
    with firm.rt.uow() as work:
        work.movements.see([clio(2, 5, 9)])
    assert night(firm, "b")[-1] == ("month_end", date(2026, 3, 31))


def test_T42_a_night_without_news_makes_no_new_version(firm, clock):
    firm.sees(clio(1, 1000, 2))
    first = night(firm, "a")
    assert night(firm, "b") == first


def test_T39_a_late_signature_is_a_person_s_and_stops_draws(firm, clock):
    firm.sees(clio(1, 1000, 2))
    clock.advance(days=23)
    night(firm, "a")
    with firm.rt.read() as work:
        assert "reconciliation_overdue" not in work.exceptions.open_counts()
    clock.advance(days=3)
    night(firm, "b")
    with firm.rt.read() as work:
        assert work.exceptions.open_counts()["reconciliation_overdue"] == 1
        assert late_since(firm.rt, work, account_named(firm.rt, "iolta")) == date(2026, 3, 31)
