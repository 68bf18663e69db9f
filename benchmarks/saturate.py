"""P2, P3, P10: four worker processes with more to do than Clio allows, while the announced limit moves.

One run serves all three: real minutes are what it costs. The sandbox's own count of its answers is the record; windows are
told apart by their first call, as the sandbox itself opens them.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis

from benchmarks.acknowledge import runtime
from benchmarks.figure import Bound, Figure, Say, percentile
from benchmarks.house import LIVE, busy_firm, sandbox_of, servers
from orchestrator.domain.topics import Urgency
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Paced
from orchestrator.sandbox import SandboxHandle
from tests.workflows.fleet import a_fleet

WORKERS = 4
WINDOW_SECONDS, QUICK_WINDOW_SECONDS = 60.0, 15.0
SAMPLE_SECONDS = 0.05
PROBES = 10
"""Interactive requests in a window: the fifth of fifty that is kept for them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One window: the limit at its opening, and what happens a third of the way through."""

    name: str
    limit: int
    then: int | None = None
    flushed: bool = False
    stranger: int = 0


PLANS = (
    Plan("50", 50),
    Plan("50, then 120", 50, then=120),
    Plan("120, then 50", 120, then=50),
    Plan("limiter flushed, stranger on the token", 120, flushed=True, stranger=30),
)
STEADY = 3
"""The plans before the one that disturbs."""


@dataclass(slots=True)
class Window:
    """What one window offered and what came of it; the stranger's calls are not ours."""

    name: str
    offered: int
    used: int = 0
    refused: int = 0
    answers: int = 0
    waits: list[float] = field(default_factory=list)


def budget_used(quick: bool, say: Say) -> Figure:
    """P2: our calls in whole windows ÷ what they announced; a limit that falls below what was spent offers no more."""
    windows = _run(quick, say)[:STEADY]
    offered, used = sum(one.offered for one in windows), sum(one.used for one in windows)
    return Figure(
        value=used / offered,
        baseline=offered,
        n=len(windows),
        limit="the last of the kept fifth is released four seconds before a window ends",
        detail={
            "windows": [{"limit": one.name, "offered": one.offered, "used": one.used} for one in windows],
            "worker_processes": WORKERS,
            "window_seconds": QUICK_WINDOW_SECONDS if quick else WINDOW_SECONDS,
        },
    )


def refusals(quick: bool, say: Say) -> Figure:
    """P3: answers that are 429 ÷ all answers; apart from that with the limiter's store flushed and a stranger on the token."""
    windows = _run(quick, say)
    steady, disturbed = windows[:STEADY], windows[STEADY:]
    answers = sum(one.answers for one in steady)
    return Figure(
        value=_share(steady),
        baseline=answers,
        n=answers,
        also=[Bound("flushed in mid-window, with a stranger", _share(disturbed), "≤", 0.01)],
        limit="a stranger's calls between our last answer and our next request",
        detail={
            "windows": [
                {"limit": one.name, "answers": one.answers, "refused": one.refused} for one in windows
            ],
        },
    )  # fmt: skip


def interactive_wait(quick: bool, say: Say) -> Figure:
    """P10: p95 of the time from wanting an interactive answer to having it, at moments spread evenly over the windows."""
    windows = [one for one in _run(quick, say)[:STEADY] if one.waits]
    waits = [wait for one in windows for wait in one.waits]
    return Figure(
        value=percentile(waits, 0.95),
        baseline=percentile(waits, 0.5),
        n=len(waits),
        limit="the last seconds of a window, in which the kept fifth has been released to background work",
        detail={
            "p50_seconds": round(percentile(waits, 0.5), 3),
            "longest_seconds": round(max(waits), 3),
            "asked": "who_am_i at INTERACTIVE urgency, through the shared limiter; not after the limit fell below what was spent",
        },
    )


def _share(windows: Sequence[Window]) -> float:
    answers = sum(one.answers for one in windows)
    return sum(one.refused for one in windows) / answers if answers else 0.0


_RUNS: dict[bool, list[Window]] = {}


def _run(quick: bool, say: Say) -> list[Window]:
    """The windows of this process' one run."""
    if quick not in _RUNS:
        _RUNS[quick] = _saturated(quick, say)
    return _RUNS[quick]


