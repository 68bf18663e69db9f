"""A run on paper: HTML that stands alone, CSV for a spreadsheet, JSON for a program. What they say is decided elsewhere."""

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from orchestrator.domain.cells import neutral
from orchestrator.domain.money import figures

HERE = Path(__file__).parent

Report = Mapping[str, Any]
"""As `usecases.report_run` gathers it; `cards` and `bank` may be read once, and are read in this order."""


def write_html(report: Report, file: Path) -> None:
    """One page without anything from elsewhere, written as it comes: a year of cards does not stand in memory."""
    zone = ZoneInfo(report["account"]["time_zone"])
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(
            _template().generate(report, moment=lambda at: at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z"))
        )


def write_csv(report: Report, folder: Path) -> list[Path]:
    """A file for each part: `statement`, `breaks`, `outstanding`, `ledgers`, `lines`, `bank`; moments in the account's zone."""
    folder.mkdir(parents=True, exist_ok=True)
    zone = ZoneInfo(report["account"]["time_zone"])
    written = [
        _table(folder / "statement.csv", ("figure", "value"), report["statement"].items(), zone),
        _table(folder / "breaks.csv", BREAK, ([one[name] for name in BREAK] for one in report["breaks"]), zone),
        _table(folder / "outstanding.csv", LINE, ([one[name] for name in LINE] for one in report["outstanding"]), zone),
    ]
    paths = (folder / "ledgers.csv", folder / "lines.csv")
    with _open(paths[0]) as ledgers, _open(paths[1]) as lines:
        cards, postings = csv.writer(ledgers), csv.writer(lines)
        cards.writerow(CARD)
        postings.writerow((*CARD[:5], *POSTING))
        for card in report["cards"]:
            cards.writerow([_cell(card[name], zone) for name in CARD])
            whose = [_cell(card[name], zone) for name in CARD[:5]]
            postings.writerows([*whose, *(_cell(line[name], zone) for name in POSTING)] for line in card["lines"])
    bank = _table(folder / "bank.csv", BANK, ([line[name] for name in BANK] for line in report["bank"]), zone)
    return [*written, *paths, bank]


def write_json(report: Report, file: Path) -> None:
    """Everything of the report in one document (docs/reconcile-json.md)."""
    whole = dict(report) | {"cards": list(report["cards"]), "bank": list(report["bank"])}
    file.write_text(json.dumps(whole, indent=2, default=_plain, ensure_ascii=False) + "\n", "utf-8")


BREAK = (
    "kind",
    "severity",
    "money_cents",
    "cause",
    "fix",
    "reference",
    "matter_id",
    "since",
    "age_days",
    "owner",
    "why",
    "cure_by",
    "consequences",
)
LINE = (
    "id",
    "source",
    "external_id",
    "on",
    "amount_cents",
    "currency",
    "kind",
    "reference",
    "matter_id",
    "client_id",
    "age_days",
)
CARD = ("client_id", "client", "matter_id", "matter", "ledger", "opening_cents", "closing_cents")
POSTING = ("id", "external_id", "on", "kind", "reference", "bill_id", "amount_cents", "balance_cents")
BANK = ("id", "on", "amount_cents", "reference", "kind", "rule", "of")


def _table(path: Path, titles: Iterable[str], rows: Iterable[Iterable[Any]], zone: ZoneInfo) -> Path:
    with _open(path) as out:
        writer = csv.writer(out)
        writer.writerow(titles)
        writer.writerows([_cell(value, zone) for value in row] for row in rows)
    return path


def _open(path: Path) -> Any:
    return path.open("w", encoding="utf-8-sig", newline="")


def _cell(value: Any, zone: ZoneInfo) -> str:
    """A spreadsheet reads what begins like a formula as one: such text is neutralised, our own figures are not (F79)."""
    match value:
        case None:
            said = ""
        case bool():
            said = "yes" if value else "no"
        case int():
            return str(value)
        case datetime():
            said = value.astimezone(zone).isoformat(timespec="seconds")
        case date():
            said = value.isoformat()
        case list() | dict():
            said = json.dumps(value, sort_keys=True, default=_plain)
        case _:
            said = str(value)
    return neutral(said)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat()


@cache
def _template() -> Template:
    words = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    words.filters |= {"money": _money, "words": lambda code: code.replace("_", " ")}
    return words.get_template("run.html")


def _money(cents: int | None) -> str:
    return "–" if cents is None else figures(cents)
