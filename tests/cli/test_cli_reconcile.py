"""What `orchestrator reconcile` acts on, it tells to programs too; and some days are shown alone."""

import json

import pytest

from tests.cli.conftest import Cli
from tests.cli.test_cli_reads import promised
from tests.firm import CONFIG
from tests.reconciling import REVIEWER, TRUST, bank, clio, lawpay, office

STATEMENT = """Date,Type,Description,Reference,Amount,Balance
2026-03-01,OPENING,Opening balance,,,0.00
2026-03-03,DEPOSIT,CHEQUE,f1,10.00,10.00
2026-03-31,CLOSING,Closing balance,,,10.00
"""


@pytest.fixture
def desk(database_url):
    environment = {
        "ORCH_CONFIG_DIR": str(CONFIG), "ORCH_ENVIRONMENT": "test", "ORCH_DATABASE_URL": database_url,
        "ORCH_CLIO__BASE_URL": "http://127.0.0.1:9", "ORCH_CLIO__ACCESS_TOKEN": "a-ready-token-of-nobody",
        **{f"ORCH_TRUST__{name.upper()}": json.dumps(value) for name, value in TRUST.items()},
    }  # fmt: skip
    with office(database_url) as firm:
        yield firm, Cli(environment)


def test_a_month_is_imported_compared_and_signed_by_a_program(desk, tmp_path):
    firm, cli = desk
    firm.sees(clio(1, 1000, 2))
    file = tmp_path / "march.csv"
    file.write_text(STATEMENT)
    tried = cli.json("reconcile", "import", file, "--account", "iolta", "--dry-run")
    done = cli.json("reconcile", "import", file, "--account", "iolta")
    again = cli.json("reconcile", "import", file, "--account", "iolta")
    assert set(done) == promised(cli, ("reconcile", "import"))
    assert done == tried | {"dry_run": False}
    assert done | {"new": False, "added": 0} == again
    assert (done["begins_on"], done["ends_on"], done["lines"], done["added"]) == ("2026-03-01", "2026-03-31", 1, 1)
    run = firm.run()["run"]
    signed = cli.json("reconcile", "sign", run["id"], "--reviewer", REVIEWER)
    assert set(signed) == promised(cli, ("reconcile", "sign"))
    assert (signed["closed_on"], signed["digest"]) == ("2026-03-31", run["digest"])


def test_a_break_is_explained_by_a_program(desk):
    firm, cli = desk
    firm.sees(lawpay("ch_1", 1000, 2, "nobody"))
    firm.run()
    [row] = json.loads(cli("reconcile", "breaks", "--json").stdout)
    said = cli.json("reconcile", "explain", row["id"], "--why", "A cheque of 2025.", "--owner", "Nora")
    assert set(said) == promised(cli, ("reconcile", "explain"))
    assert (said["owner"], said["why"], said["cure_by"]) == ("Nora", "A cheque of 2025.", row["cure_by"])


def test_some_days_are_shown_alone_and_decided_with_all_the_others(desk, tmp_path):
    firm, cli = desk
    firm.sees(clio(1, 1000, 2), bank("b1", 1000, 9), lawpay("ch_1", 5, 3, "early"), lawpay("ch_2", 7, 20, "late"))
    firm.statement(1000)
    file = tmp_path / "run.json"
    done = cli("reconcile", "run", "--account", "iolta", "--from", "2026-03-08", "--to", "2026-03-31", "--json", file)
    assert done.exit_code == 3
    [run] = json.loads(file.read_text())["runs"]
    assert [one["reference"] for one in run["breaks"]] == ["late"]
    assert run["run"]["opened_on"] == "2026-03-01"
    assert len(cli.json("reconcile", "show", run["run"]["id"])["breaks"]) == 2
    assert cli.json("reconcile", "show", run["run"]["id"], "--from", "2026-03-21")["breaks"] == []
