"""How answers look: JSON for programs, tables for people. Nothing is decided here."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from zoneinfo import ZoneInfo

import typer

from orchestrator.domain.money import figures

if TYPE_CHECKING:
    from orchestrator.engine.runtime import Runtime

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON: ISO times, integer cents, nothing else on stdout.")
]
LimitOption = Annotated[int, typer.Option(metavar="N", min=1, help="Show at most so many.")]
ByOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who asks; kept in the audit. Your login by default.")
]
BillArgument = Annotated[
    str, typer.Argument(metavar="BILL", help="The bill's number, as the client reads it, or Clio's id of it.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Words = Callable[[Any], str]

PIPED_WIDTH = 160
A_WORD = 12
GAP = 2
NOTHING = "–"


def who(by: str | None) -> str:
    """Whoever asks: the name given, or the login this command runs under."""
    from getpass import getuser

    return by or getuser()


def say_json(answer: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(answer, indent=2, default=plain))


def plain(value: Any) -> Any:
    """What JSON has no form for: UTC moments, ISO days and times, sets as sorted lists."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def money(cents: int | None) -> str:
    return NOTHING if cents is None else figures(cents)


def priced(cents: int, currency: str | None) -> str:
    return f"{money(cents)} {currency or ''}".rstrip()


def because(code: str | None) -> str:
    """A stored reason in words."""
    from orchestrator.domain.reasons import meaning

    return meaning(code) or NOTHING


def age(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return NOTHING
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: where its value is, and how to say it when its type does not tell."""

    title: str
    key: str
    words: Words | None = None
    right: bool = False
    wrap: bool = True


def amount(title: str, key: str) -> Column:
    return Column(title, key, money, right=True, wrap=False)


def number(title: str, key: str) -> Column:
    return Column(title, key, right=True, wrap=False)


class Page:
    """Tables and facts for a person, times at the firm's office."""

    def __init__(self, zone: ZoneInfo) -> None:
        from rich.console import Console

        self._zone = zone
        # Piped output is for another program's eyes: rich would squeeze it into 80 columns, unless somebody wants that.
        told = sys.stdout.isatty() or "COLUMNS" in os.environ
        self._console = Console(highlight=False, width=None if told else PIPED_WIDTH)

    def line(self, text: str = "", style: str = "") -> None:
        self._console.print(text, style=style, markup=False)

    def waiting(self, text: str) -> AbstractContextManager[Any]:
        """A spinner on stderr while the block runs."""
        from rich.console import Console

        return Console(stderr=True).status(text)

    def table(
        self, title: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], *, none: str = "None."
    ) -> None:
        """A titled table, or `none` when there are no rows; where it would not fit, its rows one below the other."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        said = [[self.words(row[column.key], column.words) for column in columns] for row in rows]
        if not said:
            self._console.print(f"{title}: {none}", markup=False)
            return
        if _width(columns, said) > self._console.width:
            self._stacked(title, columns, said)
            return
        drawn = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            drawn.add_column(
                column.title, justify="right" if column.right else "left", no_wrap=not column.wrap, overflow="fold"
            )
        for row in said:
            drawn.add_row(*map(Text, row))
        self._console.print(drawn)

    def _stacked(self, title: str, columns: Sequence[Column], said: Sequence[Sequence[str]]) -> None:
        """What does not fit side by side, a value a line; what is nothing is left out."""
        self.line(title, "bold")
        for row in said:
            names = {
                column.title: words for column, words in zip(columns, row, strict=True) if words not in ("", NOTHING)
            }
            self.line()
            self.facts("", names)

    def facts(self, title: str, said: Mapping[str, Any]) -> None:
        """A titled list of name and value; what is None is left out."""
        from rich.table import Table
        from rich.text import Text

        grid = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in said.items():
            if value is not None:
                grid.add_row(Text(name), Text(self.words(value)))
        self._console.print(grid)

    def words(self, value: Any, words: Words | None = None) -> str:
        """A value as a person reads it; its type decides unless `words` does."""
        if words is not None:
            return words(value)
        for kind, say in self._ways:
            if isinstance(value, kind):
                return say(value) or NOTHING
        return str(value)

    @property
    def _ways(self) -> tuple[tuple[type | tuple[type, ...], Words], ...]:
        return (
            (type(None), lambda _: NOTHING),
            (bool, lambda yes: "yes" if yes else "no"),
            (datetime, lambda moment: moment.astimezone(self._zone).strftime("%Y-%m-%d %H:%M")),
            (dict, lambda parts: ", ".join(f"{name} {self.words(part)}" for name, part in parts.items())),
            ((list, tuple, set, frozenset), lambda parts: ", ".join(self.words(part) for part in parts)),
        )


def say_rows(
    rt: "Runtime", title: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, as_json: bool,
    none: str = "None.",
) -> None:  # fmt: skip
    """A list: as it is for a program, as a table for a person."""
    if as_json:
        say_json(rows)
    else:
        Page(rt.settings.firm.zone).table(title, columns, rows, none=none)


def say_found(rt: "Runtime", found: Mapping[str, Any], draw: Callable[["Page", Any], None], *, as_json: bool) -> None:
    """One thing: as it is for a program, drawn for a person."""
    if as_json:
        say_json(found)
    else:
        draw(Page(rt.settings.firm.zone), found)


def _width(columns: Sequence[Column], said: Sequence[Sequence[str]]) -> int:
    """What a table needs to be read: what must not break in full, of other columns enough for a word."""
    widest = [max(map(len, (column.title, *(row[at] for row in said)))) for at, column in enumerate(columns)]
    needed = (most if not column.wrap else min(most, A_WORD) for column, most in zip(columns, widest, strict=True))
    return sum(needed) + GAP * len(columns)


class Told(Protocol):
    """Hears how many are done, and of how many where that is known."""

    def __call__(self, done: int, total: int | None = None, /) -> None: ...


@contextmanager
def working(title: str) -> Iterator[Told]:
    """A bar on stderr that has gone when the block ends; what it is told, it shows."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    # Where nobody looks, rich would still leave an empty line behind.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(title, total=None)
        yield lambda done, total=None: progress.update(bar, completed=done, total=total)
