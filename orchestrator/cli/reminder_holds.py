"""`orchestrator reminders hold|release|holds|pause-client|promise`: what people say that silences reminders."""

from datetime import date, datetime
from typing import Annotated, Any

import typer

from orchestrator.cli.show import (
    BillArgument,
    ByOption,
    Column,
    DryRunOption,
    JsonOption,
    LimitOption,
    Page,
    number,
    priced,
    say_json,
    say_rows,
    who,
)
from orchestrator.domain.silence import HoldKind, Subject

HOLDS = (
    number("Hold", "hold"),
    Column("On", "subject", wrap=False),
    number("Id", "id"),
    Column("Kind", "kind", wrap=False),
    Column("Until", "until", wrap=False),
    Column("Over", "over"),
    Column("Why", "why"),
    Column("By", "by"),
    Column("Since", "since", wrap=False),
)
app = typer.Typer()
"""Merged into the noun `reminders`."""

STEPS = (
    Column("Step", "step", wrap=False),
    Column("Falls due", "falls_due_on", wrap=False),
    Column("What happened", "happened"),
    Column("Because", "because"),
)
REASONS = (
    Column("Silent now because", "meaning"),
    Column("Until", "until", wrap=False),
    Column("What would change it", "changes"),
)
ClientArgument = Annotated[int, typer.Argument(metavar="CLIENT", help="The client's id: Clio's id of the contact.")]
BecauseOption = Annotated[str, typer.Option("--because", metavar="TEXT", help="The reason; kept with the hold.")]
UntilOption = Annotated[
    datetime | None,
    typer.Option("--until", formats=["%Y-%m-%d"], metavar="DAY", help="The last day of silence; until released if not given."),
]  # fmt: skip


@app.command("why")
def why(ctx: typer.Context, bill: BillArgument, as_json: JsonOption = False) -> None:
    """Say why a bill was or was not followed up: every step, every reason, and what would change it.

    It is told from what was last read of Clio. JSON: bill_id, bill_number, client_name, state, open_cents, currency, due_on,
    sequence, read_at, steps (a list of step, action, falls_due_on, state, happened, since, reasons), due_now, silent_because
    and in each step reasons (lists of reason, meaning, until, changes), holds.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.explain_silence import explain_silence
    from orchestrator.usecases.find_bill import find_bill

    with opened(ctx) as rt:
        found = explain_silence(rt, find_bill(rt, bill))
        if as_json:
            say_json(found)
            return
        page = Page(rt.settings.firm.zone)
        page.facts(
            f"Bill {found['bill_number']} ({found['bill_id']})",
            {
                "Client": found["client_name"],
                "State": found["state"],
                "Open": priced(found["open_cents"], found["currency"]),
                "Due": found["due_on"],
                "Sequence": found["sequence"],
                "Due now": found["due_now"] or "no step",
                "Read at Clio": found["read_at"],
            },
        )
        steps = [{**one, "because": "; ".join(said["meaning"] for said in one["reasons"])} for one in found["steps"]]
        page.table("\nSteps", STEPS, steps)
        page.table("\nSilence", REASONS, found["silent_because"], none="nothing keeps it silent.")
        if found["holds"]:
            page.table("\nHolds", HOLDS, found["holds"])


@app.command("hold")
def hold(
    *,
    ctx: typer.Context,
    because: BecauseOption,
    bill: Annotated[
        str | None, typer.Argument(metavar="BILL", help="The bill's number, as the client reads it, or Clio's id of it.")
    ] = None,
    matter: Annotated[int | None, typer.Option(metavar="ID", help="Every bill of this matter instead.")] = None,
    client: Annotated[int | None, typer.Option(metavar="ID", help="Every bill of this client instead.")] = None,
    kind: Annotated[HoldKind, typer.Option(metavar="KIND", help=f"One of {', '.join(HoldKind)}.")] = HoldKind.HOLD,
    until: UntilOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Send nothing about a bill, or about every bill of a matter or a client, later ones too.

    JSON: hold, subject, id, kind, until, why, by, since, meaning, bills (the unpaid ones it silences now), dry_run.
    """
    named = {Subject.BILL: bill, Subject.MATTER: matter, Subject.CLIENT: client}
    given = [(subject, ident) for subject, ident in named.items() if ident is not None]
    if len(given) != 1:
        raise typer.BadParameter("name one of BILL, --matter and --client.")
    [(subject, ident)] = given
    _hold(ctx, subject, ident, kind, because=because, until=_day(until), by=by, dry_run=dry_run, as_json=as_json)


