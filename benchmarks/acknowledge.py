"""P4: how long Clio waits for our 200, against a handler in the same server that stores nothing."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from benchmarks.figure import Bound, Figure, Say, percentile
from benchmarks.house import LIVE, busy_firm, sandbox_of, servers
from benchmarks.knock import Knock, send
from orchestrator.bootstrap import build
from orchestrator.clients.clio.webhooks import signed
from orchestrator.engine.runtime import Runtime
from orchestrator.settings import load
from tests.firm import CONFIG
from tests.workflows.fleet import CLEAN, Fleet, a_fleet

PER_SECOND = 200
SLICE = PER_SECOND // 2
SECRET = "a secret of sixty-four characters, as Clio's own handshakes have"
MODEL, TOKEN = "bill", "t" * 43


def measure(quick: bool, say: Say) -> Figure:
    """p99 of deliveries that are kept ÷ p99 of deliveries that are only checked, by turns of half a second."""
    rounds = 6 if quick else 40
    with (
        servers() as real,
        sandbox_of(busy_firm(), live=True) as sandbox,
        a_fleet(sandbox, real.folder, real.database_url, real.broker_url, **LIVE) as fleet,
    ):
        path = _subscribe(fleet)
        with (real.folder / "door.log").open("wb") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.door", SECRET],
                cwd=CONFIG.parent, env=CLEAN | fleet.environment, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        fleet.running["door"] = server
        fleet.until(lambda: _listens(fleet))
        send(fleet.environment["ORCH_LISTEN"], _knocks(path, "warm", SLICE), per_second=PER_SECOND)
        say(f"{rounds * PER_SECOND} deliveries, {PER_SECOND} a second")
        turns = [
            _knocks(address, f"{number}", SLICE, group)
            for number in range(rounds)
            for group, address in (("bare", "/bare"), ("kept", path))
        ]
        seconds = send(fleet.environment["ORCH_LISTEN"], list(chain(*turns)), per_second=PER_SECOND)
        synced = _syncs(real.folder)
    kept, bare = percentile(seconds["kept"], 0.99), percentile(seconds["bare"], 0.99)
    return Figure(
        value=kept / bare,
        baseline=bare,
        n=len(seconds["kept"]),
        also=[Bound("p99 in milliseconds", kept * 1000, "≤", 50)],
        limit="one commit, synced to this machine's disk, shared by all deliveries that wait for it",
        detail={
            "p50_ms": {group: round(percentile(values, 0.5) * 1000, 2) for group, values in seconds.items()},
            "p99_ms": {group: round(percentile(values, 0.99) * 1000, 2) for group, values in seconds.items()},
            "database": "PostgreSQL, fsync on",
            "disk_sync_ms": {f"p{share}": round(percentile(synced, share / 100) * 1000, 2) for share in (50, 99)},
        },
    )


def _syncs(folder: Path) -> list[float]:
    """Seconds that this disk takes to sync one page of a log: what no durable answer can be quicker than."""
    with (folder / "synced").open("wb", buffering=0) as log:

        def one() -> float:
            log.write(bytes(8192))
            begin = time.perf_counter()
            os.fdatasync(log.fileno())
            return time.perf_counter() - begin

        return [one() for _ in range(1000)]


@contextmanager
def runtime(fleet: Fleet) -> Iterator[Runtime]:
    """The fleet's firm in this process, for what only its own key can seal and open."""
    rt = build(
        load(
            config_dir=CONFIG, environment="test", database_url=fleet.database_url,
            broker_url=fleet.environment["ORCH_BROKER_URL"],
            clio={"base_url": fleet.sandbox.clio_base_url, "access_token": fleet.sandbox.access_token},
        )
    )  # fmt: skip
    try:
        yield rt
    finally:
        rt.close()


def _subscribe(fleet: Fleet) -> str:
    """A confirmed subscription, as upkeep would have left it; returns the path that Clio was given."""
    path = f"/webhooks/clio/{TOKEN}"
    with runtime(fleet) as rt, rt.uow() as work:
        work.subscriptions.put(
            MODEL, path_token=TOKEN, webhook_id=1, state="enabled", secret=rt.cipher.seal(SECRET), url=path,
            events="updated", fields="id",
        )  # fmt: skip
    return path


def _listens(fleet: Fleet) -> bool:
    try:
        send(fleet.environment["ORCH_LISTEN"], _knocks("/bare", "first", 1), per_second=1)
    except subprocess.CalledProcessError:
        return False
    return True


def _knocks(path: str, turn: str, count: int, group: str = "warm") -> list[Knock]:
    meta = {"event": "updated", "webhook_id": 1}
    bodies = [
        json.dumps({"data": {"id": 9_000_000 + place, "etag": f"{turn}-{place}"}, "meta": meta})
        for place in range(count)
    ]
    return [Knock(group, path, body, signed(body.encode(), SECRET)) for body in bodies]
