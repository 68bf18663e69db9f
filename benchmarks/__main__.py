"""`python -m benchmarks [--json FILE] [--quick] [P1 P4 …]`: measure, show a table, and write what was measured."""

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.figure import Figure, Metric
from benchmarks.metrics import METRICS
from orchestrator.demo.processes import ended_by_signals

FAILED, WRONG_USAGE = 1, 2


def bench(
    ids: Annotated[list[str] | None, typer.Argument(metavar="P1 P4 …", help="What to measure; everything by default.")] = None,
    file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.", dir_okay=False)
    ] = None,
    quick: Annotated[bool, typer.Option(help="Small numbers: shows that everything runs, not how fast.")] = False,
) -> None:  # fmt: skip
    """Measure what the project promises, each as a ratio to a baseline from the same run.

    Exit code 0 when everything was measured, whether or not its target is met; 1 when something could not be; 2 for an id
    that does not exist.
    """
    chosen = list(dict.fromkeys(name.upper() for name in ids or METRICS))
    unknown = [name for name in chosen if name not in METRICS]
    if unknown:
        print(f"There is no metric {', '.join(unknown)}; choose from {', '.join(METRICS)}.")
        raise typer.Exit(WRONG_USAGE)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.disable(logging.WARNING)
    with ended_by_signals():
        figures = _measure(chosen, quick, file)
    _show(figures)
    if figures.keys() != set(chosen):
        raise typer.Exit(FAILED)


def _measure(chosen: Sequence[str], quick: bool, file: Path | None) -> dict[str, Figure]:
    """Every figure that could be measured, kept in the file as soon as it is there."""
    figures: dict[str, Figure] = {}
    columns = (TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
    begun = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(chosen))
        for name in chosen:

            def say(what: str, name: str = name) -> None:
                progress.update(bar, description=f"{name}: {what}")

            say(METRICS[name].title)
            try:
                figures[name] = METRICS[name].measure(quick, say)
            except Exception as trouble:  # noqa: BLE001  the others are measured all the same
                progress.console.print(f"{name} could not be measured: {type(trouble).__name__}: {trouble}")
            if file is not None:
                told = {done: METRICS[done].told(figure) for done, figure in figures.items()}
                file.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")
            progress.advance(bar)
    print(f"Measured in {time.monotonic() - begun:.0f} s{', with small numbers' if quick else ''}.")
    return figures


def _show(figures: dict[str, Figure]) -> None:
    table = Table("", "", "Value", "Target", "Divided by", "n")
    for name, figure in figures.items():
        metric = METRICS[name]
        table.add_row(*_row(name, metric, figure))
        for bound in figure.also:
            table.add_row("", bound.name, _mark(bound.value, met=bound.met), f"{bound.sign} {bound.target:g}", "", "")
    console = Console()
    console.print(table)
    console.print("What binds:")
    for name, figure in figures.items():
        console.print(f"  {name}: {figure.limit}.")


def _row(name: str, metric: Metric, figure: Figure) -> tuple[Any, ...]:
    alone = metric.met(Figure(figure.value, figure.baseline, figure.n, figure.limit))
    return (
        name, f"{metric.title}\n{metric.unit}", _mark(figure.value, met=alone), f"{metric.sign} {metric.target:g}",
        f"{figure.baseline:.4g} {metric.baseline}", str(figure.n),
    )  # fmt: skip


def _mark(value: float, *, met: bool) -> str:
    return f"[{'green' if met else 'red'}]{value:.3f}[/]"


if __name__ == "__main__":
    typer.run(bench)
