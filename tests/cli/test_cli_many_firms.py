"""The command for all firms at once."""

import json

import pytest

from tests.cli.conftest import Cli
from tests.firm import CONFIG


@pytest.fixture
def all_firms(tmp_path) -> Cli:
    """Acme and Brown, not migrated yet."""
    (tmp_path / "firms").mkdir()
    (tmp_path / "templates").symlink_to(CONFIG / "templates")
    (tmp_path / "reminders").symlink_to(CONFIG / "reminders")
    for firm in ("acme", "brown"):
        (tmp_path / "firms" / f"{firm}.toml").write_text(
            f'database_url = "sqlite:///{tmp_path}/{firm}.sqlite3"\n[clio]\naccess_token = "the token of {firm}"\n'
            f'[mail]\nurl = "smtp://127.0.0.1:9"\nfrom = "billing@{firm}.test"\n'
        )
    return Cli({"ORCH_CONFIG_DIR": str(tmp_path), "ORCH_ENVIRONMENT": "test"})


def test_all_firms_are_migrated_checked_and_shown_with_one_command_each(all_firms):
    done = all_firms("migrate", "--all")
    assert done.exit_code == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["acme", "brown"]
    checked = all_firms.json("config", "check", "--all")
    assert checked["ok"]
    assert [firm["firm"] for firm in checked["firms"]] == ["acme", "brown"]
    shown = all_firms.json("status", "--all")
    assert [(firm["firm"], firm["ready"], firm["exceptions"]) for firm in shown] == [
        ("acme", False, 0),
        ("brown", False, 0),
    ]
    assert "start or restart `orchestrator beat`" in shown[0]["findings"][0]
    assert "acme" in all_firms("status", "--all").stdout
    assert "all: good." in all_firms("config", "check", "--all").stdout


def test_one_firm_in_trouble_is_a_line_among_the_others(all_firms, tmp_path):
    (tmp_path / "firms" / "acme.toml").write_text("this is not TOML")
    done = all_firms("migrate", "--all")
    assert done.exit_code == 1
    assert "acme.toml is not valid TOML" in done.stderr
    assert done.stdout.startswith("brown: Migrated")
    assert {firm["firm"]: firm["exceptions"] for firm in all_firms.json("status", "--all")} == {
        "acme": None,
        "brown": 0,
    }
    checked = all_firms("config", "check", "--all", "--json")
    assert checked.exit_code == 1
    assert [firm["ok"] for firm in json.loads(checked.stdout)["firms"]] == [False, True]


def test_two_firms_with_one_database_are_refused(all_firms, tmp_path):
    (tmp_path / "firms" / "acme.toml").write_text((tmp_path / "firms" / "brown.toml").read_text())
    checked = all_firms("config", "check", "--all")
    assert checked.exit_code == 1
    assert "acme and brown have the same database" in checked.stdout


def test_a_variable_that_speaks_to_nobody_is_named(all_firms):
    checked = all_firms("config", "check", "--all", ORCH_FIRM_ACEM__SECRET_KEY="k")
    assert checked.exit_code == 1
    assert "ORCH_FIRM_ACEM__SECRET_KEY speak to no firm" in checked.stdout


def test_without_a_profile_there_is_nothing_to_do_for_all(all_firms, tmp_path):
    for profile in (tmp_path / "firms").iterdir():
        profile.unlink()
    for command in (("status",), ("migrate",), ("config", "check")):
        done = all_firms(*command, "--all")
        assert done.exit_code == 1
        assert "There is no firm in" in done.stderr


@pytest.mark.parametrize("part", ["beat", "serve"])
def test_a_fleet_is_not_begun_for_a_firm_that_does_not_exist(all_firms, part):
    done = all_firms(part, "--firm", "nobody", ORCH_BROKER_URL="redis://127.0.0.1:1/0")
    assert done.exit_code == 1
    assert "There is no firm 'nobody'" in done.stderr
