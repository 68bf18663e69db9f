"""P11: from a delivery at our door to what it brings about at Clio, against the least that Celery and Clio take."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import httpx

from benchmarks.acknowledge import runtime
from benchmarks.figure import Figure, Say
from benchmarks.house import LIVE, QUIET, busy_firm, sandbox_of, servers
from benchmarks.noop import ADDRESS, app, nothing
from orchestrator.clients.clio.webhooks import signed
from orchestrator.sandbox import SandboxHandle
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
    noop, call, known, read, effect = (median(column) for column in zip(*rounds, strict=True))
    return Figure(
        value=effect / (noop + call),
        baseline=noop + call,
        n=times,
        limit="two jobs (read the bill, make its link), each with its own message, claim and durable commits, and two calls",
        detail={
            "p50_ms": {
                "webhook_to_acknowledged": round(known * 1000, 1),
                "webhook_to_bill_read": round(read * 1000, 1),
                "webhook_to_link": round(effect * 1000, 1),
                "celery_no_op": round(noop * 1000, 1),
                "one_call": round(call * 1000, 1),
            }
        },
    )


def _round(fleet: Fleet, hook: "Hook", number: int) -> tuple[float, ...]:
    """Seconds of one task that does nothing, of one call, and from one delivery to its answer, its read, and its link."""
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
    headers = {"X-Hook-Signature": signed(body, hook.secret)}
    with httpx.Client(base_url=fleet.address, headers=headers, trust_env=False) as http:
        http.get("/health/live")
        before = sandbox.counts()["calls"]
        begin = time.perf_counter()
        http.post(hook.path, content=body).raise_for_status()
        known = time.perf_counter() - begin
        read, link = (
            _next_call(sandbox, template, before) - begin for template in ("GET /bills", "POST /clio_payments/links")
        )
    _next_call(sandbox, "POST /communications", before)
    return noop, call, known, read, link


def _next_call(sandbox: SandboxHandle, call: str, before: Mapping[str, int]) -> float:
    """The moment at which the sandbox had been called once more."""
    end = time.monotonic() + PATIENCE
    while sandbox.counts()["calls"].get(call, 0) <= before.get(call, 0):
        if time.monotonic() > end:
            raise TimeoutError(f"{call} did not come within {PATIENCE:.0f} s.")
        time.sleep(0.002)
    return time.perf_counter()


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
