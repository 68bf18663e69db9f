"""P12: how many firms one fleet on two cores serves, each at Clio's full budget: costs are measured, the crowd is simulated."""

import heapq
import os
import random
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure, Say
from benchmarks.house import LIVE, busy_firm, calls, sandbox_of, servers
from tests.workflows.fleet import Fleet, a_fleet

CORES = 2
HANDS = 64
PER_MINUTE = 50
ANSWER_SECONDS = (0.15, 0.6)
"""Clio takes as long as this to answer: between the two, any as likely as another."""

FULL = 0.98
MINUTES = 5
MOST = 2000
PATIENCE = 600.0


def measure(quick: bool, say: Say) -> Figure:
    """The most firms of which all together still spend 98 % of their budgets, by what one call and one idle firm cost here."""
    bills, rest = (20, 5.0) if quick else (60, 20.0)
    per_call, idle, made = _cost(bills, rest, say)
    say("the crowd")
    firms = _most(per_call, idle)
    return Figure(
        value=firms,
        baseline=per_call * 1000,
        n=made,
        limit="the processor: what a job takes to claim, decide, record and log around its one call",
        detail={
            "cpu_ms_a_call": round(per_call * 1000, 2),
            "cpu_ms_a_second_of_an_idle_firm": round(idle * 1000, 2),
            "answer_seconds": ANSWER_SECONDS,
            "hands": HANDS,
            "share_of_budget_at_200_firms": round(share(200, per_call, idle), 3),
            "path": "bill issued → link → message → communication, note; worker, beat and serve, without PostgreSQL and Redis",
        },
    )


def _cost(bills: int, rest: float, say: Say) -> tuple[float, float, int]:
    """CPU seconds of the whole fleet for one call of work, and for one second of a firm at rest; how many calls were made.

    What the processes take to be there at all is counted with the firm at rest, so a crowd is thought a little dearer than it is.
    """
    settings = LIVE | {"ORCH_ENGINE__POLL_SECONDS": "1"}
    with (
        servers() as real,
        sandbox_of(busy_firm(users=bills // 50 + 1, clients=bills), live=True) as sandbox,
        a_fleet(sandbox, real.folder, real.database_url, real.broker_url, **settings) as fleet,
    ):
        for command in (["serve"], ["worker", "--concurrency", "2"], ["beat"]):
            fleet.start(*command)
        fleet.until(fleet.ready, seconds=PATIENCE)
        fleet.until(fleet.enabled, seconds=PATIENCE)
        _settle(fleet)
        say(f"{rest:.0f} s in which nothing happens")
        before = _cpu(fleet)
        fleet.until(_after(rest), seconds=PATIENCE)
        idle = (_cpu(fleet) - before) / rest
        say(f"{bills} bills")
        before, asked, began = _cpu(fleet), calls(sandbox), _now()
        sandbox.act("bulk", bills=bills, clients=bills, amount="250.00", webhooks=True)
        fleet.until(lambda: len(sandbox.effects("communication.created")) >= bills, seconds=PATIENCE)
        _settle(fleet)
        made = calls(sandbox) - asked
        return (_cpu(fleet) - before - idle * (_now() - began)) / made, idle, made


def _settle(fleet: Fleet) -> None:
    def at_rest() -> bool:
        with fleet.books() as work:
            return bool(work.jobs.idle())

    fleet.until(at_rest, seconds=PATIENCE)


def _now() -> float:
    return os.times().elapsed


def _after(seconds: float) -> Callable[[], bool]:
    end = _now() + seconds
    return lambda: _now() >= end


def _cpu(fleet: Fleet) -> float:
    """CPU seconds so far of every process of the fleet, those that have ended included."""
    sessions = {process.pid for process in fleet.running.values()}
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(told[3]) in sessions:
            ticks += sum(map(int, told[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _most(per_call: float, idle: float) -> int:
    low, high = 0, MOST
    while low < high:
        middle = (low + high + 1) // 2
        if share(middle, per_call, idle) >= FULL:
            low = middle
        else:
            high = middle - 1
    return low


def share(firms: int, per_call: float, idle: float) -> float:
    """The part of all budgets that is spent when so many firms have work without end; each call holds a hand until its answer."""
    left = 1 - firms * idle / CORES
    if left <= 0:
        return 0.0
    chance = random.Random(firms)
    wanted = sorted(
        (chance.random() + call) * 60 / PER_MINUTE for _ in range(firms) for call in range(PER_MINUTE * MINUTES - 1)
    )
    cores, hands = [0.0] * CORES, [0.0] * HANDS
    done, end = 0, MINUTES * 60.0
    for moment in wanted:
        worked = max(moment, heapq.heappop(hands), heapq.heappop(cores)) + per_call / left
        heapq.heappush(cores, worked)
        answered = worked + chance.uniform(*ANSWER_SECONDS)
        heapq.heappush(hands, answered)
        done += answered <= end
    return done / len(wanted)
