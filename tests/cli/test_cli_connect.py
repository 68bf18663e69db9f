import json
import re
import subprocess
import sys
import time

import httpx
import pytest

from tests.servers import free_port


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
        "ORCH_PUBLIC_URL": f"http://127.0.0.1:{free_port()}",
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
    address = None
    for line in process.stderr:
        if address and "Waiting" in line:
            return process, address
        if found := re.search(r"http\S+authorize\S+", line):
            address = found.group(0)
    raise AssertionError(process.communicate())


def test_a_person_agrees_in_the_browser_and_pastes_the_address(connecting):
    process, address = _begin(connecting)
    agreed = httpx.get(f"{address}&approve=true").headers["location"]
    said, trouble = process.communicate(f"{agreed}\n", timeout=30)
    assert process.returncode == 0, trouble
    assert "Connected to Clio account" in said


def test_a_person_agrees_in_the_browser_and_the_command_hears_it_itself(connecting, cli):
    process, address = _begin(connecting)
    agreed = httpx.get(f"{address}&approve=true").headers["location"]
    for _ in range(100):
        try:
            page = httpx.get(agreed)
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            break
    assert page.status_code == 200
    assert "Go back to the terminal" in page.text
    said, trouble = process.communicate(timeout=30)
    assert process.returncode == 0, trouble
    assert "Connected to Clio account" in said
    shown = cli("connect", "show", "--json", **_changed(connecting))
    assert shown.exit_code == 0
    found = json.loads(shown.stdout)
    assert (found["connected"], found["renews_itself"], found["waits_for"]) == (True, True, [])
    assert cli("connect", "remove", "clio", "--dry-run", **_changed(connecting)).exit_code == 0
    assert cli("connect", "remove", "clio", **_changed(connecting)).exit_code != 0, "nobody said yes"
    ended = cli("connect", "remove", "clio", "--yes", **_changed(connecting))
    assert ended.exit_code == 0
    assert "no message sent" in ended.stdout
    gone = cli("connect", "show", **_changed(connecting))
    assert gone.exit_code == 1


def test_a_person_who_declines_connects_nothing(connecting):
    process, address = _begin(connecting)
    declined = httpx.post(address, data={"decision": "decline"}).headers["location"]
    _, trouble = process.communicate(f"{declined}\n", timeout=30)
    assert process.returncode == 1
    assert "told to decline" in trouble


def _changed(environment):
    return {name: value for name, value in environment.items() if name.startswith("ORCH_")} | {
        "ORCH_CLIO__ACCESS_TOKEN": ""
    }


def test_an_answer_to_another_attempt_is_refused(connecting):
    process, _ = _begin(connecting)
    _, trouble = process.communicate("http://127.0.0.1:9/oauth/callback?code=abc&state=other\n", timeout=30)
    assert process.returncode == 1
    assert "does not answer this attempt" in trouble


def test_connecting_needs_the_apps_id_and_secret(cli):
    done = cli("connect", "clio", "--code", "abc")
    assert done.exit_code == 1
    assert "ORCH_CLIO__CLIENT_ID" in done.stderr


def test_the_buttons_are_shown_and_looked_after(cli):
    def said(*words, **environment):
        done = cli("connect", "custom-action", "--json", *words, **environment)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    on = {"ORCH_APPROVAL__SIGNAL": "custom_action"}
    assert {button["would"] for button in said("--dry-run", **on)["buttons"]} == {"create"}
    assert said("--dry-run", **on)["asked"] is False
    assert said(**on)["asked"] is True
    off = said()
    assert (off["asked"], {button["would"] for button in off["buttons"]}) == (False, {"none"})
