"""A dry run on the command line: its report, its database, and its process."""

import json
import subprocess
import sys

import httpx
import pytest

from orchestrator.bootstrap import begin
from tests.cli.conftest import Cli, environment
from tests.cli.test_cli_processes import CLEAN, started, stopped, until
from tests.firm import open_firm
from tests.servers import free_port


def test_the_report_says_what_would_have_been_done_and_every_command_knows_it_is_a_dry_run(sandbox, database_url):
    sandbox.clear_effects()
    with open_firm(sandbox, database_url, environment={"dry_run": True}) as firm:
        begin(firm.rt)
        firm.issued_bill(dollars=400)
        firm.work()
        firm.later(minutes=2)
    cli = Cli(environment(sandbox, database_url))
    found = cli.json("jobs", "would")
    assert found["counts"] == {"messages logged in Clio": 1, "messages sent": 1, "payment links made": 1}
    assert [act["verb"] for act in found["acts"]] == ["log_email", "send_message", "create_link"]
    assert set(found) == {"begun_at", "counts", "acts"}
    said = cli("jobs", "would").stdout
    assert "make a payment link of 400.00 USD for bill 1001 (Bo Ferris)" in said
    assert cli.json("status")["dry_run"] is True
    assert cli("status").stdout.startswith("This is a dry run: nothing leaves.")
    assert cli("jobs", "list").stdout.startswith("Jobs of a dry run")
    assert [call for call in sandbox.counts()["calls"] if not call.startswith("GET ")] == []


def test_a_live_database_has_no_such_report(cli):
    done = cli("jobs", "would")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("This database is not a dry run's")


def test_a_live_database_is_refused_to_a_dry_run(cli):
    done = cli("status", ORCH_DRY_RUN="true")
    assert done.exit_code == 1
    assert done.stderr.startswith("This database is a live worker's")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_whole_worker_started_dry_says_so_and_its_database_refuses_a_live_one(sandbox, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    given = environment(sandbox, f"sqlite:///{tmp_path}/dry.sqlite3") | {"ORCH_LISTEN": address}
    with started("up", "--dry-run", environment=given) as up:
        assert up.stdout.readline().startswith(f"Up at http://{address}. A dry run: nothing leaves. Database sqlite")
        until(lambda: httpx.get(f"http://{address}/health/ready").status_code == 200)
        assert stopped(up)[0] == 0
    asked = [sys.executable, "-m", "orchestrator.cli"]
    live = subprocess.run([*asked, "up"], env=CLEAN | given, capture_output=True, text=True, check=False, timeout=60)
    assert live.returncode == 1
    assert live.stderr.startswith("This database was begun as a dry run")
    status = subprocess.run([*asked, "status", "--json"], env=CLEAN | given, capture_output=True, text=True, check=True)
    assert json.loads(status.stdout)["dry_run"] is True
