"""`orchestrator doctor`: look at everything the work depends on, and say what to do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.show import Column, JsonOption, Page, say_json

if TYPE_CHECKING:
    from orchestrator.settings import Settings

FINDINGS = (
    Column("Check", "check", wrap=False),
    Column("State", "level", wrap=False),
    Column("Finding", "said"),
    Column("What to do", "do"),
)
WARNINGS_ONLY = 3


def doctor(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Look at every connection, permission and figure the work depends on; nothing is sent or changed.

    Exit codes: 0 all well, 1 a problem, 3 warnings only.

    JSON: firm, ok, findings (a list of check, level, said, do; level is ok, warning, problem or skipped).
    """
    from zoneinfo import ZoneInfo

    from orchestrator.cli.firm import settings_of
    from orchestrator.errors import OrchestratorError

    try:
        settings = settings_of(ctx)
    except OrchestratorError as wrong:
        do = "Correct it; `orchestrator config check` looks again."
        rows = [{"check": "settings", "level": "problem", "said": str(wrong), "do": do}]
        _say(Page(ZoneInfo("UTC")), ctx.obj, rows, as_json=as_json)
        return
    page = Page(settings.firm.zone)
    with page.waiting("Looking …") as status:
        rows = []
        for row in _examined(ctx, settings):
            rows.append(row)
            if status is not None:
                status.update(f"Looked at {row['check']} …")
    _say(page, ctx.obj, rows, as_json=as_json)


def _examined(ctx: typer.Context, settings: "Settings") -> Iterator[dict[str, str]]:
    from orchestrator.bootstrap import build
    from orchestrator.cli.firm import require_database
    from orchestrator.errors import OrchestratorError
    from orchestrator.probes import probes_of
    from orchestrator.usecases.doctor.examine import examine
    from orchestrator.usecases.doctor.findings import Patient

    try:
        require_database(settings.database_url)
        rt = build(settings, ctx.obj)
    except OrchestratorError as wrong:
        yield {
            "check": "settings",
            "level": "problem",
            "said": str(wrong),
            "do": "Do what the finding says; nothing else can be looked at before.",
        }
        return
    try:
        for check, found in examine(Patient(settings, rt, probes_of(rt))):
            yield {"check": check.name, "level": found.level.value, "said": found.said, "do": found.do}
    finally:
        rt.close()


def _say(page: Page, firm: str, rows: list[dict[str, str]], *, as_json: bool) -> None:
    levels = {row["level"] for row in rows}
    if as_json:
        say_json({"firm": firm, "ok": levels == {"ok"}, "findings": rows})
    else:
        page.table("Findings", FINDINGS, rows)
        problems = (row for row in rows if row["level"] == "problem")
        # A firm that is not connected yet has nothing for the processes to do.
        first = min(problems, key=lambda row: row["check"] != "connection", default=None)
        if first is not None:
            page.line(f"First, {first['check']}: {first['do']}", "bold")
        elif "warning" not in levels:
            page.line("All is well.", "bold")
    if "problem" in levels:
        raise typer.Exit(1)
    if "warning" in levels:
        raise typer.Exit(WARNINGS_ONLY)
