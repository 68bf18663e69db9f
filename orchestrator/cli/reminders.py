"""`orchestrator reminders`: what follows unpaid bills, what will go out, and why not."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import bounces, reminder_holds
from orchestrator.cli.render_letters import render
from orchestrator.cli.show import (
    BillArgument,
    ByOption,
    Column,
    DryRunOption,
    JsonOption,
    LimitOption,
    Page,
    amount,
    number,
    priced,
    say_json,
    who,
    working,
)

if TYPE_CHECKING:
    from orchestrator.engine.runtime import Runtime

app = typer.Typer(help="Reminders of unpaid bills: what was sent, what will be, and why not.", no_args_is_help=True)

ROWS = (
    number("Bill", "bill_id"),
    Column("Number", "number", wrap=False),
    Column("Client", "client_name"),
    Column("Step", "step", wrap=False),
    Column("State", "state"),
    Column("Because", "why"),
    Column("Due", "due_on", wrap=False),
    Column("Silent since", "silent_since", wrap=False),
    Column("Sent", "sent_at", wrap=False),
    amount("Balance", "balance_cents"),
)
STEPS = (
    Column("Step", "step", wrap=False),
    Column("What", "action"),
    Column("Falls due", "falls_due_on", wrap=False),
    Column("State", "state"),
    Column("Because", "why"),
    Column("Silent since", "silent_since", wrap=False),
    Column("Sent", "sent_at", wrap=False),
    Column("Message-ID", "message_id"),
)
GOING = (
    Column("To", "to"),
    Column("Client", "client_name"),
    number("Bill", "bill_id"),
    Column("Number", "bill_number", wrap=False),
    Column("Step", "step", wrap=False),
    Column("Words", "template"),
    amount("Amount", "amount_cents"),
    number("Days overdue", "days_overdue"),
)
TASKS = (
    number("Attorney", "attorney_id"),
    *(column for column in GOING if column.key not in ("to", "template")),
)
SILENT = (
    number("Bill", "bill_id"),
    Column("Number", "bill_number", wrap=False),
    Column("Client", "client_name"),
    Column("Step", "step", wrap=False),
    Column("Because", "why"),
    amount("Amount", "amount_cents"),
)
LINES = (
    Column("When", "at", wrap=False), Column("Who", "actor"), Column("What", "action"), Column("Facts", "facts"),
)  # fmt: skip
DayOption = Annotated[
    datetime | None,
    typer.Option("--date", formats=["%Y-%m-%d"], metavar="DAY", help="A day at the office; today if not given."),
]


app.add_typer(reminder_holds.app)
app.add_typer(bounces.app, name="bounces")
app.command("render")(render)


@app.callback()
def reminders() -> None: ...


@app.command("list")
def listed(
    ctx: typer.Context,
    state: Annotated[
        str | None, typer.Option(help="Only these: planned, silent, held, sent, skipped or superseded.")
    ] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List what became of each step of each bill, the newest first.

    JSON: reminders (a list of bill_id, number, client_name, step, state, reason, why, due_on, looked_on, silent_since,
    letter_on, letter_state, message_id, sent_at, balance_cents, currency) and counts by state.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.reminders import ReminderState
    from orchestrator.usecases.show_reminders import list_reminders

    one_of(state, ReminderState, "--state")
    with opened(ctx) as rt:
        found = list_reminders(rt, state=state, limit=limit)
        if as_json:
            say_json(found)
            return
        page = Page(rt.settings.firm.zone)
        page.table("Reminders", ROWS, found["reminders"])
        if found["counts"]:
            page.line(", ".join(f"{many} {name}" for name, many in found["counts"].items()))


@app.command("show")
def show(ctx: typer.Context, bill: BillArgument, as_json: JsonOption = False) -> None:
    """Show every step that follows one bill: when it falls due, what became of it, and what keeps it silent now.

    JSON: bill_id, bill_number, state, sequence, due_on, open_cents, currency, steps, due_now, silent_because, audit.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.find_bill import find_bill
    from orchestrator.usecases.show_reminders import show_reminders

    with opened(ctx) as rt:
        found = show_reminders(rt, find_bill(rt, bill))
        if as_json:
            say_json(found)
            return
        page = Page(rt.settings.firm.zone)
        page.facts(
            f"Bill {found['bill_number']} ({found['bill_id']})",
            {
                "State": found["state"],
                "Open": priced(found["open_cents"], found["currency"]),
                "Due": found["due_on"],
                "Sequence": found["sequence"],
                "Due now": found["due_now"] or "nothing",
                "Silent because": "; ".join(_worded(one) for one in found["silent_because"]) or None,
            },
        )
        page.table("\nSteps", STEPS, found["steps"])
        if found["audit"]:
            page.table("\nWhat happened", LINES, found["audit"])


