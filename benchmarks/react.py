"""P11: from a delivery at our door to what it brings about at Clio, against the least that Celery and Clio take."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import httpx

from benchmarks.acknowledge import runtime
from benchmarks.figure import Figure, Say
from benchmarks.house import LIVE, QUIET, busy_firm, sandbox_of, servers
from benchmarks.noop import ADDRESS
from orchestrator.clients.clio.webhooks import signed
from tests.firm import CONFIG
from tests.workflows.fleet import CLEAN, Fleet, a_fleet

PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Hook:
    """A confirmed subscription of the firm's."""

    path: str
    id: int
    secret: str


def measure(quick: bool, say: Say) -> Figure:
    """p50 from "bill issued" to its payment link at Clio ÷ (p50 of a Celery task that does nothing + p50 of one call)."""
    times = 8 if quick else 60
    settings = LIVE | {"ORCH_NOTES__EVENTS": json.dumps(QUIET["notes"]["events"])}
    with (
        servers() as real,
        sandbox_of(busy_firm(users=10), live=True) as sandbox,
        a_fleet(sandbox, real.folder, real.database_url, real.broker_url, **settings) as fleet,
    ):
        noop_broker = real.broker_url.rpartition("/")[0] + "/1"
        os.environ[ADDRESS] = noop_broker
        for name, command in (("serve", ["serve"]), ("worker", ["worker", "--concurrency", "2"]), ("beat", ["beat"])):
            assert name == command[0]
            fleet.start(*command)
        with (real.folder / "noop.log").open("wb") as log:
            fleet.running["noop"] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "benchmarks.noop", "worker", "--concurrency", "2", "-l", "ERROR"],
                cwd=CONFIG.parent, env=CLEAN | {ADDRESS: noop_broker}, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        fleet.until(fleet.ready)
        fleet.until(fleet.enabled)
        with runtime(fleet) as rt, rt.read() as work:
            row = work.subscriptions.get("bill")
            assert row is not None
            hook = Hook(f"/webhooks/clio/{row['path_token']}", row["webhook_id"], rt.cipher.open(row["secret"]))
        say(f"{times} bills, one after another")
        rounds = [_round(fleet, hook, number) for number in range(times + 2)][2:]
    noop, call, effect = (median(column) for column in zip(*rounds, strict=True))
    return Figure(
        value=effect / (noop + call),
        baseline=noop + call,
        n=times,
        limit="two jobs (read the bill, make its link), each with its own message, claim and durable commits, and two calls",
        detail={
            "p50_ms": {
                "webhook_to_link": round(effect * 1000, 1),
                "celery_no_op": round(noop * 1000, 1),
                "one_call": round(call * 1000, 1),
            }
        },
    )


def _round(fleet: Fleet, hook: "Hook", number: int) -> tuple[float, float, float]:
    """Seconds of one task that does nothing, of one call, and from one delivery to its link."""
    from benchmarks.noop import app, nothing  # noqa: PLC0415  its broker's address is known only now

    app.conf.update(broker_url=os.environ[ADDRESS], result_backend=os.environ[ADDRESS])
    sandbox = fleet.sandbox
    [bill_id] = sandbox.act("bulk", bills=1, clients=1, amount="250.00")["bill_ids"]
    noop = _seconds(lambda: nothing.delay().get(timeout=PATIENCE))
    headers = {"Authorization": f"Bearer {sandbox.access_token}"}
    with httpx.Client(base_url=sandbox.clio_base_url, headers=headers, trust_env=False) as http:
        http.get(f"/api/v4/bills/{bill_id}.json")
        call = _seconds(lambda: http.get(f"/api/v4/bills/{bill_id}.json").raise_for_status())
    meta = {"event": "updated", "webhook_id": hook.id}
    body = json.dumps({"data": {"id": bill_id, "etag": f"{number}"}, "meta": meta}).encode()
    made = len(sandbox.effects("link.created"))
    headers = {"X-Hook-Signature": signed(body, hook.secret)}
    with httpx.Client(base_url=fleet.address, headers=headers, trust_env=False) as http:
        http.get("/health/live")

        def effect() -> None:
            http.post(hook.path, content=body).raise_for_status()
            _until(lambda: len(sandbox.effects("link.created")) > made)

        seconds = _seconds(effect)
    logged = number + 1
    _until(lambda: sandbox.counts()["calls"].get("POST /communications", 0) >= logged)
    return noop, call, seconds


def _seconds(work: Any) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _until(holds: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"It did not come about within {PATIENCE:.0f} s.")
        time.sleep(0.002)
