"""Help, exit codes, and one sentence instead of a traceback."""

import subprocess
import sys
from typing import Any

import pytest
import typer.main

from orchestrator.cli.app import app
from orchestrator.cli.config import values
from orchestrator.cli.meanings import MEANINGS
from orchestrator.settings import load


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and group, by its words."""
    inside = getattr(command, "commands", {})
    return [path, *(found for name, part in inside.items() for found in commands(part, (*path, name)))]


@pytest.mark.parametrize("words", commands(typer.main.get_command(app)), ids=lambda words: " ".join(words) or "root")
def test_every_command_has_help(cli, words):
    done = cli(*words, "--help")
    assert done.exit_code == 0
    assert len(done.stdout.split("\n\n")[1].strip()) > 15
    for line in done.stdout.split("Options:")[1].splitlines():
        assert not line.startswith("  --") or len(line.split("  ")) > 2, f"an option without help: {line}"


UNKNOWN = {
    ("bills", "show", "1"): "There is no bill 1 here",
    ("jobs", "show", "9999"): "There is no job 9999.",
    ("jobs", "retry", "9999"): "There is no job 9999.",
    ("exceptions", "show", "9999"): "There is no exception 9999.",
    ("trust", "ledger", "9999"): "There is no ledger 9999.",
    ("reconcile", "breaks", "--account", "lost"): "There is no account lost",
    ("reconcile", "list", "--account", "lost"): "There is no account lost",
    ("--firm", "nobody", "status"): "There is no firm 'nobody'",
}


@pytest.mark.parametrize(("args", "sentence"), UNKNOWN.items(), ids=[" ".join(args) for args in UNKNOWN])
def test_what_is_not_there_is_one_sentence(cli, args, sentence):
    done = cli(*args)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


WRONG = [
    ("nonsense",),
    ("--nonsense",),
    ("bills", "show"),
    ("jobs", "show", "abc"),
    ("bills", "list", "--state", "lost"),
    ("bills", "list", "--why", "--requests"),
    ("links", "list", "--state", "lost"),
    ("reminders", "bounces", "list", "--state", "lost"),
    ("jobs", "list", "--state", "lost"),
    ("jobs", "list", "--topic", "lost"),
    ("jobs", "list", "--limit", "0"),
    ("exceptions", "list", "--kind", "lost"),
    ("time", "approve", "--by", "Ada"),
    ("time", "approve", "5"),
    ("time", "approve", "5", "--matter", "6", "--by", "Ada"),
    ("sandbox", "--scenario", "nowhere"),
    ("sandbox", "--scenario", "nowhere.toml"),
    ("sandbox", "--now", "yesterday"),
    ("sandbox", "--port", "70000"),
    ("worker", "--concurrency", "0"),
]


@pytest.mark.parametrize("args", WRONG, ids=" ".join)
def test_wrong_usage_is_one_sentence(cli, args):
    done = cli(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "--help" in done.stderr


MISCONFIGURED = {
    "ORCH_DATABASE_URL is neither": {"ORCH_DATABASE_URL": "mysql://root:hush@db/x"},
    "The database does not answer": {"ORCH_DATABASE_URL": "postgresql+psycopg://me:hush@127.0.0.1:1/x"},
    "There is no database at": {"ORCH_DATABASE_URL": "sqlite:////nowhere/x.sqlite3"},
    "http://127.0.0.1:1 does not answer": {"ORCH_CLOCK_URL": "http://127.0.0.1:1/clock"},
    "ORCH_LOG_LEVEL": {"ORCH_LOG_LEVEL": "loud"},
    "ORCH_SECRET_KEY is missing": {
        "ORCH_ENVIRONMENT": "production",
        "ORCH_CLOCK_URL": "",
        "ORCH_CLIO__BASE_URL": "https://x.test",
    },
    "ORCH_SWEEP__INTERVAL_SECONDS": {"ORCH_SWEEP__INTERVAL_SECONDS": "often"},
}


@pytest.mark.parametrize(("sentence", "environment"), MISCONFIGURED.items(), ids=MISCONFIGURED)
def test_what_is_misconfigured_is_one_sentence(cli, sentence, environment):
    done = cli("status", **environment)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr


def test_the_firm_can_be_named_by_the_environment(cli):
    assert cli("status", ORCH_FIRM="main").exit_code == 0
    assert "no firm 'nobody'" in cli("status", ORCH_FIRM="nobody").stderr


@pytest.mark.parametrize("command", ["serve", "worker", "beat"])
def test_a_process_apart_needs_a_broker_apart(cli, command):
    done = cli(command)
    assert done.exit_code == 1
    assert done.stderr.startswith("ORCH_BROKER_URL is memory://")


def test_up_says_that_its_address_is_taken(cli, filled):
    firm, _ = filled
    taken = firm.sandbox.url.removeprefix("http://")
    done = cli("up", ORCH_LISTEN=taken)
    assert done.exit_code == 1
    assert done.stderr == f"ORCH_LISTEN: nothing can listen on {taken}: Address already in use.\n"


def test_a_good_configuration_is_said_to_be_good(cli):
    found = cli.json("config", "check")
    assert found["ok"] is True
    shown = {setting["name"]: setting["value"] for setting in found["settings"]}
    assert shown["clio.access_token"] == "set"
    assert shown["secret_key"] == shown["mail.bounces_url"] == shown["metrics.token"] == "not set"
    assert shown["billing.threshold_cents"] == 50_000


def test_a_bad_configuration_says_which_part(cli, tmp_path):
    done = cli("config", "check", "--json", ORCH_DATABASE_URL=f"sqlite:///{tmp_path}/none.sqlite3", ORCH_MAIL__FROM="")
    assert done.exit_code == 1
    assert '"ok": false' in done.stdout
    assert "run `orchestrator migrate` first" in done.stdout


def test_a_password_in_an_address_is_not_shown(cli):
    done = cli("config", "check", ORCH_BROKER_URL="redis://:hush@127.0.0.1:1/0", ORCH_CLIENT_SECRET="hush")
    assert "hush" not in done.output
    assert "redis://:***@127.0.0.1:1/0" in done.stdout


def test_every_setting_has_a_meaning():
    assert {name for name, _ in values(load())} == set(MEANINGS)


def test_help_loads_nothing_heavy():
    look = "import sys\nfrom orchestrator.cli.app import app\ntry: app(['--help'])\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    heavy = {"sqlalchemy", "pydantic", "httpx", "celery", "rich", "starlette", "structlog"}
    assert heavy & set(done.stderr.split()) == set()