def _saturated(quick: bool, say: Say) -> list[Window]:
    seconds = QUICK_WINDOW_SECONDS if quick else WINDOW_SECONDS
    scenario = busy_firm(users=25, clients=400, bills_per_matter=2, days_old=0)
    scenario["tokens"] |= {"window_seconds": seconds}
    with (
        servers() as real,
        sandbox_of(scenario, live=True, rate_limit=PLANS[0].limit) as sandbox,
        a_fleet(sandbox, real.folder, real.database_url, real.broker_url, **LIVE) as fleet,
    ):
        say("windows of Clio's: the first, in which the firm's state is read")
        for command in (("serve",), ("worker", "--concurrency", str(WORKERS)), ("beat",)):
            fleet.start(*command)
        fleet.until(fleet.links, seconds=6 * seconds + 60)
        with runtime(fleet) as rt, redis.Redis.from_url(real.broker_url) as store:
            totals = _next_window(sandbox, PLANS[0].limit)
            windows = []
            for place, plan in enumerate(PLANS):
                following = PLANS[place + 1].limit if place + 1 < len(PLANS) else plan.limit
                say(f"window {place + 1} of {len(PLANS)}: {plan.name}")
                window, totals = _watch(
                    plan, following=following, before=totals, sandbox=sandbox, rt=rt, store=store, seconds=seconds
                )
                windows.append(window)
    return windows


def _totals(sandbox: SandboxHandle) -> tuple[int, int]:
    """Answers and refusals so far."""
    counts = sandbox.counts()
    return counts["total_calls"], counts["rate_limited"]


def _next_window(sandbox: SandboxHandle, limit: int) -> tuple[int, int]:
    """Return with the first call of the next window, whose limit is set before it; the totals up to then."""
    while _left(sandbox) > 0:
        time.sleep(SAMPLE_SECONDS)
    totals = _totals(sandbox)
    sandbox.rate_limit(limit)
    while _left(sandbox) <= 0:
        time.sleep(SAMPLE_SECONDS / 2)
    return totals


def _left(sandbox: SandboxHandle) -> float:
    """Seconds until the running window is over, as the sandbox has it."""
    return float(sandbox.state()["window_ends"]) - time.time()


def _watch(
    plan: Plan, *, following: int, before: tuple[int, int], sandbox: SandboxHandle, rt: Runtime, store: redis.Redis,
    seconds: float,
) -> tuple[Window, tuple[int, int]]:  # fmt: skip
    """Stay with a window that has just been opened until the next one's first call; the totals up to that."""
    window = Window(plan.name, plan.limit)
    ends = time.time() + _left(sandbox)
    changed, strangers = False, 0
    with _probing(plan, rt, window, ends, seconds):
        while (left := ends - time.time()) > 0:
            time.sleep(min(SAMPLE_SECONDS, left))
            if not changed and left <= 2 * seconds / 3:
                changed = True
                if plan.flushed:
                    store.delete(*(store.keys("pacer:*") or ["pacer:none"]))
                if plan.then is not None:
                    sandbox.rate_limit(plan.then)
                    window.offered = max(plan.then, _totals(sandbox)[0] - before[0])
            wanted = round(plan.stranger * (1 - left / seconds))
            if wanted > strangers:
                strangers += max(1, sandbox.act("stranger_calls", n=wanted - strangers)["spent"])
        totals = _next_window(sandbox, following)
    window.answers, window.refused = totals[0] - before[0], totals[1] - before[1]
    window.used = window.answers - window.refused
    window.offered -= strangers
    return window, totals


@contextmanager
def _probing(plan: Plan, rt: Runtime, window: Window, ends: float, seconds: float) -> Iterator[None]:
    """Want something interactive at even distances, unless the window is one in which nobody can have anything."""
    if plan.flushed or (plan.then is not None and plan.then < plan.limit):
        yield
        return
    threads = []
    for number in range(PROBES):
        due = ends - seconds + (number + 0.5) * seconds / PROBES
        threads.append(threading.Thread(target=_ask, args=(rt, window, due), daemon=True))
        threads[-1].start()
    yield
    for thread in threads:
        thread.join(timeout=seconds)


def _ask(rt: Runtime, window: Window, due: float) -> None:
    time.sleep(max(0.0, due - time.time()))
    begin = time.monotonic()
    while True:
        try:
            rt.practice(Urgency.INTERACTIVE).connection()
        except Paced as held:
            time.sleep(held.retry_after or 0.1)
        else:
            window.waits.append(time.monotonic() - begin)
            return
