"""Faults by name: each is played through, written down for the tests to compare, and blamed on nobody else."""

import re
from pathlib import Path

import pytest

from orchestrator.sandbox.acts import DEALINGS
from orchestrator.sandbox.acts.planting import FAULTS

DAY = 86_400


@pytest.fixture
def clio(enter):
    return enter()


def violations(clio):
    return [found["kind"] for found in clio.sandbox.oracle()["trust_violations"]]


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_says_what_must_be_found(clio, name):
    matter = clio.matter("okafor-purchase")
    clio.sandbox.act("plant_fault", name=name, matter_id=matter, amount_cents=12_300)
    clio.sandbox.clock_advance(20 * DAY)
    (planted,) = clio.sandbox.oracle()["planted"]
    assert planted["expects"] == FAULTS[name].expects
    assert (planted["matter_id"], planted["amount_cents"]) == (matter, 12_300)
    assert {"lawpay_id", "clio_lines"} & set(planted)
    assert violations(clio) == []


@pytest.mark.parametrize(
    ("name", "clio_off", "bank_off"),
    [
        ("bad_reference", 0, -12_300),
        ("missing_in_clio", 0, 12_300),
        ("missing_at_bank", 12_300, 0),
        ("amount_differs", 12_200, 12_300),
        ("wrong_matter", 12_300, 12_300),
        ("fee_from_trust", 12_300, 12_300 - 383),
        ("net_deposit", 12_300, 12_300 - 383),
        ("duplicate", 24_600, 12_300),
        ("late_return_after_use", -640_000, -640_000 - 12_300),
        ("chargeback_from_trust", 12_300, 0),
        ("unauthorised_draw", -12_300, -12_300),
        ("late_return", 12_300, 0),
        ("ambiguous_reference", 0, 12_300),
        ("wrong_account_class", 12_300, 0),
        ("missing_at_lawpay", 12_300, 0),
        ("negative_ledger", -652_300, -652_300),
        ("stale_item", -12_300, 0),
    ],
)
def test_a_planted_fault_is_where_its_name_says(clio, name, clio_off, bank_off):
    before = _totals(clio)
    clio.sandbox.act("plant_fault", name=name, matter_id=clio.matter("okafor-purchase"), amount_cents=12_300)
    clio.sandbox.clock_advance(20 * DAY)
    after = _totals(clio)
    assert (after[0] - before[0], after[1] - before[1]) == (clio_off, bank_off)


def test_a_draw_with_a_bad_reference_may_be_in_clio_all_the_same(clio):
    bill = clio.issued_bill("northwind-lease")
    facts = {"matter_id": clio.matter("northwind-lease"), "bill_id": bill["id"], "amount_cents": 114_000}
    clio.sandbox.act("plant_fault", name="bad_reference", recorded=True, reference="nw lease??", **facts)
    clio.sandbox.clock_advance(20 * DAY)
    (planted,) = clio.sandbox.oracle()["planted"]
    assert planted["reference"] == "nw lease??"
    assert clio.get(f"/bills/{bill['id']}", "state")["state"] == "paid"
    assert _totals(clio) == (1_061_000, 1_061_000)
    assert violations(clio) == []


def _totals(clio):
    """Clio's trust balance and the bank's, in cents."""
    clios = clio.get(f"/bank_accounts/{clio.account('trust')}", "balance")["balance"]
    return round(clios * 100), sum(line["amount"] for line in clio.sandbox.bank() if line["account"] == "trust")


def test_an_unknown_fault_names_those_there_are(clio):
    with pytest.raises(Exception, match="choose from bad_reference"):
        clio.sandbox.act("plant_fault", name="gremlins")


# -- what the firm does by itself --------------------------------------------------------------------------------------


@pytest.fixture
def bill(clio):
    return clio.issued_bill("northwind-lease")


def test_T19_a_draw_by_somebody_who_is_no_signatory_is_a_violation(clio, bill):
    clio.sandbox.act("apply_trust", bill_id=bill["id"], amount="10", authorised_by=clio.names["users"]["billing"])
    clio.sandbox.act("lawpay_draw", bill_id=bill["id"], amount_cents=1000, authorised_by=None)
    assert violations(clio) == ["unauthorised", "unauthorised"]


def test_T17_more_drawn_at_lawpay_than_the_bill_is_a_violation(clio, bill):
    clio.sandbox.act("lawpay_draw", bill_id=bill["id"], amount_cents=100_000)
    assert violations(clio) == []
    clio.sandbox.act("lawpay_draw", bill_id=bill["id"], amount_cents=14_001)
    assert violations(clio) == ["above_the_bill"]


def test_T23_the_same_draw_twice_is_a_violation_unless_one_was_voided(clio, bill):
    first = clio.sandbox.act("lawpay_draw", bill_id=bill["id"], amount_cents=100)
    clio.sandbox.act("lawpay_draw", bill_id=bill["id"], amount_cents=100)
    assert violations(clio) == ["duplicate_draw"]
    clio.sandbox.act("lawpay_void", id=first["id"])
    assert violations(clio) == []


def test_T9_a_draw_of_another_matter_s_money_is_a_violation(clio, bill):
    clio.sandbox.act("lawpay_draw", bill_id=bill["id"], matter_id=clio.matter("okafor-purchase"), amount_cents=100)
    assert violations(clio) == ["cross_matter"]


def test_T8_a_ledger_below_zero_is_a_violation(clio):
    account, matter = {"id": clio.account("trust")}, {"id": clio.matter("okafor-lease")}
    data = {"amount": -0.01, "bank_account": account, "date": "2026-03-02", "matter": matter}
    clio.ask("POST", "/bank_transactions", data)
    assert violations(clio) == ["negative_ledger", "moved_by_the_worker"]


def test_every_fault_and_every_act_on_trust_money_is_in_the_handbook():
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
    rows = {name: fault.expects for name, fault in FAULTS.items()}
    assert dict(re.findall(r"^\| `(\w+)` \|.*\| `(\w+)` \|$", page, re.MULTILINE)) == rows
    assert [verb for verb in DEALINGS if verb != "plant_fault" and f"`{verb}`" not in page] == []
