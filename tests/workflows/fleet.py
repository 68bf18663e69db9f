"""A firm's processes as IT runs them, against a sandbox in this one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from orchestrator.domain.links import LinkState
from orchestrator.sandbox import SandboxHandle
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from tests.firm import CONFIG
from tests.servers import free_port

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}


@dataclass
class Fleet:
    """Starts and kills processes of one firm; what they did is read from the sandbox and the database."""

    sandbox: SandboxHandle
    folder: Path
    database_url: str
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    restarts: bool = False
    """Whether what ends is started again, as a container engine would; else it fails the test."""
    ended: list[str] = field(default_factory=list)
    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://{self.environment['ORCH_LISTEN']}"

    def start(self, *command: str) -> None:
        self.commands[command[0]] = command
        with (self.folder / f"{command[0]}.log").open("ab") as log:
            self.running[command[0]] = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.cli", *command], cwd=CONFIG.parent, env=CLEAN | self.environment,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """SIGKILL it with its children, as a machine that dies would."""
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)

    def stop(self, name: str) -> int:
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout=30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)

    def said(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace") for path in self.folder.glob("*.log"))

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/health/ready", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def tend(self) -> None:
        """See that every process that was started runs; one that ended is started again, or fails the test."""
        for name in [name for name, process in self.running.items() if process.poll() is not None]:
            assert self.restarts, f"{name} ended:\n{self.said()[-3000:]}"
            self.ended.append(name)
            self.kill(name)
            self.start(*self.commands[name])

    def until(self, holds: Callable[[], Any], *, seconds: float = 40) -> None:
        """Wait for it, while every process that was started keeps running."""
        end = time.monotonic() + seconds
        while not holds():
            self.tend()
            assert time.monotonic() < end, f"it never came about:\n{self.said()[-3000:]}"
            time.sleep(0.1)

    @contextmanager
    def books(self) -> Iterator[Any]:
        engine = connect(self.database_url)
        try:
            with UnitOfWork(engine, self.sandbox.now).read() as work:
                yield work
        finally:
            engine.dispose()

    def states(self, topic: str | None = None) -> dict[str, int]:
        found: dict[str, int] = {}
        with self.books() as work:
            for row in work.jobs.listed(topic=topic, limit=5000):
                found[row["state"]] = found.get(row["state"], 0) + 1
        return found

    def enabled(self) -> bool:
        with self.books() as work:
            rows = work.subscriptions.all()
        return bool(rows) and all(row["state"] == "enabled" for row in rows)

    # ── what people do ──

    def issued_bill(self, dollars: int = 600) -> dict[str, Any]:
        matter = next(iter(self.sandbox.state()["matters"].values()))
        entry = self.sandbox.act("log_time", matter_id=matter, quantity_seconds=3600, price=dollars)
        bill = self.sandbox.act("generate_bill", matter_id=matter, entry_ids=[entry["id"]])
        return self.sandbox.act("approve_bill", id=bill["id"])

    def links(self) -> list[dict[str, Any]]:
        return [effect for effect in self.sandbox.effects("link.created") if effect["by"] == "app"]

    def money_in(self) -> None:
        """A bill goes out and comes back paid, told by webhooks and carried by real messages."""
        self.issued_bill()
        self.until(self.sandbox.mail)
        [link] = self.links()
        assert link["url"] in self.sandbox.mail()[0]["text"]
        self.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
        self.until(lambda: self.sandbox.effects("matter.patched"))
        self.until(lambda: len(self.sandbox.effects("note.created")) == 2)

    def check(self) -> None:
        """Nothing twice, nothing lost, nothing told to a log."""
        verdict = self.sandbox.oracle()
        assert not any(verdict.values()), verdict
        with self.books() as work:
            assert work.journal.balance() == 0
            assert work.links.counts().get(LinkState.RESERVED, 0) == 0
        said = self.said()
        for secret in (self.sandbox.access_token, "bo@clients.test", "Bo Ferris", "Traceback"):
            assert secret not in said, said[-3000:]


@contextmanager
def a_fleet(
    sandbox: SandboxHandle, folder: Path, database_url: str, broker_url: str, **settings: object
) -> Iterator[Fleet]:
    """A firm whose database is migrated; nothing runs yet, and everything is gone after."""
    listen = f"127.0.0.1:{free_port()}"
    environment = {
        "ORCH_ENVIRONMENT": "test",
        "ORCH_DATABASE_URL": database_url,
        "ORCH_BROKER_URL": broker_url,
        "ORCH_CLOCK_URL": f"{sandbox.url}/clock",
        "ORCH_CLIO__BASE_URL": sandbox.clio_base_url,
        "ORCH_CLIO__ACCESS_TOKEN": sandbox.access_token,
        "ORCH_MAIL__URL": sandbox.smtp_url,
        "ORCH_MAIL__FROM": "billing@firm.test",
        "ORCH_LISTEN": listen,
        "ORCH_PUBLIC_URL": f"http://{listen}",
        # Time stands still here: a message that waits for the end of its minute would wait for ever.
        "ORCH_MAIL__BATCH_SECONDS": "0",
        "ORCH_ENGINE__POLL_SECONDS": "0.1",
        "ORCH_RUN_DIR": str(folder / "run"),
        "PYTHONUNBUFFERED": "1",
    } | {name: str(value) for name, value in settings.items()}
    fleet = Fleet(sandbox, folder, database_url, environment)
    subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "migrate"],
        cwd=CONFIG.parent, env=CLEAN | environment, check=True, capture_output=True,
    )  # fmt: skip
    try:
        yield fleet
    finally:
        for name in list(fleet.running):
            fleet.kill(name)
