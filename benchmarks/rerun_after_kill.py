"""P6: how long a job waits for another worker when the one that held it was killed."""

import os
import signal
import statistics
import time
from typing import Any

import redis

from benchmarks.figure import Figure, Say
from benchmarks.house import LIVE, busy_firm, sandbox_of, servers
from orchestrator.domain.kinds import Kind
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from tests.workflows.fleet import Fleet, a_fleet

LEASE_SECONDS = 6.0
PATIENCE = 60.0


def measure(quick: bool, say: Say) -> Figure:
    """The longest time from SIGKILL to the next claim ÷ the lease, over several kills."""
    kills = 2 if quick else 6
    settings = LIVE | {"ORCH_ENGINE__LEASE_SECONDS": LEASE_SECONDS, "ORCH_ENGINE__POLL_SECONDS": 1}
    with (
        servers() as real,
        sandbox_of(busy_firm(clients=kills), live=True) as sandbox,
        a_fleet(sandbox, real.folder, real.database_url, real.broker_url, **settings) as fleet,
        redis.Redis.from_url(real.broker_url) as store,
    ):
        twin = Fleet(sandbox, real.folder / "twin", real.database_url, fleet.environment)
        twin.folder.mkdir()
        for one in (fleet, twin):
            one.start("worker", "--concurrency", "1")
        fleet.start("beat")
        fleet.start("serve")
        books = UnitOfWork(connect(real.database_url), sandbox.now)
        try:
            fleet.until(fleet.enabled)
            fleet.until(lambda: _at_rest(books) and _listening(store) == 2)
            waits = []
            for number, matter in enumerate(sandbox.state()["matters"].values()):
                say(f"kill {number + 1} of {kills}")
                waits.append(_kill_at_work(books, matter, (fleet, twin)))
                fleet.until(lambda: _at_rest(books) and _listening(store) == 2)
        finally:
            books.engine.dispose()
            for name in list(twin.running):
                twin.kill(name)
    return Figure(
        value=max(waits) / LEASE_SECONDS,
        baseline=LEASE_SECONDS,
        n=kills,
        limit="the lease itself; then the dispatcher's look once a second (ORCH_ENGINE__POLL_SECONDS)",
        detail={
            "seconds": [round(wait, 2) for wait in waits],
            "median_over_lease": round(statistics.median(waits) / LEASE_SECONDS, 3),
        },
    )


def _listening(store: redis.Redis) -> int:
    """How many workers wait for a message at this moment."""
    return sum(client["cmd"] == "brpop" for client in store.client_list())


def _at_rest(books: UnitOfWork) -> bool:
    with books.read() as work:
        return work.dirty.watermark(Kind.BILL) is not None and work.jobs.idle()


def _kill_at_work(books: UnitOfWork, matter_id: int, fleets: tuple[Fleet, Fleet]) -> float:
    """Kill the worker that is reading this matter; seconds until the other one claims the job."""
    fleets[0].sandbox.fault("GET /matters", "delay", seconds=LEASE_SECONDS, before=True)
    with books() as work:
        work.dirty.mark(Kind.MATTER, [matter_id])
    held = _claimed(books, 0)
    holder = int(str(held["holder"]).rpartition(":")[2])
    group = os.getpgid(holder)
    killed = next(one for one in fleets if one.running["worker"].pid == group)
    os.killpg(group, signal.SIGKILL)
    at = time.monotonic()
    killed.running.pop("worker").wait(timeout=10)
    _claimed(books, held["fence"], held["id"])
    waited = time.monotonic() - at
    killed.start("worker", "--concurrency", "1")
    return waited


def _claimed(books: UnitOfWork, fence: int, job_id: int | None = None) -> Any:
    """The job, as soon as somebody holds it under a later fence."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with books.read() as work:
            for row in work.jobs.listed(topic="sync.matter", limit=1 if job_id is None else 20):
                if row["id"] == (job_id or row["id"]) and row["fence"] > fence and row["state"] == "claimed":
                    return row
        time.sleep(0.01)
    raise TimeoutError(f"Nobody claimed the job within {PATIENCE:.0f} s.")
