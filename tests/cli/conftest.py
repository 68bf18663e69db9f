"""The real command on a real database that a firm has filled: one bill paid, one open, one parked job, one exception."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
import typer.main
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.sandbox import SandboxHandle, running_sandbox
from tests.firm import CONFIG, START, Firm, open_firm

COMMAND = typer.main.get_command(app)
"""Typer's own runner would build all hundred commands anew for each run of one."""


@dataclass
class Done:
    exit_code: object
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


@dataclass
class Cli:
    """Runs `orchestrator` in this process with a firm's environment."""

    environment: dict[str, str]

    def __call__(self, *args: object, **environment: str) -> Done:
        with CliRunner().isolation(env=self.environment | environment) as streams:
            with pytest.raises(SystemExit) as left:
                COMMAND.main([str(arg) for arg in args], prog_name="orchestrator")
            sys.stdout.flush()
            sys.stderr.flush()
            stdout, stderr = (stream.getvalue().decode().replace("\r\n", "\n") for stream in streams[:2])
        return Done(left.value.code, stdout, stderr)

    def json(self, *args: object) -> Any:
        """What a read says with --json; stdout must be nothing else."""
        done = self(*args, "--json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def _own_logs():
    """A command configures the logs of its process; here that process is everybody's."""
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in list(os.environ):
        if name.startswith("ORCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> Iterator[tuple[Firm, str]]:
    """A firm at rest in the middle of its business, and its database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('cli')}/firm.sqlite3"
    with (
        running_sandbox("tiny", now=START, frozen=True, rate_limit=100_000) as sandbox,
        open_firm(sandbox, url, subscribed=True) as firm,
    ):
        firm.work()
        firm.log_time(dollars=600)
        firm.later(minutes=16)
        firm.later(hours=1)
        paid = firm.sandbox.act("generate_bill", matter_id=firm.matter())
        firm.sandbox.act("approve_bill", id=paid["id"])
        firm.later(minutes=16)
        firm.later(minutes=2)
        firm.sandbox.act("pay_link", link_id=firm.links()[-1]["id"], method="card", settle_after_seconds=0)
        firm.later(minutes=16)
        sandbox.fault("smtp", "drop_after_data")
        firm.issued_bill(dollars=400)
        firm.later(minutes=16)
        firm.later(minutes=5)
        firm.log_time(dollars=70)
        firm.later(minutes=16)
        firm.log_time(dollars=80)
        firm.later(minutes=16)
        with firm.rt.uow() as work:
            # Nobody listens at this firm's address, which is not what these tests are about.
            for row in work.subscriptions.all():
                work.exceptions.close("webhook_unconfirmed", row["model"])
        yield firm, url


def environment(sandbox: SandboxHandle, url: str) -> dict[str, str]:
    return {
        "ORCH_CONFIG_DIR": str(CONFIG),
        "ORCH_ENVIRONMENT": "test",
        "ORCH_DATABASE_URL": url,
        "ORCH_CLOCK_URL": f"{sandbox.url}/clock",
        "ORCH_CLIO__BASE_URL": sandbox.clio_base_url,
        "ORCH_CLIO__ACCESS_TOKEN": sandbox.access_token,
        "ORCH_MAIL__URL": sandbox.smtp_url,
        "ORCH_MAIL__FROM": "billing@firm.test",
    }


@pytest.fixture
def cli(filled) -> Cli:
    firm, url = filled
    return Cli(environment(firm.sandbox, url))