@app.command("preview")
def preview(ctx: typer.Context, day: DayOption = None, as_json: JsonOption = False) -> None:
    """Show what will go out on a day, to whom, and what will not and why; nothing is written.

    It is what the worker itself decides, from what is known now: a bill that is paid before that day drops out. Days before it
    are played through, so that a step which goes out on one of them is not shown again.

    JSON: on, closed (why nothing goes out at all, or null), approve, letters (client_id, client_name, to, held, bills), tasks,
    silent (with reasons), skipped; each bill has bill_id, bill_number, client_name, step, action, template, amount_cents,
    currency, due_on, days_overdue.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.preview_reminders import preview_reminders

    with opened(ctx) as rt, working("Judging bills") as seen:
        found = preview_reminders(rt, _day(rt, day), seen=seen)
    if as_json:
        say_json(found)
        return
    page = Page(rt.settings.firm.zone)
    if found["closed"]:
        page.line(f"Nothing goes out on {found['on']}: {found['closed']}.")
        return
    going = [{**bill, "to": letter["to"]} for letter in found["letters"] for bill in letter["bills"]]
    page.table(f"Goes out on {found['on']}", GOING, going, none="nothing.")
    waits = " once the batch is approved (`orchestrator reminders approve`)" if found["approve"] else ""
    page.line(f"{len(found['letters'])} letters about {len(going)} bills{waits}.")
    page.table("\nTasks for attorneys", TASKS, found["tasks"])
    silent = [one | {"why": "; ".join(_worded(reason) for reason in one["reasons"])} for one in found["silent"]]
    page.table("\nStays silent", SILENT, silent)
    if found["skipped"]:
        passed = [one | {"why": "a later step comes first"} for one in found["skipped"]]
        page.table("\nSkipped for good", SILENT, passed)


@app.command("approve")
def approve(
    ctx: typer.Context, day: DayOption = None, by: ByOption = None, dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Let today's held letters go out, under `[reminders] approve_batches`.

    Each is judged once more before it leaves. JSON: dry_run, on, letters, bills.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.approve_reminders import approve_reminders

    with opened(ctx) as rt:
        found = approve_reminders(rt, _day(rt, day), by=who(by), dry_run=dry_run)
    if as_json:
        say_json(found)
        return
    would = "would go out" if dry_run else "go out"
    print(f"{found['letters']} letters about {found['bills']} bills {would} on {found['on']}.")


@app.command("skip")
def skip(
    ctx: typer.Context,
    bill: BillArgument,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step, as `reminders show BILL` names it.")],
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Skip one step of one bill for good; the next follows on its day."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.find_bill import find_bill
    from orchestrator.usecases.skip_reminder import skip_reminder

    with opened(ctx) as rt:
        found = skip_reminder(rt, find_bill(rt, bill), step, by=who(by), dry_run=dry_run)
    print(f"Step {found['step']} of bill {found['bill_number']} {'would be' if dry_run else 'is'} skipped.")


def _day(rt: "Runtime", day: datetime | None) -> date:
    return day.date() if day is not None else rt.local_date(rt.clock())


def _worded(reason: dict[str, Any]) -> str:
    return f"{reason['words']} (until {reason['until']})" if reason["until"] else str(reason["words"])
