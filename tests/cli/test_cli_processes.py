"""The sandbox and the worker as a person starts them: two commands, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx

from tests.servers import free_port

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}


@contextmanager
def started(*args, environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", *args],
        env=CLEAN | environment | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stopped(process):
    """Ctrl-C, and what was said until then."""
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=20)
    return process.returncode, said, complained


def until(holds, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never came about")


def test_a_sandbox_and_a_worker_start_from_the_lines_it_prints(tmp_path):
    addresses = tmp_path / "sandbox.json"
    with started("sandbox", "--scenario", "tiny", "--json", str(addresses), environment={}) as sandbox:
        until(addresses.exists)
        facts = json.loads(addresses.read_text())
        assert {"url", "clio_base_url", "lawpay_base_url", "smtp_url", "access_token"} <= set(facts)
        assert {"lawpay_secret_key", "lawpay_accounts", "lawpay_pages", "bank"} <= set(facts)
        assert facts["lawpay_accounts"]["trust"]["page"] == facts["lawpay_pages"]["trust"]
        lines = [sandbox.stdout.readline() for _ in range(20)]
        environment = dict(line.strip().removeprefix("export ").split("=", 1) for line in lines if "export" in line)
        address = f"127.0.0.1:{free_port()}"
        environment |= {"ORCH_DATABASE_URL": f"sqlite:///{tmp_path}/firm.sqlite3", "ORCH_LISTEN": address}
        with started("up", environment=environment) as up:
            assert up.stdout.readline().startswith(f"Up at http://{address}. Database sqlite, broker in this process")

            def status(*args):
                done = subprocess.run(
                    [sys.executable, "-m", "orchestrator.cli", *args, "--json"],
                    env=CLEAN | environment, capture_output=True, text=True, check=True,
                )  # fmt: skip
                return json.loads(done.stdout)

            until(lambda: httpx.get(f"http://{address}/health/ready").status_code == 200)
            synced = status("webhooks", "sync")
            assert synced["done"] is True
            assert {webhook["state"] for webhook in synced["webhooks"]} == {"enabled"}
            assert status("status")["ready"] is True
            code, said, complained = stopped(up)
            assert (code, said) == (0, "Stopped.\n")
            assert "Traceback" not in complained
        code, said, complained = stopped(sandbox)
        assert (code, complained) == (0, "")
        assert said.endswith("The sandbox has stopped.\n")
