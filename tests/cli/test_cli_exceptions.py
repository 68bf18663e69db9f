"""The exceptions queue: one list over breaks, parked jobs, payments and data problems, and a safe way to try again."""

import pytest

from orchestrator.usecases.retry_exception import AGAIN
from tests.cli.conftest import Cli, environment
from tests.cli.test_cli_desk import audit, in_doubt, said
from tests.cli.test_cli_reads import promised
from tests.firm import open_firm
from tests.journeys.test_w11_lookup_table import a_break


@pytest.fixture
def desk(sandbox, database_url):
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        yield firm, Cli(environment(sandbox, database_url))


def broken(firm):
    """A break that waits for a person, as reconciliation opens it."""
    a_break(firm, "RETAINER BO")
    with firm.rt.uow() as work:
        [row] = work.breaks.standing()
        work.exceptions.open(
            "audit_chain_broken",
            row["id"],
            "RETAINER BO names no matter.",
            subject=("break", row["id"]),
            money_cents=7_000_000,
        )
    return row


def test_one_list_holds_them_all_the_most_money_first_and_each_is_found_by_what_it_concerns(desk):
    firm, cli = desk
    in_doubt(firm, cli)
    row = broken(firm)
    with firm.rt.uow() as work:
        work.exceptions.open("payment_unallocated", "payment:7", "7 came in.", subject=("payment", 7), money_cents=100)
        work.exceptions.open("client_missing", "matter:9", "No client.", subject=("matter", 9))
    rows = cli.json("exceptions", "list")
    assert [row["concern"] for row in rows] == ["break", "job", "payment", "data"]
    assert all(row["advice"] and row["age_seconds"] >= 0 for row in rows)
    for concern in ("break", "job", "payment", "data"):
        assert [row["concern"] for row in cli.json("exceptions", "list", "--concern", concern)] == [concern]
    [found] = cli.json("exceptions", "list", "--about", f"break:{row['id']}")
    shown = cli.json("exceptions", "show", found["id"])
    assert set(shown) == promised(cli, ("exceptions", "show"))
    assert shown["subject"]["cause"] == "nobody knows it"
    assert shown["retry"] == "its window is reconciled again"
    assert "nobody knows it" in said(cli("exceptions", "show", found["id"]))
    assert cli("exceptions", "list", "--about", "break").exit_code == 2
    assert cli("exceptions", "list", "--concern", "love").exit_code == 2


def test_a_waiting_job_is_retried_through_its_exception_and_sends_nothing_twice(desk):
    firm, cli = desk
    _, job = in_doubt(firm, cli)
    [row] = cli.json("exceptions", "list")
    dry = said(cli("exceptions", "retry", row["id"], "--dry-run"))
    assert dry.startswith(
        f"Exception {row['id']} would be tried again: job {job['id']} searches for what it may have done"
    )
    assert cli.json("jobs", "show", job["id"])["state"] == "parked"
    said(cli("exceptions", "retry", row["id"], "--by", "Ada"))
    assert cli.json("exceptions", "list") == []
    firm.later(minutes=3)
    assert len(firm.mails()) == 1, "it may have arrived: it is parked again, not sent"
    assert [row["kind"] for row in cli.json("exceptions", "list")] == ["mail_outcome_unknown"]
    assert ("Ada", "job.retried") in audit(firm, "job", job["id"])


def test_without_a_job_the_truth_is_read_again(desk):
    firm, cli = desk
    bill = firm.issued_bill()
    firm.later(minutes=16)
    with firm.rt.uow() as work:
        work.exceptions.open("client_missing", "x", "No client.", subject=("bill", bill["id"]))
    [row] = cli.json("exceptions", "list")
    assert "nothing to send again" in said(cli("exceptions", "retry", row["id"], "--resend"), 1)
    assert "the bill is read again" in said(cli("exceptions", "retry", row["id"], "--by", "Ada"))
    assert len(firm.jobs("sync.bill", "ready")) == 1
    assert audit(firm, "exception", row["id"]) == [("Ada", "exception.retried")]
    [line] = cli.json("exceptions", "show", row["id"])["history"]
    assert line["action"] == "exception.retried"


def test_a_break_is_retried_by_reconciling_its_window_again(desk):
    firm, cli = desk
    row = broken(firm)
    [found] = cli.json("exceptions", "list")
    said(cli("exceptions", "retry", found["id"], "--by", "Ada"))
    with firm.rt.read() as work:
        assert work.breaks.get(row["id"])["state"] == "reopened"
    [job] = firm.jobs("reconcile.window")
    assert job["payload"] == {"account": "iolta", "run_id": 1}


def test_settling_a_break_wants_a_reason_and_edits_nothing(desk):
    firm, cli = desk
    row = broken(firm)
    [found] = cli.json("exceptions", "list")
    assert "says why (--note)" in said(cli("exceptions", "resolve", found["id"], "--by", "Ada"), 1)
    said(cli("exceptions", "resolve", found["id"], "--by", "Ada", "--note", "cheque 117 clears tomorrow"))
    with firm.rt.read() as work:
        assert work.breaks.get(row["id"]) == row
    assert "is resolved already" in said(cli("exceptions", "retry", found["id"]), 1)


def test_a_break_s_text_is_given_its_matter_through_the_exception(desk):
    firm, cli = desk
    broken(firm)
    [found] = cli.json("exceptions", "list")
    words = said(cli("exceptions", "resolve", found["id"], "--by", "Ada", "--matter", firm.matter()))
    assert words == (
        f"'RETAINER BO' means matter {firm.matter()}; exception {found['id']} is settled by the run that follows.\n"
    )
    assert cli.json("matters", "show", "retainer bo")["resolution"]["matter_id"] == firm.matter()
    assert len(firm.jobs("reconcile.window")) == 1


def test_what_has_nothing_to_try_again_says_so(desk):
    firm, cli = desk
    with firm.rt.uow() as work:
        work.exceptions.open("reconnect", "clio", "Connect again.")
    [row] = cli.json("exceptions", "list")
    assert cli.json("exceptions", "show", row["id"])["retry"] is None
    assert "nothing to try again" in said(cli("exceptions", "retry", row["id"]), 1)
    assert "There is no exception 4711" in said(cli("exceptions", "retry", 4711), 1)


@pytest.mark.parametrize("kind", sorted(set(AGAIN) - {"break"}))
def test_another_look_at_anything_only_reads(desk, kind):
    firm, cli = desk
    firm.sandbox.clear_effects()
    with firm.rt.uow() as work:
        work.exceptions.open("client_missing", "x", "No client.", subject=(kind, firm.matter()))
    [row] = cli.json("exceptions", "list")
    said(cli("exceptions", "retry", row["id"]))
    firm.work()
    assert [call for call in firm.sandbox.counts()["calls"] if not call.startswith("GET ")] == []
