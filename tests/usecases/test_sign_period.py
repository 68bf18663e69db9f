"""Signing, locked periods, and what is carried from one to the next (T20, T40, T41)."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from orchestrator.domain.draws import DrawState
from orchestrator.domain.movements import MovementKind
from orchestrator.engine.run import run
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import JobState
from orchestrator.storage.tables import draws
from orchestrator.usecases.sign_period import sign_period
from tests.databases import HeldClock
from tests.reconciling import END, REVIEWER, bank, clio, lawpay, office
from workflows.book import BOOK

APRIL = date(2026, 4, 30)


@pytest.fixture
def firm(either_url):
    with office(either_url) as firm:
        yield firm


@pytest.fixture
def here(database_url):
    with office(database_url) as firm:
        yield firm


def equal(firm):
    """March, equal to the cent, with one deposit still on its way."""
    firm.sees(clio(1, 1000, 2), bank("b1", 1000, 3), clio(2, 500, 30))
    firm.statement(1000)
    return firm.run()["run"]["id"]


def a_draw(firm, by, state=DrawState.RECONCILED):
    at = datetime(2026, 3, 5, tzinfo=UTC)
    with firm.rt.uow() as work:
        work.connection.execute(
            draws.insert().values(
                bill_id=1, purpose="earned_undisputed_fee", sequence=1, state=state, ledger_id=1,
                account="iolta", client_id=2, matter_id=5, amount_cents=1, currency="USD", key="k", proposed_at=at,
                authorised_at=at, authorised_by=by, updated_at=at,
            )
        )  # fmt: skip


def test_T41_a_signature_keeps_reviewer_inputs_and_digest_and_locks_the_period(firm):
    run = sign_period(firm.rt, equal(firm), reviewer=REVIEWER)
    with firm.rt.read() as work:
        (period,) = work.periods.signed("iolta")
        assert (period["reviewer"], period["closed_on"], period["digest"]) == (REVIEWER, END, run["digest"])
        assert [line["actor"] for line in work.audit.about("run", run["id"]) if line["action"] == "period_signed"] == [
            REVIEWER
        ]
    with pytest.raises(Rejected, match="signed and locked up to 2026-03-31"):
        firm.run()
    with pytest.raises(Rejected, match="already"):
        sign_period(firm.rt, run["id"], reviewer=REVIEWER)


def test_T41_what_is_explained_just_after_the_signature_waits_for_the_open_period_and_troubles_nobody(database_url):
    def the_day_after():
        return datetime(2026, 4, 1, 16, tzinfo=UTC)

    with office(database_url, clock=the_day_after) as firm:
        run_id = equal(firm)
        sign_period(firm.rt, run_id, reviewer=REVIEWER)
        with firm.rt.uow() as work:
            work.jobs.add("reconcile.window", run_id, "M1", account="iolta", run_id=run_id)
            [job] = work.jobs.listed(topic="reconcile.window")
        assert run(firm.rt, BOOK, job["id"])
        with firm.rt.read() as work:
            assert work.jobs.get(job["id"])["state"] == JobState.DONE
            assert work.exceptions.open_counts() == {}


def test_T40_outstanding_items_and_the_closing_book_carry_forward(firm):
    sign_period(firm.rt, equal(firm), reviewer=REVIEWER)
    firm.sees(bank("b2", 500, 32), clio(3, 40, 33), bank("b3", 40, 34))
    firm.statement(1540, begins=date(2026, 4, 1), ends=APRIL)
    found = firm.run(cut_off=APRIL)
    assert found["run"]["opened_on"] == date(2026, 4, 1)
    assert found["breaks"] == found["outstanding"] == []
    assert found["statement"]["opening_cents"] == 1500
    assert found["statement"]["equal"]


def test_T40_a_line_carried_for_the_bank_alone_is_not_missed_at_lawpay_again(firm):
    ident = "TmX0GfMWmNIiNZpafZ1M6g"
    firm.knows(M1=5)
    firm.sees(
        lawpay("ch_1", 1000, 2, "M1"), clio(1, 1000, 2, parent="ch_1"), bank("b1", 1000, 3),
        lawpay(ident, -400, 31, "M1"), clio(2, -400, 31, reference=ident),
    )  # fmt: skip
    firm.statement(1000)
    sign_period(firm.rt, firm.run()["run"]["id"], reviewer=REVIEWER)
    firm.sees(bank("b2", -400, 32))
    firm.statement(600, begins=date(2026, 4, 1), ends=APRIL)
    found = firm.run(cut_off=APRIL)
    assert found["breaks"] == found["outstanding"] == []
    assert found["statement"]["equal"]


def test_T41_what_is_learned_of_a_signed_period_stands_in_the_open_one(firm):
    sign_period(firm.rt, equal(firm), reviewer=REVIEWER)
    firm.sees(clio(9, 70, 28), bank("b9", 70, 35), replace(clio(1, 1000, 2), amount_cents=990), bank("b2", 500, 32))
    firm.statement(1570, begins=date(2026, 4, 1), ends=APRIL)
    found = firm.run(cut_off=APRIL)
    assert found["statement"]["corrected_cents"] == 60
    said = {one["kind"]: one["money_cents"] for one in found["breaks"]}
    assert said["changed_after_lock"] == 10
    with firm.rt.read() as work:
        (period,) = work.periods.signed("iolta")
        assert work.runs.get(period["run_id"])["statement"]["book_cents"] == 1500


@pytest.mark.parametrize("by", ["Bo Sand", "nobody we know"])
def test_only_a_reviewer_of_the_trust_plan_signs(here, by):
    with pytest.raises(Rejected, match="is no reviewer of this firm"):
        sign_period(here.rt, equal(here), reviewer=by)


def test_T37_a_difference_is_never_signed(here):
    here.sees(clio(1, 1000, 2), bank("b1", 1000, 3), bank("b2", 1, 4))
    here.statement(1001)
    with pytest.raises(Rejected, match="never signed"):
        sign_period(here.rt, here.run()["run"]["id"], reviewer=REVIEWER)


def test_T36_breaks_keep_a_period_from_being_signed_though_its_totals_are_equal(here):
    here.knows(M1=5)
    here.sees(lawpay("ch_1", 1000, 2, "M1"), clio(1, 1000, 2, 6, parent="ch_1"), bank("b1", 1000, 3))
    here.statement(1000)
    with pytest.raises(Rejected, match="Breaks stand: wrong_matter"):
        sign_period(here.rt, here.run()["run"]["id"], reviewer=REVIEWER)


def test_T38_nothing_is_signed_beyond_what_the_bank_has_told(here):
    here.sees(clio(1, 1000, 2), bank("b1", 1000, 3))
    here.statement(1000, ends=date(2026, 3, 20))
    with pytest.raises(Rejected, match="The bank has told until 2026-03-20"):
        sign_period(here.rt, here.run()["run"]["id"], reviewer=REVIEWER)


def test_T20_whoever_alone_authorised_the_draws_does_not_sign(here):
    a_draw(here, REVIEWER)
    with pytest.raises(Rejected, match="alone authorised the period's draws"):
        sign_period(here.rt, equal(here), reviewer=REVIEWER)


def test_T20_one_of_two_authorisers_may_sign(here):
    a_draw(here, "Bo Sand")
    assert sign_period(here.rt, equal(here), reviewer=REVIEWER)["account"] == "iolta"


def test_T20_a_one_person_firm_signs_under_a_recorded_waiver(database_url):
    with office(database_url, waivers=["one_person_firm"]) as firm:
        a_draw(firm, REVIEWER)
        sign_period(firm.rt, equal(firm), reviewer=REVIEWER)
        with firm.rt.read() as work:
            assert work.periods.signed("iolta")[0]["waiver"] == "one_person_firm"


def test_an_older_version_is_not_signed(here):
    old = equal(here)
    here.sees(clio(7, 1, 31))
    here.run()
    with pytest.raises(Rejected, match="is a newer version"):
        sign_period(here.rt, old, reviewer=REVIEWER)


def test_a_trial_signs_nothing(here):
    sign_period(here.rt, equal(here), reviewer=REVIEWER, dry_run=True)
    with here.rt.read() as work:
        assert work.periods.signed() == []


def test_F67_a_fee_that_every_record_agrees_on_is_a_break_when_a_client_bears_it(here):
    fee = {"kind": MovementKind.FEE}
    here.sees(clio(1, 1000, 1), bank("b1", 1000, 2), clio(2, -30, 3, **fee), bank("b2", -30, 3, **fee))
    here.statement(970)
    assert here.breaks() == ["fee_from_trust"]


def test_T6_a_fee_out_of_the_firm_s_own_money_is_none(here):
    fee = {"kind": MovementKind.FEE}
    own = {"client_id": None}
    here.sees(
        clio(1, 1000, 1, None, **own),
        bank("b1", 1000, 2),
        clio(2, -30, 3, None, **own, **fee),
        bank("b2", -30, 3, **fee),
    )
    here.statement(970)
    assert here.breaks() == []


def test_T19_a_draw_that_nobody_authorised_is_a_break(database_url):
    with office(database_url, clock=HeldClock(datetime(2026, 3, 2, 12, tzinfo=UTC))) as firm:
        firm.sees(clio(1, 1000, 1), clio(2, -300, 1), clio(3, -400, 3))
        (said,) = firm.run()["breaks"]
    # What was drawn on the day before anybody looked is history.
    assert (said["kind"], said["money_cents"]) == ("unauthorised_draw", 400)


def test_T24_an_authorised_draw_that_is_in_no_ledger_is_a_break(database_url):
    with office(database_url) as firm:
        a_draw(firm, "Bo Sand", DrawState.AUTHORISED)
        assert firm.breaks() == ["draw_not_posted"]
