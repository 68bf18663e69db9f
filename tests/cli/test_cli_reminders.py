"""`orchestrator reminders`: what was sent, what will be, why not, and a person's word."""

from datetime import UTC, datetime

import pytest

from tests.cli.conftest import Cli, environment
from tests.firm import open_firm

BATCHES = {"ORCH_REMINDERS__APPROVE_BATCHES": "true"}


@pytest.fixture
def lived(sandbox, database_url):
    """A firm that wants to approve each batch, on the day on which one bill is seven days overdue, and its command line."""
    with open_firm(sandbox, database_url, environment={"reminders": {"approve_batches": True}}) as firm:
        firm.work()
        bill = firm.mailed_bill(due_at="2026-03-12")
        firm.later(seconds=(datetime(2026, 3, 19, 15, 0, 20, tzinfo=UTC) - firm.rt.clock()).total_seconds())
        yield firm, bill, Cli(environment(sandbox, database_url) | BATCHES)


def test_what_will_go_out_is_previewed_then_approved(lived):
    firm, bill, cli = lived
    [letter] = cli.json("reminders", "preview")["letters"]
    assert (letter["to"], letter["held"]) == ("bo@clients.test", True)
    assert [(one["bill_id"], one["step"], one["days_overdue"]) for one in letter["bills"]] == [
        (bill["id"], "overdue-7", 7)
    ]
    told = cli("reminders", "preview", "--date", "2026-03-19")
    assert "1 letters about 1 bills once the batch is approved" in told.stdout
    assert cli("reminders", "approve", "--dry-run").stdout == "1 letters about 1 bills would go out on 2026-03-19.\n"
    done = cli("reminders", "approve", "--by", "Nora")
    assert (done.exit_code, done.stdout) == (0, "1 letters about 1 bills go out on 2026-03-19.\n")
    firm.later(minutes=1)
    [row] = cli.json("reminders", "list")["reminders"]
    assert (row["state"], row["letter_on"]) == ("sent", "2026-03-19")
    again = cli("reminders", "approve")
    assert (again.exit_code, "No letter of 2026-03-19 waits" in again.stderr) == (1, True)


def test_a_bill_s_steps_are_shown_with_their_days(lived):
    _, bill, cli = lived
    found = cli.json("reminders", "show", bill["id"])
    assert [(one["step"], one["state"], one["falls_due_on"]) for one in found["steps"]] == [
        ("overdue-7", "held", "2026-03-19"), ("overdue-21", "not due yet", "2026-04-02"), ("overdue-30", "not due yet", "2026-04-11"),
    ]  # fmt: skip
    assert "overdue-21" in cli("reminders", "show", bill["id"]).stdout
    assert cli("reminders", "show", 77).exit_code == 1


def test_a_step_is_skipped_only_when_it_is_meant(lived):
    _, bill, cli = lived
    tried = cli("reminders", "skip", bill["id"], "overdue-7", "--dry-run")
    assert (tried.exit_code, "would be skipped" in tried.stdout) == (0, True)
    assert cli.json("reminders", "list", "--state", "held")["counts"] == {"held": 1}
    assert "is skipped" in cli("reminders", "skip", bill["id"], "overdue-7", "--by", "Nora").stdout
    assert cli.json("reminders", "list")["counts"] == {"skipped": 1}
    wrong = cli("reminders", "skip", bill["id"], "overdue-8")
    assert (wrong.exit_code, "it has overdue-7, overdue-21, overdue-30" in wrong.stderr) == (1, True)


def test_the_configuration_is_checked_and_said_in_words(lived):
    _, _, cli = lived
    [said] = [check["said"] for check in cli.json("config", "check")["checks"] if check["name"] == "reminders"]
    assert "7 days after the due date a message" in said
    assert "On business days of US, 08:30 to 17:00 in America/New_York, once a person has approved the batch." in said


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("ORCH_REMINDERS__SEQUENCE", "none-such", "There is no sequence 'none-such'"),
        ("ORCH_REMINDERS__HOLIDAYS", "FR", "is no region whose holidays we know"),
        ("ORCH_REMINDERS__WINDOW_CLOSES", "09:00", "at least two hours after window_opens"),
    ],
)
def test_what_cannot_work_is_told_before_anything_starts(cli, setting, value, told):
    done = cli("config", "check", **{setting: value})
    assert done.exit_code == 1
    assert told in " ".join(done.output.split())
