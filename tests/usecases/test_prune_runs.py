"""Matches that nobody needs any more go after a while; whatever a signed or newest run says stays to the letter (T40–T42, T46)."""

from datetime import UTC, date, datetime

import pytest

from orchestrator.usecases.prune_runs import prune_runs
from orchestrator.usecases.show_runs import show_diff, show_run
from orchestrator.usecases.sign_period import sign_period
from tests.databases import HeldClock
from tests.reconciling import REVIEWER, bank, clio, office

APRIL = date(2026, 4, 30)


@pytest.fixture
def clock():
    return HeldClock(datetime(2026, 5, 2, 12, tzinfo=UTC))


@pytest.fixture
def firm(either_url, clock):
    with office(either_url, clock=clock) as firm:
        yield firm


def march(firm):
    """Equal to the cent, with one deposit still on its way."""
    firm.sees(clio(1, 1000, 2), bank("b1", 1000, 3), clio(2, 500, 30))
    firm.statement(1000)
    return firm.run()["run"]["id"]


def again(firm, name):
    """The same month once more: one more deposit is on its way."""
    firm.sees(clio(name, 7, 30))
    return firm.run()["run"]["id"]


def matched(firm, run_id):
    with firm.rt.read() as work:
        return [dict(row) for row in work.matches.of_run(run_id)]


def pruned(firm):
    with firm.rt.read() as work:
        return [line["subject_id"] for line in work.audit.listed() if line["action"] == "run_pruned"]


def test_a_superseded_run_keeps_its_figures_and_loses_its_matches_after_ninety_days(firm, clock):
    old = march(firm)
    new = again(firm, "late")
    kept, before = matched(firm, new), show_run(firm.rt, old)
    assert matched(firm, old) != []
    clock.advance(days=89)
    assert prune_runs(firm.rt) == 0
    clock.advance(days=2)
    assert prune_runs(firm.rt) == 1
    assert (matched(firm, old), matched(firm, new), pruned(firm)) == ([], kept, [str(old)])
    after = show_run(firm.rt, old)
    assert after["run"].pop("pruned_at") is not None
    assert before["run"].pop("pruned_at") is None
    assert after == before
    assert prune_runs(firm.rt) == 0


def test_two_runs_of_which_one_lost_its_matches_are_not_compared_by_them(firm, clock):
    old = march(firm)
    new = again(firm, "late")
    clock.advance(days=91)
    prune_runs(firm.rt)
    changed = show_diff(firm.rt, old, new)
    assert (changed["matches_kept"], changed["matches_gone"], changed["matches_new"]) == (False, [], [])


def test_T41_of_a_signed_month_the_signed_run_stays_whole_and_the_nights_before_it_do_not(firm, clock):
    firm.sees(clio(1, 1000, 2), bank("b1", 1000, 3))
    firm.statement(1000)
    night = firm.run(cut_off=date(2026, 3, 20))["run"]["id"]
    signed = firm.run()["run"]["id"]
    clock.advance(days=91)
    assert prune_runs(firm.rt) == 0  # until somebody signs, either may be the one that is signed
    sign_period(firm.rt, signed, reviewer=REVIEWER)
    whole, shown = matched(firm, signed), show_run(firm.rt, signed)
    april = firm.run(cut_off=APRIL)["run"]["id"]
    clock.advance(days=91)
    assert prune_runs(firm.rt) == 1
    assert (pruned(firm), matched(firm, night)) == ([str(night)], [])
    assert (matched(firm, signed), show_run(firm.rt, signed)) == (whole, shown)
    assert show_run(firm.rt, april)["run"]["pruned_at"] is None


def test_T40_what_was_carried_forward_is_found_as_if_nothing_had_been_pruned(firm, clock):
    march(firm)
    sign_period(firm.rt, again(firm, "x1"), reviewer=REVIEWER)
    firm.sees(bank("b2", 500, 32), clio(3, 40, 33), bank("b3", 40, 34))
    firm.statement(1540, begins=date(2026, 4, 1), ends=APRIL)
    first = firm.run(cut_off=APRIL)
    clock.advance(days=200)
    assert prune_runs(firm.rt) == 1
    firm.sees(clio("y", 1, 70))
    # Decided anew, and found to say the very same.
    assert firm.run(cut_off=APRIL) == first
    assert [one["external_id"] for one in first["outstanding"]] == ["x1"]


def test_T42_the_newest_run_of_an_account_is_kept_however_old_it_is(firm, clock):
    only = march(firm)
    clock.advance(days=1000)
    assert prune_runs(firm.rt) == 0
    assert matched(firm, only) != []


def test_a_run_that_was_pruned_halfway_is_pruned_to_its_end(firm, clock):
    old = march(firm)
    again(firm, "late")
    clock.advance(days=91)
    with firm.rt.uow() as work:
        assert work.runs.prune(old)
    assert prune_runs(firm.rt) == 1
    assert matched(firm, old) == []