@app.command("pause-client")
def pause_client(
    *,
    ctx: typer.Context, client: ClientArgument, because: BecauseOption, until: UntilOption = None, by: ByOption = None,
    dry_run: DryRunOption = False, as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Send a client no reminder of any bill. JSON: as of `reminders hold`."""
    _hold(
        ctx, Subject.CLIENT, client, HoldKind.PAUSE, because=because, until=_day(until), by=by, dry_run=dry_run,
        as_json=as_json,
    )  # fmt: skip


@app.command("promise")
def promise(
    *,
    ctx: typer.Context,
    bill: BillArgument,
    until: Annotated[
        datetime, typer.Option("--until", formats=["%Y-%m-%d"], metavar="DAY", help="The day by which it will be paid.")
    ],
    because: BecauseOption = "the client promised to pay",
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Note that the client promised to pay by a day: reminders rest to its end. JSON: as of `reminders hold`."""
    _hold(
        ctx, Subject.BILL, bill, HoldKind.PROMISE, because=because, until=_day(until), by=by, dry_run=dry_run,
        as_json=as_json,
    )  # fmt: skip


@app.command("release")
def release(
    *,
    ctx: typer.Context,
    hold_id: Annotated[int, typer.Argument(metavar="HOLD", help="The hold's id, as `reminders holds` shows it.")],
    because: BecauseOption,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a hold, a pause or a promise; the bills are judged again on the next business day. JSON: as of `reminders hold`."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.hold_reminders import release as end

    with opened(ctx) as rt:
        done = end(rt, hold_id, why=because, by=who(by), dry_run=dry_run)
        _say(rt.settings.firm.zone, done, "Would release" if dry_run else "Released", as_json=as_json)


@app.command("holds")
def holds(ctx: typer.Context, limit: LimitOption = 100, as_json: JsonOption = False) -> None:
    """List what silences reminders by a person's word.

    JSON: a list of hold, subject, id, kind, until, over, why, by, since, meaning.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.hold_reminders import show_holds

    with opened(ctx) as rt:
        say_rows(rt, "Holds", HOLDS, show_holds(rt, limit=limit), as_json=as_json)


def _hold(
    ctx: typer.Context, subject: Subject, named: int | str, kind: HoldKind, *, because: str, until: date | None,
    by: str | None, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.find_bill import find_bill
    from orchestrator.usecases.hold_reminders import hold as begin

    with opened(ctx) as rt:
        ident = find_bill(rt, str(named)) if subject is Subject.BILL else int(named)
        done = begin(rt, subject, ident, kind, until=until, why=because, by=who(by), dry_run=dry_run)
        _say(rt.settings.firm.zone, done, "Would hold" if dry_run else "Held", as_json=as_json)


def _say(zone: Any, done: dict[str, Any], verb: str, *, as_json: bool) -> None:
    if as_json:
        say_json(done)
        return
    until = f" until {done['until']}" if done["until"] is not None else ""
    bills = ", ".join(str(bill) for bill in done["bills"]) or "none yet"
    Page(zone).line(f"{verb} {done['subject']} {done['id']}{until} (hold {done['hold']}): {done['meaning']}.")
    Page(zone).line(f"Unpaid bills that it concerns: {bills}.")


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None
