"""`orchestrator audit`: who did what, when and why; whether the record is whole; and what an auditor takes away."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.show import Column, JsonOption, LimitOption, Page, number, say_json, working

app = typer.Typer(help="The audit lines: look, verify, take away.", no_args_is_help=True)

LINES = (
    number("Line", "seq"),
    Column("When", "at", wrap=False),
    Column("Who", "actor"),
    Column("What", "action", wrap=False),
    Column("About", "about", wrap=False),
    Column("Facts", "facts"),
)


@app.command("show")
def show(
    *,
    ctx: typer.Context,
    about: Annotated[str | None, typer.Option(metavar="KIND:ID", help="Only of one thing, e.g. bill:1042.")] = None,
    actor: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this person did.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, or all that begin so: `link.`.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="From this day at the office.")
    ] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """Show audit lines, the newest first.

    JSON: a list of seq, at, actor, action, subject_kind, subject_id, facts, prev, hash.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_audit import show_audit

    kind, _, ident = (about or "").partition(":")
    if about is not None and not (kind and ident):
        raise typer.BadParameter("--about is KIND:ID, for instance bill:1042.")
    day = since.date() if since else None
    with opened(ctx) as rt:
        rows = show_audit(
            rt, subject=(kind, ident) if about else None, actor=actor, action=action, since=day, limit=limit
        )
        if as_json:
            say_json(rows)
        else:
            shown = [row | {"about": f"{row['subject_kind']} {row['subject_id']}"} for row in rows]
            Page(rt.settings.firm.zone).table("Audit lines", LINES, shown)


@app.command("verify")
def verify(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Read every audit line and say whether any was edited, taken out or cut off, and which is the first.

    Exit code 1 when the record was changed, 3 when only a clock was put back.

    JSON: intact, lines, first_bad_seq, fault, words, clock_back_seq, findings, heads, head.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.verify_audit import verify_audit

    with opened(ctx) as rt, working("Audit lines") as told:
        found = verify_audit(rt, told=told)
    if as_json:
        say_json(found)
    elif found["intact"]:
        noted = f", as {found['heads']} heads noted outside the database say too" if found["heads"] else ""
        print(f"All {found['lines']} lines are as they were written{noted}.")
    else:
        print(f"The record was changed. {found['words']}")
    if not as_json and found["clock_back_seq"] is not None:
        print(f"Line {found['clock_back_seq']} is dated before the line above it: a clock was put back.")
    if not found["intact"]:
        raise typer.Exit(1)
    if found["clock_back_seq"] is not None:
        raise typer.Exit(3)


@app.command("export")
def export(
    *,
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make; never overwritten.")],
    matter: Annotated[int | None, typer.Option(metavar="ID", help="An evidence pack of this matter, as a zip.")] = None,
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="An evidence pack of this month, as a zip.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole chain to a file, a JSON object a line, in order and with its hashes; or an evidence pack.

    A pack holds audit lines, movements, draws, ledgers, breaks, messages and bills of a matter or a month as CSV and JSON, with a
    manifest of hashes and the check of the chain. The same facts make the same bytes. Exit code 1 when the record was changed.

    JSON: file, lines. Of a pack: file, format, of, rows, files, audit.
    """
    from orchestrator.cli.firm import Refused, opened
    from orchestrator.usecases.show_audit import export_audit

    if matter is not None and month is not None:
        raise typer.BadParameter("A pack is of one --matter or of one --month.")
    if matter is not None or month is not None:
        _pack(ctx, file, matter=matter, month=month, as_json=as_json)
        return
    try:
        with opened(ctx) as rt, file.open("x", encoding="utf-8") as out, working("Audit lines") as told:
            said: dict[str, Any] = {"file": str(file), "lines": export_audit(rt, out, told=told)}
    except FileExistsError:
        raise Refused(f"{file} is there already: choose another name.") from None
    if as_json:
        say_json(said)
    else:
        print(f"{said['lines']} lines are in {file}.")


def _pack(ctx: typer.Context, file: Path, *, matter: int | None, month: str | None, as_json: bool) -> None:
    from orchestrator.cli.firm import Refused, opened
    from orchestrator.usecases.export_evidence import export_evidence

    # Beside its name until it is whole: half a pack is no evidence.
    part = file.with_name(f".{file.name}.part")
    if file.exists():
        raise Refused(f"{file} is there already: choose another name.")
    try:
        with opened(ctx) as rt, part.open("wb") as out, Page(rt.settings.firm.zone).waiting("Gathering evidence"):
            manifest = export_evidence(rt, out, matter_id=matter, month=month)
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    if as_json:
        say_json({"file": str(file)} | manifest)
    else:
        print(f"{file}: {', '.join(f'{count} {name}' for name, count in manifest['rows'].items() if count)}.")
        print(
            "The audit lines are as they were written." if manifest["audit"]["intact"] else manifest["audit"]["words"]
        )
    if not manifest["audit"]["intact"]:
        raise typer.Exit(1)
