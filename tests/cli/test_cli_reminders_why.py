"""`orchestrator reminders why BILL`: every step, every reason, and what would change it, in words."""

import pytest

from tests.cli.conftest import Cli, environment
from tests.journeys.test_w8_reminders import FIRST, SECOND, at, owed


@pytest.fixture
def desk(firm, database_url):
    """A firm with an unpaid bill that the client has, and the command that works for the firm."""
    return firm, owed(firm)["id"], Cli(environment(firm.sandbox, database_url))


def codes(reasons):
    return [one["reason"] for one in reasons]


def test_a_bill_that_was_reminded_of_says_when_and_what_comes_next(desk):
    firm, bill, cli = desk
    at(firm, FIRST)
    told = cli.json("reminders", "why", bill)
    assert [(step["step"], step["happened"]) for step in told["steps"]] == [
        ("overdue-7", f"done on {FIRST}"), ("overdue-21", f"falls due on {SECOND}"), ("overdue-30", "falls due on 2026-04-11"),
    ]  # fmt: skip
    assert told["silent_because"] == told["holds"] == []
    page = cli("reminders", "why", bill)
    assert page.exit_code == 0
    assert f"done on {FIRST}" in page.stdout
    assert "nothing keeps it silent" in page.stdout


def test_a_silent_step_says_every_reason_and_what_would_change_each(desk):
    firm, bill, cli = desk
    firm.sandbox.act("give_credit", client_id=firm.ids["contacts"]["bo"], amount=1)
    hold = cli.json("reminders", "promise", bill, "--until", "2026-03-27")["hold"]
    at(firm, FIRST)
    told = cli.json("reminders", "why", bill)
    [first, *later] = told["steps"]
    assert first["happened"] == f"not done, silent since {FIRST}"
    assert codes(first["reasons"]) == codes(told["silent_because"]) == ["payment_promised", "credit_unapplied"]
    assert [one["changes"] for one in told["silent_because"]] == [
        "It passes after 2026-03-27.", "Apply it to the bill in Clio, or refund it there.",
    ]  # fmt: skip
    assert [one["hold"] for one in told["holds"]] == [hold]
    assert {one["state"] for one in later} == {None}
    page = cli("reminders", "why", bill).stdout
    assert "the client promised to pay by a day that is not over" in page
    assert "Apply it to the bill in Clio" in page


def test_a_bill_that_was_paid_says_so_of_every_step(desk):
    firm, bill, cli = desk
    firm.sandbox.act("record_payment", id=bill)
    at(firm, FIRST)
    assert codes(cli.json("reminders", "why", bill)["silent_because"]) == ["bill_paid"]


def test_a_step_that_was_skipped_says_that_it_never_comes(desk):
    firm, bill, cli = desk
    at(firm, "2026-03-18")
    assert cli("reminders", "skip", bill, "overdue-7").exit_code == 0
    at(firm, FIRST)
    assert cli.json("reminders", "why", bill)["steps"][0]["happened"] == "never done, skipped for good"


def test_before_anything_is_due_it_says_what_would_silence_the_bill(desk):
    _, bill, cli = desk
    cli("reminders", "hold", bill, "--because", "she called")
    told = cli.json("reminders", "why", bill)
    assert told["due_now"] is None
    assert "reminders_held" in codes(told["silent_because"])


def test_an_unknown_bill_gets_one_sentence(desk):
    refused = desk[2]("reminders", "why", 4077)
    assert refused.exit_code == 1
    assert refused.stderr.strip() == "There is no bill 4077 here: `orchestrator bills list` shows numbers and ids."


def test_no_word_is_missing_for_a_reason_of_any_step(desk):
    firm, bill, cli = desk
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], reminders_enabled=True)
    firm.sandbox.act("close_matter", matter_id=firm.matter())
    at(firm, FIRST)
    reasons = cli.json("reminders", "why", bill)["steps"][0]["reasons"]
    assert codes(reasons) == ["matter_closed", "clio_reminders_on"]
    assert all(one["meaning"] and one["changes"] for one in reasons)
