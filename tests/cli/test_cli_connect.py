import re
import subprocess
import sys

import httpx
import pytest


@pytest.fixture
def connecting(sandbox, cli, tmp_path):
    """A migrated firm that has an app at Clio and no token yet."""
    state = sandbox.state()
    environment = {
        **cli.environment,
        "ORCH_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3",
        "ORCH_CLIO__BASE_URL": sandbox.clio_base_url,
        "ORCH_CLIO__CLIENT_ID": state["client_id"],
        "ORCH_CLIO__CLIENT_SECRET": state["client_secret"],
        "ORCH_SECRET_KEY": "a key",
        "ORCH_PUBLIC_URL": "http://127.0.0.1:9",
    }
    environment.pop("ORCH_CLIO__ACCESS_TOKEN", None)
    subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "migrate"], env=environment, check=True, capture_output=True
    )
    return environment


def _begin(environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "connect", "clio"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if found := re.search(r"http\S+", line):
            return process, found.group(0)
    raise AssertionError(process.communicate())


def test_a_person_agrees_in_the_browser_and_pastes_the_address(connecting):
    process, address = _begin(connecting)
    agreed = httpx.get(f"{address}&approve=true").headers["location"]
    said, trouble = process.communicate(f"{agreed}\n", timeout=30)
    assert process.returncode == 0, trouble
    assert "Connected to Clio account" in said


def test_an_answer_to_another_attempt_is_refused(connecting):
    process, _ = _begin(connecting)
    _, trouble = process.communicate("http://127.0.0.1:9/oauth/callback?code=abc&state=other\n", timeout=30)
    assert process.returncode == 1
    assert "does not answer this attempt" in trouble


def test_connecting_needs_the_apps_id_and_secret(cli):
    done = cli("connect", "clio", "--code", "abc")
    assert done.exit_code == 1
    assert "ORCH_CLIO__CLIENT_ID" in done.stderr
