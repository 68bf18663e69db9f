"""`orchestrator exceptions`: what waits for a person, and what to do about it."""

from typing import Annotated

import typer

from orchestrator.cli.jobs import LIFE
from orchestrator.cli.show import Column, JsonOption, LimitOption, Page, amount, number, say_json

app = typer.Typer(help="Exceptions: everything that waits for a person.", no_args_is_help=True)

EXCEPTIONS = (
    number("Exception", "id"),
    Column("Kind", "kind", wrap=False),
    Column("What is wrong", "summary"),
    amount("Money", "money_cents"),
    number("Times", "times"),
    number("Job", "job_id"),
    Column("State", "state", wrap=False),
    Column("Since", "opened_at", wrap=False),
)


@app.command("list")
def list_exceptions(
    *,
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Option(help="Only this kind, e.g. payment_unallocated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Settled ones too.")] = False,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List open exceptions, the most money first.

    JSON: a list of id, kind, summary, subject_kind, subject_id, job_id, money_cents, times, state, opened_at,
    updated_at, meaning.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.reasons import REASONS
    from orchestrator.usecases.show_exceptions import show_exceptions

    one_of(kind, REASONS, "--kind")
    with opened(ctx) as rt:
        rows = show_exceptions(rt, kind=kind, everything=everything, limit=limit)
        if as_json:
            say_json(rows)
        else:
            title = "Exceptions" if everything else "Open exceptions"
            Page(rt.settings.firm.zone).table(title, EXCEPTIONS, rows)


@app.command("show")
def show(
    ctx: typer.Context,
    exception: Annotated[int, typer.Argument(metavar="ID", help="The exception's id, as `exceptions list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Show one exception, what to do, and the job behind it.

    JSON: exception, meaning, advice, job.
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.show_exceptions import show_exception

    with opened(ctx) as rt:
        found = required(show_exception(rt, exception), f"There is no exception {exception}.")
        if as_json:
            say_json(found)
            return
        page, said, job = Page(rt.settings.firm.zone), found["exception"], found["job"]
        about = f"{said['subject_kind']} {said['subject_id']}" if said["subject_kind"] else None
        page.facts(
            f"Exception {exception}: {said['kind']}",
            {
                "What is wrong": said["summary"],
                "Because": found["meaning"],
                "What to do": found["advice"] or None,
                "About": about,
                "State": said["state"],
                "Times": said["times"],
                "Since": said["opened_at"],
                "Changed": said["updated_at"],
            },
        )
        if job is not None:
            page.facts(f"\nJob {job['id']}: {job['topic']}", {name: job[key] for name, key in LIFE.items()})
            page.line(f"\nWhen that is done: orchestrator jobs retry {job['id']} (its --help explains --resend)")


@app.command("resolve")
def resolve(
    ctx: typer.Context,
    exception: Annotated[int, typer.Argument(metavar="ID", help="The exception's id, as `exceptions list` shows it.")],
    by: Annotated[str, typer.Option(help="Who decided; it stands in the audit line.")],
    note: Annotated[str, typer.Option(help="Why it is settled; ids and amounts, no names.")] = "",
) -> None:
    """Close an exception that a person has settled. Nothing else is edited; its bill is looked at anew."""
    from orchestrator.cli.firm import Refused, opened
    from orchestrator.usecases.resolve_exception import resolve_exception

    with opened(ctx) as rt:
        refused = resolve_exception(rt, exception, by=by, note=note)
    if refused is not None:
        raise Refused(refused)
    typer.echo(f"Exception {exception} is settled.")
