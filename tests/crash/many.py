"""Thousands of schedules on two processes: `python -m tests.crash --seeds 2000 [--first 0] [--database postgresql] [--json FILE]`."""

import argparse
import json
import logging
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from orchestrator.engine.points import Point
from orchestrator.sandbox import running_sandbox
from tests.crash.schedules import Outcome, play
from tests.crash.stage import Database, Stage
from tests.firm import START
from tests.servers import postgres

TOGETHER = 5
"""Schedules handed to a process at once."""


@contextmanager
def a_stage(server: str | None) -> Iterator[Stage]:
    """A sandbox and a database of this process's own; SQLite lies in memory where the machine has room for it."""
    memory = Path("/dev/shm")
    with (
        running_sandbox("tiny", now=START, frozen=True, rate_limit=100_000) as sandbox,
        TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None, ignore_cleanup_errors=True) as folder,
    ):
        database = Database(Path(folder), server)
        try:
            yield Stage(sandbox, database)
        finally:
            database.close()


_standing = ExitStack()
_stage: list[Stage] = []


def _set_up(server: str | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who hands out the schedules
    # Quiet on the terminal, but every line is still made, and searched for names and tokens.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    # A worker that dies in mid-request is no news from the sandbox's server.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    with structlog.testing.capture_logs():
        _stage.append(_standing.enter_context(a_stage(server)))


def _played(seeds: Sequence[int]) -> list[Outcome]:
    return [play(_stage[0], seed) for seed in seeds]


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All outcomes as one, in the words of the promise."""

    def added(name: str) -> Counter[str]:
        return sum((getattr(outcome, name) for outcome in outcomes), Counter())

    intents, effects, killed = added("intents"), added("effects"), added("killed")
    points = {str(point) for point in Point}
    return {
        "schedules": len(outcomes),
        "failed": [outcome.seed for outcome in outcomes if outcome.breaches],
        "intents": sum(intents.values()),
        "effects": sum(effects.values()),
        "effects_per_intent": round(sum(effects.values()) / max(1, sum(intents.values())), 6),
        "effects_by_kind": {topic: [effects[topic], intents[topic]] for topic in sorted(intents)},
        "lost": sum(outcome.lost for outcome in outcomes),
        "duplicates": sum(outcome.duplicates for outcome in outcomes),
        "points_existing": len(points),
        "points_killed": len(points & killed.keys()),
        "points_killed_per_existing": round(len(points & killed.keys()) / len(points), 6),
        "points_never_killed": sorted(points - killed.keys()),
        "deaths": dict(sorted(killed.items())),
        "freezes": dict(sorted(added("frozen").items())),
        "disconnects": dict(sorted(added("disconnected").items())),
        "weather": dict(sorted(added("weather").items())),
        "restarts": sum(outcome.restarts for outcome in outcomes),
        "calls": sum(outcome.calls for outcome in outcomes),
        "cpu_seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
    }


def kept(found: dict[str, Any]) -> bool:
    """Whether the promise held: every effect once, nothing lost, nothing twice, every point killed."""
    return not found["failed"] and found["effects_per_intent"] == 1.0 and found["points_killed_per_existing"] == 1.0


def main() -> int:
    """The command; 0 when the promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many schedules")
    parser.add_argument("--first", type=int, default=0, help="the first one's number")
    parser.add_argument("--seed", type=int, help="play this one alone, and tell what it does")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures and every failure there")
    given = parser.parse_args()
    for told_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told_to_stop, signal.default_int_handler)
    console, began = Console(), time.monotonic()
    seeds = [given.seed] if given.seed is not None else list(range(given.first, given.first + given.seeds))
    with ExitStack() as stack:
        server = stack.enter_context(postgres()) if given.database == "postgresql" else None
        outcomes: list[Outcome] = []
        try:
            for outcome in _all(seeds, min(given.processes, len(seeds)), server, console):
                outcomes.append(outcome)  # noqa: PERF402  what was played before Ctrl-C counts
        except KeyboardInterrupt:
            console.print(f"Stopped after {len(outcomes):,} of {len(seeds):,}.")
    found = totals(outcomes)
    found["wall_seconds"] = round(time.monotonic() - began, 1)
    _show(found, outcomes, console, given.database)
    if given.json is not None:
        failures = [outcome.told() for outcome in outcomes if outcome.breaches]
        given.json.write_text(json.dumps({**found, "database": given.database, "failures": failures}, indent=1) + "\n")
    alone = given.seed is not None
    return 0 if (not found["failed"] if alone else kept(found)) else 1


def _all(seeds: Sequence[int], processes: int, server: str | None, console: Console) -> Iterator[Outcome]:
    # Not forked: a sandbox's threads and PostgreSQL's connections do not survive that.
    fresh = multiprocessing.get_context("spawn")
    parts = [seeds[start : start + TOGETHER] for start in range(0, len(seeds), TOGETHER)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        ProcessPoolExecutor(processes, mp_context=fresh, initializer=partial(_set_up, server)) as pool,
        Progress(*columns, console=console) as bar,
    ):
        task = bar.add_task("schedules", total=len(seeds))
        try:
            for outcomes in pool.map(_played, parts):
                for outcome in outcomes:
                    if outcome.breaches:
                        bar.console.print(_failure(outcome, server), markup=False, highlight=False, soft_wrap=True)
                    yield outcome
                bar.advance(task, len(outcomes))
        finally:
            pool.shutdown(cancel_futures=True)


def _failure(outcome: Outcome, server: str | None) -> str:
    again = f".venv/bin/python -m tests.crash --seed {outcome.seed}" + (" --database postgresql" if server else "")
    return "\n".join(
        [
            f"seed {outcome.seed} failed: {outcome.schedule}",
            *(f"  {one}" for one in outcome.breaches),
            f"  again: {again}",
        ]
    )


def _show(found: dict[str, Any], outcomes: Sequence[Outcome], console: Console, database: str) -> None:
    if len(outcomes) == 1:
        console.print(f"seed {outcomes[0].seed}: {outcomes[0].schedule}", markup=False, soft_wrap=True)
    table = Table(title=f"{found['schedules']:,} crash schedules on {database}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for words, figure in (
        ("effects ÷ intents", f"{found['effects']:,} ÷ {found['intents']:,} = {found['effects_per_intent']:.3f}"),
        ("lost", found["lost"]),
        ("duplicates", found["duplicates"]),
        (
            "points killed ÷ existing",
            f"{found['points_killed']} ÷ {found['points_existing']} = {found['points_killed_per_existing']:.2f}",
        ),
        (
            "deaths, freezes, disconnects",
            " ".join(f"{sum(found[name].values()):,}" for name in ("deaths", "freezes", "disconnects")),
        ),
        ("outcomes scripted outside that struck", f"{sum(found['weather'].values()):,}"),
        ("restarts", f"{found['restarts']:,}"),
        ("calls to Clio", f"{found['calls']:,}"),
        ("wall seconds", f"{found['wall_seconds']:,.0f}"),
        ("CPU seconds a schedule", f"{found['cpu_seconds'] / max(1, found['schedules']):.2f}"),
        ("schedules that failed", len(found["failed"])),
    ):
        table.add_row(words, str(figure))
    console.print(table)
    if found["failed"]:
        console.print(f"Failed: {', '.join(map(str, found['failed']))}", soft_wrap=True)
