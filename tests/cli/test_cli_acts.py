"""The commands that change something: approval, retry, upkeep, migration."""

import json

import pytest

from tests.cli.conftest import Cli, environment
from tests.firm import open_firm


@pytest.fixture
def lived(sandbox, database_url):
    """A firm of its own that waits for an operator's approval, and its command line."""
    with open_firm(sandbox, database_url, environment={"approval": {"signal": "operator"}}) as firm:
        firm.work()
        yield firm, Cli(environment(sandbox, database_url) | {"ORCH_APPROVAL__SIGNAL": "operator"})


def rested(firm, *dollars):
    ids = [firm.log_time(dollars=amount)["id"] for amount in dollars]
    firm.later(minutes=16)
    return ids


def test_an_operator_approves_entries_by_id(lived):
    firm, cli = lived
    first, second = rested(firm, 100, 200)
    done = cli("time", "approve", first, "--by", "Ada")
    assert (done.exit_code, done.stdout) == (0, f"Approved: {first}.\n")
    assert second in [entry["id"] for entry in cli.json("time", "list", "--unapproved")]
    with firm.rt.read() as work:
        [line] = work.audit.about("activity", first)
    assert (line["actor"], line["action"], line["facts"]["signal"]) == ("Ada", "approval.given", "operator")


def test_an_operator_approves_all_of_a_matter(lived):
    firm, cli = lived
    rested(firm, 100, 200)
    found = cli.json("time", "approve", "--matter", firm.matter(), "--by", "Ada")
    assert len(found["approved"]) == len(cli.json("time", "list"))
    assert found["refused"] == []


def test_a_dry_run_gives_the_answer_and_approves_nothing(lived):
    firm, cli = lived
    [entry] = rested(firm, 100)
    done = cli("time", "approve", entry, "--by", "Ada", "--dry-run")
    assert (done.exit_code, done.stdout) == (0, f"Would approve: {entry}.\n")
    assert {row["state"] for row in cli.json("time", "list")} == {"ready"}


def test_what_cannot_be_approved_is_refused_with_its_reason(lived):
    firm, cli = lived
    [entry] = rested(firm, 100)
    cli("time", "approve", entry, "--by", "Ada")
    firm.log_time(dollars=50)
    firm.sandbox.clock_advance(60)
    firm.rt.uow.engine.dispose()
    again = cli("time", "approve", entry, 77, "--by", "Ada")
    assert again.exit_code == 1
    assert f"Not {entry}: it is approved already." in again.stdout
    assert "Not 77: it is not a billable, unbilled, visible entry that we know." in again.stdout


def test_a_retry_with_resend_sends_what_did_not_arrive(lived):
    firm, cli = lived
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=5)
    [job] = cli.json("jobs", "list", "--state", "parked")
    before = len(firm.mails())
    done = cli("jobs", "retry", job["id"], "--resend", "--by", "Ada")
    assert (done.exit_code, done.stdout) == (
        0,
        f"Job {job['id']} waits for a worker again: it looks at the facts anew, and sends once more if they still call for it.\n",
    )
    assert cli.json("exceptions", "list") == []
    assert [found["state"] for found in cli.json("exceptions", "list", "--all")] == ["resolved"]
    firm.work()
    assert len(firm.mails()) == before + 1
    with firm.rt.read() as work:
        [line] = work.audit.about("job", job["id"])
    assert (line["actor"], line["facts"]["resend"]) == ("Ada", True)


def test_a_retry_without_resend_searches_first(lived):
    firm, cli = lived
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=5)
    [job] = cli.json("jobs", "list", "--state", "parked")
    before = len(firm.mails())
    assert cli("jobs", "retry", job["id"]).exit_code == 0
    firm.work()
    assert len(firm.mails()) == before
    assert cli.json("jobs", "show", job["id"])["state"] == "parked"


def test_a_job_that_did_not_stop_is_not_retried(lived):
    _, cli = lived
    job = cli.json("jobs", "list", "--state", "done")[0]["id"]
    done = cli("jobs", "retry", job)
    assert (done.exit_code, done.stderr) == (1, f"Job {job} is done: only a parked or failed job can be retried.\n")


def test_a_sync_without_a_worker_leaves_the_job_for_one(cli, tmp_path):
    new = {"ORCH_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
    cli("migrate", **new)
    found = json.loads(cli("webhooks", "sync", "--json", **new).stdout)
    assert found["done"] is False
    assert {webhook["state"] for webhook in found["webhooks"]} == {"missing"}
    assert "no worker is running" in cli("webhooks", "sync", **new).stdout
    jobs = json.loads(cli("jobs", "list", "--topic", "webhooks.upkeep", "--json", **new).stdout)
    assert [job["state"] for job in jobs] == ["ready"]


def test_a_migration_says_from_where_to_where(cli, tmp_path):
    new = {"ORCH_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
    assert cli("migrate", **new).stdout.startswith("Migrated an empty database → ")
    assert "already" in cli("migrate", **new).stdout
