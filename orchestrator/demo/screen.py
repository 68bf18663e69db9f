"""Progress for whoever watches: a bar on a terminal, a quiet line a week anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

QUIET_DAYS = 7


class Screen(Protocol):
    def say(self, words: str) -> None:
        """What is being prepared, or what just happened."""
        ...

    def day(self, number: int, counters: str) -> None:
        """So many days are over."""
        ...


class Lines:
    """For logs and pipes."""

    def __init__(self, console: Console, days: int) -> None:
        self._console, self._days, self._told = console, days, 0

    def say(self, words: str) -> None:
        """Nothing: a log needs no commentary."""

    def day(self, number: int, counters: str) -> None:
        if number >= self._told + QUIET_DAYS or number == self._days > self._told:
            self._told = number
            self._console.print(f"day {number} of {self._days}: {counters}", markup=False, highlight=False)


class Bar:
    """For a person at a terminal."""

    def __init__(self, progress: Progress, days: int) -> None:
        self._progress = progress
        self._task = progress.add_task("preparing", total=days, counters="")

    def say(self, words: str) -> None:
        self._progress.update(self._task, description=words)

    def day(self, number: int, counters: str) -> None:
        self._progress.update(self._task, completed=number, counters=f"day {number} · {counters}")


@contextmanager
def screen(console: Console, days: int) -> Iterator[Screen]:
    """The bar when `console` is a terminal, lines otherwise."""
    if not console.is_terminal:
        yield Lines(console, days)
        return
    columns = (
        BarColumn(12),
        TextColumn("{task.fields[counters]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.description}", style="dim", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, days)
