"""`python -m tests.crash.besiege --minutes 10 [--seed N] [--json FILE]`: one siege, its figures, and 0 when the promise held."""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.crash.schedules import EVERY_ROW
from tests.crash.siege import Siege, besieged, found, lay_siege

LONGEST = 400
"""Characters of a breach on the screen; the file has all of it."""


def main() -> int:
    """The command; 0 when every effect is there once and nothing is lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.besiege", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=10, help="how long there is trouble; rest and judgement follow"
    )
    parser.add_argument("--seed", type=int, default=None, help="what is done, and in which order; drawn when left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randint(1, 999_999)
    console = Console()
    again = f".venv/bin/python -m tests.crash.besiege --minutes {given.minutes:g} --seed {seed}"
    console.print(f"Siege {seed}; again: {again}", soft_wrap=True, highlight=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop_once)
    folder = Path(tempfile.mkdtemp(prefix="siege-"))
    try:
        figures = {"seed": seed, "minutes": given.minutes, **_played(folder, seed, given.minutes * 60, console)}
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        console.print("Stopped: every process is gone, and nothing was judged.")
        return 1
    _show(figures, console)
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    if figures["breaches"]:
        console.print(f"Logs, jobs and effects: {folder}\nAgain: {again}", soft_wrap=True, highlight=False)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _stop_once(_number: int, _frame: FrameType | None) -> None:
    """Ctrl-C or SIGTERM; a second one must not end the clearing up of the first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _played(folder: Path, seed: int, seconds: float, console: Console) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with besieged(folder, seed) as siege, Progress(*columns, console=console) as bar:
        task = bar.add_task("siege", total=seconds)
        outcome = lay_siege(siege, seconds, lambda passed: bar.update(task, completed=passed))
        if outcome.breaches:
            _keep(siege, folder)
        return found(siege, outcome)


def _keep(siege: Siege, folder: Path) -> None:
    """What happened outside and what our database says of it, beside the logs."""
    with siege.desk.read() as work:
        rows = [dict(row) for row in work.jobs.listed(limit=EVERY_ROW)]
    for name, facts in (("effects", siege.sandbox.effects()), ("jobs", rows)):
        (folder / f"{name}.json").write_text(json.dumps(facts, indent=1, default=str), "utf-8")


def _show(figures: dict[str, Any], console: Console) -> None:
    table = Table(title=f"Siege {figures['seed']}, {figures['minutes']:g} minutes", show_header=False)
    rows = {
        "effects ÷ intents": f"{figures['effects']} ÷ {figures['intents']} = {figures['effects_per_intent']:.3f}",
        "lost": figures["lost"],
        "duplicates": figures["duplicates"],
        **{
            kind.replace("_", " "): ", ".join(f"{name} {count}" for name, count in counted.items())
            for kind, counted in figures.items()
            if isinstance(counted, dict) and kind not in {"effects_by_kind", "weather"}
        },
        "outcomes scripted outside that struck": sum(figures.get("weather", {}).values()),
        "seconds until all was at rest": figures["drain_seconds"],
        "calls to Clio": figures["calls"],
    }
    for words, figure in rows.items():
        table.add_row(words, str(figure))
    console.print(table)
    for breach in figures["breaches"]:
        console.print(breach[:LONGEST], style="red", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
