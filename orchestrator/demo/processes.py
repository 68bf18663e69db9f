"""The sandbox and the worker as processes of their own, begun with the `orchestrator` command and always ended."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from orchestrator.errors import OrchestratorError

PROGRAM = (
    sys.executable,
    "-c",
    "from orchestrator.demo.leash import hold; hold(); from orchestrator.cli import main; main()",
)
START_SECONDS = 90.0
STOP_SECONDS = 4.0
SWEEP_SECONDS = 43_200
RATE_LIMIT = 1_000_000
"""Six weeks pass in seconds, but Clio's minute is a real one: the sandbox announces a budget to match."""

KEPT = ("ORCH_DATABASE_URL", "ORCH_BROKER_URL", "ORCH_CONFIG_DIR", "ORCH_ENGINE__THREADS", "ORCH_LOG_LEVEL")
"""Settings of the user's that the demo respects; all others, a real firm's among them, stay out of it."""


class DidNotStart(OrchestratorError):
    """A process ended before it was ready; the message has its last words."""


class Processes:
    """Children that live as long as the block; each writes to its own log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *command: str, env: Mapping[str, str]) -> None:
        """Begin `orchestrator COMMAND`, in a session of its own so that Ctrl-C reaches only us."""
        with self.log(command[0]).open("ab") as log:
            self._children[command[0]] = subprocess.Popen(  # noqa: S603  our own program
                [*PROGRAM, *command],
                env=env, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def finish(self, name: str) -> None:
        """Wait until a command has done its work; `DidNotStart` if it failed."""
        if self._children[name].wait(timeout=START_SECONDS) != 0:
            raise DidNotStart(self._last_words(name))
        del self._children[name]

    def wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a process is ready."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self._children[name].poll() is not None:
                raise DidNotStart(self._last_words(name))
            if time.monotonic() > deadline:
                raise DidNotStart(f"orchestrator {name} was not ready within {START_SECONDS:.0f} s.")
            time.sleep(0.02)

    def dead(self) -> str | None:
        """What to say of a process that ended by itself, if any did."""
        for name, child in self._children.items():
            if child.poll() is not None:
                return self._last_words(name)
        return None

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def stop(self) -> None:
        """End every child: asked first, then made to."""
        self.end(list(self._children))

    def end(self, names: Iterable[str], *, kill: bool = False) -> None:
        """End these children, the youngest first: asked, then made to, or killed at once."""
        ending = [self._children.pop(name) for name in reversed(list(names))]
        for child in ending:
            _signal(child, signal.SIGKILL if kill else signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=max(0.0, deadline - time.monotonic()))
            # Pool processes share their parent's group; none may outlive it.
            _signal(child, signal.SIGKILL)
            child.wait()

    def _last_words(self, name: str) -> str:
        said = self.log(name).read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        return f"orchestrator {name} ended: {said[-1]}"


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def start_sandbox(processes: Processes, scenario: str, *, seed: int, now: datetime) -> str:
    """A frozen sandbox of our own; returns its address."""
    addresses = processes.folder / "sandbox.json"
    options: dict[str, object] = {
        "--json": addresses,
        "--scenario": scenario,
        "--seed": seed,
        "--now": now.isoformat(),
        "--rate-limit": RATE_LIMIT,
    }
    given = [str(word) for option in options.items() for word in option]
    processes.start("sandbox", "--frozen", *given, env=plain_env(os.environ))
    processes.wait("sandbox", addresses.is_file)
    return str(json.loads(addresses.read_text())["url"])


def start_worker(processes: Processes, env: Mapping[str, str]) -> None:
    """The real worker: `up`, or with a broker that processes can share, `migrate` and then `serve`, `worker` and `beat`."""
    names = worker_names(env)
    if apart(env):
        processes.start("migrate", env=env)
        processes.finish("migrate")
    for name in names:
        processes.start(name, env=env)
    processes.wait(names[0], lambda: _listens(env["ORCH_LISTEN"]))


def worker_names(env: Mapping[str, str]) -> Sequence[str]:
    """The commands that are the worker."""
    return ("serve", "worker", "beat") if apart(env) else ("up",)


def apart(env: Mapping[str, str]) -> bool:
    return not env.get("ORCH_BROKER_URL", "memory://").startswith("memory:")


def worker_env(
    state: Mapping[str, Any], folder: Path, *, firm: str, stages: Sequence[str], given: Mapping[str, str],
    trust: Mapping[str, str],
) -> dict[str, str]:  # fmt: skip
    """The environment of a worker for this sandbox; `given` may name a database, a broker, and a proxy before the same Clio."""
    kept = {name: given[name] for name in KEPT if name in given}
    proxy = given.get("ORCH_CLIO__BASE_URL")
    return {
        **plain_env(given),
        "ORCH_LOG_LEVEL": "warning",
        "ORCH_DATABASE_URL": f"sqlite:///{folder / 'worker.sqlite3'}",
        **kept,
        "ORCH_ENVIRONMENT": "sandbox",
        "ORCH_CLOCK_URL": f"{state['url']}/clock",
        "ORCH_CLIO__BASE_URL": proxy or str(state["clio_base_url"]),
        "ORCH_CLIO__ALIASES": json.dumps([state["clio_base_url"]] if proxy else []),
        "ORCH_CLIO__ACCESS_TOKEN": str(state["access_token"]),
        "ORCH_CLIO__REGION": str(state["region"]),
        "ORCH_MAIL__URL": str(state["smtp_url"]),
        "ORCH_MAIL__FROM": "billing@firm.example",
        "ORCH_MAIL__BOUNCE_HOOK": "mailgun",
        "ORCH_FIRM__NAME": firm,
        "ORCH_BILLING__FLAT_FEE_STAGES": json.dumps(list(stages)),
        "ORCH_LISTEN": f"127.0.0.1:{_free_port()}",
        # Beat apart only looks for what the moved clock made due: whoever commits rings for the rest.
        "ORCH_ENGINE__POLL_SECONDS": "0.05" if apart(given) else "0.01",
        # Sweeps only find what webhooks lost: in a story of weeks, twice a day is often enough.
        "ORCH_SWEEP__INTERVAL_SECONDS": str(SWEEP_SECONDS),
        "ORCH_LAWPAY__POLL_SECONDS": str(SWEEP_SECONDS),
        **trust,
    }


def plain_env(given: Mapping[str, str]) -> dict[str, str]:
    """The environment without any setting of ours, and without a proxy between processes of this machine."""
    own = {name: value for name, value in given.items() if not name.upper().startswith("ORCH_")}
    return own | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=0.2):
            return True
    except OSError:
        return False


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that children are always ended too."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with ExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGHUP):
            stack.callback(signal.signal, number, signal.signal(number, end))
        yield
