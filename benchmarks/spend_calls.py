"""P1: what a billed bill costs in calls to Clio, at Clio's own pace, against the fewest it could cost."""

import heapq
import itertools
import math
import time
from datetime import UTC, datetime

from benchmarks.figure import Figure, Say
from benchmarks.house import QUIET, busy_firm, calls, sandbox_of, sqlite
from orchestrator.engine.dispatch import ring_due
from orchestrator.engine.run import run
from tests.firm import Firm, open_firm, web
from tests.servers import free_port
from workflows.book import BOOK

PER_MINUTE = 50
PAGE = 200
BATCH = 100
"""Bills issued in one breath: their webhooks must arrive while the sandbox's caller still waits."""


def measure(quick: bool, say: Say) -> Figure:
    """Floor ÷ actual, from the moment the bills are issued until the last communication is logged."""
    bills = 100 if quick else 1000
    plain = _bill(bills, notes=False, say=say)
    noted = _bill(bills // 5, notes=True, say=say)
    floor = _floor(bills, writes=2)
    return Figure(
        value=floor / plain["total"],
        baseline=floor,
        n=bills,
        limit="reads that time asks for: one of the bills a minute before messages leave, one in two minutes before links are "
        "made, sweeps every quarter of an hour",
        detail={
            "actual_over_floor": round(plain["total"] / floor, 4),
            "calls": plain,
            "with_a_note_on_the_matter": {
                "bills": bills // 5,
                "floor_over_actual": round(_floor(bills // 5, writes=2) / noted["total"], 4),
                "floor_with_the_note_over_actual": round(_floor(bills // 5, writes=3) / noted["total"], 4),
            },
            "path": "bill issued → link → message → communication; [notes] off; 50 calls in each minute of the firm's clock",
        },
    )


def _floor(bills: int, *, writes: int) -> int:
    return writes * bills + math.ceil(bills / PAGE)


def _bill(bills: int, *, notes: bool, say: Say) -> dict[str, int]:
    """Issue the bills in one go, told by webhooks, and count every call until all are logged."""
    port = free_port()
    address = {"public_url": f"http://127.0.0.1:{port}", "listen": f"127.0.0.1:{port}"}
    environment = address | (QUIET if not notes else {})
    with (
        sandbox_of(busy_firm(users=math.ceil(bills / 50) + 1)) as sandbox,
        sqlite() as database_url,
        open_firm(sandbox, database_url, environment=environment, subscribed=True) as firm,
        web(firm, port),
    ):
        for _ in range(10):
            firm.work()
            sandbox.settle()
        before = sandbox.counts()["calls"]
        say(f"{bills} bills{' with notes' if notes else ''}")
        for start in range(0, bills, BATCH):
            batch = min(BATCH, bills - start)
            sandbox.act("bulk", bills=batch, clients=max(1, batch // 2), amount="250.00", webhooks=True)
            sandbox.settle()
        _work_at_pace(firm, until=bills)
        after = sandbox.counts()["calls"]
    spent = {template: made - before.get(template, 0) for template, made in after.items()}
    return {template: made for template, made in spent.items() if made} | {"total": sum(spent.values())}


def _work_at_pace(firm: Firm, *, until: int) -> None:
    """Do the most urgent job next, and let a minute pass on the firm's clock whenever a minute's calls are spent."""
    heap: list[tuple[int, int, int]] = []
    order = itertools.count()
    start = calls(firm.sandbox)
    while firm.sandbox.counts()["calls"].get("POST /communications", 0) < until:
        firm.beat.tick(datetime.now(UTC))
        ring_due(firm.rt, lambda _firm, job_id, _topic, urgency: heapq.heappush(heap, (urgency, next(order), job_id)))
        while heap and calls(firm.sandbox) - start < PER_MINUTE:
            run(firm.rt, BOOK, heapq.heappop(heap)[2])
            if not heap:
                break
        else:
            firm.sandbox.clock_advance(60)
            time.sleep(0.021)  # the moved clock is asked at most every 20 ms
            start = calls(firm.sandbox)
