"""`orchestrator time`: unbilled time and its approval."""

from typing import Annotated

import typer

from orchestrator.cli.show import Column, JsonOption, LimitOption, amount, number, say_json, say_rows

app = typer.Typer(help="Unbilled time, and its approval by an operator.", no_args_is_help=True)

ENTRIES = (
    number("Entry", "id"),
    Column("Matter", "matter_number"),
    Column("Date", "worked_on", wrap=False),
    Column("Type", "type"),
    amount("Amount", "total_cents"),
    Column("State", "state", wrap=False),
    Column("By", "approved_by"),
    Column("Approved", "approved_at", wrap=False),
    Column("Changed", "changed_at", wrap=False),
)

MatterOption = Annotated[int | None, typer.Option(metavar="ID", help="The entries of this matter.")]


@app.command("list")
def list_time(
    *,
    ctx: typer.Context,
    matter: MatterOption = None,
    unapproved: Annotated[bool, typer.Option("--unapproved", help="Only entries nobody has approved.")] = False,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List unbilled entries, each approved or waiting for what.

    JSON: a list of id, matter_id, type, worked_on, total_cents, changed_at, approved_by, approved_at, signal, state,
    matter_number.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_time import show_time

    with opened(ctx) as rt:
        rows = show_time(rt, matter_id=matter, unapproved=unapproved, limit=limit)
        say_rows(rt, "Unbilled time", ENTRIES, rows, as_json=as_json)


@app.command("approve")
def approve(
    *,
    ctx: typer.Context,
    entries: Annotated[list[int] | None, typer.Argument(metavar="ENTRY", help="Entries, by id.")] = None,
    matter: MatterOption = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who approves; kept in the audit.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be approved; approve nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Approve entries, by id or all of a matter.

    Says which were not approved, and why; exit code 1 when none was.

    JSON: dry_run, approved (ids), refused (a list of id, why).
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.approve_by_hand import approve_by_hand

    if bool(entries) == (matter is not None):
        raise typer.BadParameter("Name entries, or one --matter.")
    with opened(ctx) as rt:
        found = approve_by_hand(rt, entry_ids=entries or [], matter_id=matter, by=by, dry_run=dry_run)
    if as_json:
        say_json(found)
    else:
        verb = "Would approve" if dry_run else "Approved"
        print(f"{verb}: {', '.join(map(str, found['approved'])) or 'nothing'}.")
        for refused in found["refused"]:
            print(f"Not {refused['id']}: {refused['why']}.")
    if not found["approved"]:
        raise typer.Exit(1)
