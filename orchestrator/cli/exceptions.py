"""`orchestrator exceptions`: what waits for a person, and what to do about it."""

from typing import Annotated

import typer

from orchestrator.cli.jobs import LIFE
from orchestrator.cli.show import (
    ByOption,
    Column,
    DryRunOption,
    JsonOption,
    LimitOption,
    Page,
    age,
    amount,
    number,
    say_json,
    say_rows,
    who,
)

app = typer.Typer(help="Exceptions: everything that waits for a person.", no_args_is_help=True)

EXCEPTIONS = (
    number("Exception", "id"),
    Column("Kind", "kind", wrap=False),
    Column("What is wrong", "summary"),
    amount("Money", "money_cents"),
    number("Times", "times"),
    number("Job", "job_id"),
    Column("State", "state", wrap=False),
    Column("With", "owner"),
    Column("Age", "age_seconds", age, wrap=False),
)
HISTORY = (
    Column("When", "at", wrap=False), Column("Who", "actor"), Column("What", "action", wrap=False), Column("Facts", "facts"),
)  # fmt: skip
CONCERNS = ("break", "data", "job", "payment")

ExceptionArgument = Annotated[
    int, typer.Argument(metavar="ID", help="The exception's id, as `exceptions list` shows it.")
]


@app.command("list")
def list_exceptions(
    *,
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Option(help="Only this kind, e.g. payment_unallocated.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Only those that this person looks after.")] = None,
    unassigned: Annotated[bool, typer.Option("--unassigned", help="Only those that nobody looks after.")] = False,
    days: Annotated[
        int | None,
        typer.Option("--older-than", metavar="DAYS", min=0, help="Only those open for so many days or more."),
    ] = None,
    concern: Annotated[
        str | None, typer.Option(metavar="WHAT", help="Only what concerns this: break, job, payment or data.")
    ] = None,
    about: Annotated[str | None, typer.Option(metavar="KIND:ID", help="Only about one thing, e.g. bill:1042.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Settled ones too.")] = False,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List open exceptions, the most money first.

    JSON: a list of id, kind, summary, subject_kind, subject_id, job_id, money_cents, times, state, owner,
    opened_at, updated_at, concern, age_seconds, meaning, advice.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.reasons import REASONS
    from orchestrator.usecases.show_exceptions import show_exceptions

    one_of(kind, REASONS, "--kind")
    one_of(concern, CONCERNS, "--concern")
    thing, _, ident = (about or "").partition(":")
    if about is not None and not (thing and ident.isdecimal()):
        raise typer.BadParameter("--about is KIND:ID, for instance bill:1042.")
    if owner is not None and unassigned:
        raise typer.BadParameter("--owner and --unassigned exclude one another.")
    with opened(ctx) as rt:
        rows = show_exceptions(
            rt, kind=kind, owner=owner, unassigned=unassigned, days=days, everything=everything, limit=limit,
            concern=concern, about=(thing, int(ident)) if about else None,
        )  # fmt: skip
        say_rows(rt, "Exceptions" if everything else "Open exceptions", EXCEPTIONS, rows, as_json=as_json)


@app.command("show")
def show(
    ctx: typer.Context,
    exception: ExceptionArgument,
    as_json: JsonOption = False,
) -> None:
    """Show one exception, what to do, what it is about, and the job behind it.

    JSON: exception, meaning, advice, retry, subject, job, history.
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.settle_job import MESSAGES
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
                "A retry": found["retry"],
                "About": about,
                "State": said["state"],
                "Looked after by": said["owner"],
                "Times": said["times"],
                "Since": said["opened_at"],
                "Changed": said["updated_at"],
            },
        )
        if found["subject"] is not None:
            page.facts(f"\n{str(about).capitalize()}", found["subject"])
        if found["history"]:
            page.table("\nWhat was done", HISTORY, found["history"])
        if job is not None:
            page.facts(f"\nJob {job['id']}: {job['topic']}", {name: job[key] for name, key in LIFE.items()})
            page.line(f"\nWhen that is done: orchestrator jobs retry {job['id']} (its --help explains --resend)")
            if job["topic"] in MESSAGES and job["sent_at"] is not None:
                page.line(f"When the client has the message: orchestrator jobs settle {job['id']}")


@app.command("retry")
def retry(
    *,
    ctx: typer.Context,
    exception: ExceptionArgument,
    resend: Annotated[
        bool, typer.Option("--resend", help="You looked, and what was sent did not arrive: send it again.")
    ] = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Try again what an exception is about.

    A job that waits goes back to the workers; if its answer was lost, it searches before it does anything again. Without
    a job the truth is read once more, or the window of a break reconciled, and the exception closes if that settles it.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.retry_exception import retry_exception

    with opened(ctx) as rt:
        following = retry_exception(rt, exception, by=who(by), resend=resend, dry_run=dry_run)
    print(f"Exception {exception}{' would be' if dry_run else ' is'} tried again: {following}.")


@app.command("resolve")
def resolve(
    *,
    ctx: typer.Context,
    exception: ExceptionArgument,
    by: Annotated[str, typer.Option(help="Who decided; it stands in the audit line.")],
    note: Annotated[str, typer.Option(help="Why it is settled; ids and amounts, no names.")] = "",
    matter: Annotated[
        int | None,
        typer.Option(
            metavar="ID", help="Of a break: the matter that its text means. It is mapped, and reconciled again."
        ),
    ] = None,
    dry_run: DryRunOption = False,
) -> None:
    """Close an exception that a person has settled. No fact is edited; its bill is looked at anew.

    A break stands in the reports until a run no longer finds it, and needs a --note; of one whose text names no matter, or
    several, say which with --matter.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.resolve_exception import name_its_matter, resolve_exception

    if matter is not None:
        with opened(ctx) as rt:
            done = name_its_matter(rt, exception, matter, by=by, note=note, dry_run=dry_run)
        verb, then = ("would mean", "would be") if dry_run else ("means", "is")
        print(
            f"{done['reference']!r} {verb} matter {matter}; exception {exception} {then} settled by the run that follows."
        )
        return
    with opened(ctx) as rt:
        row = resolve_exception(rt, exception, by=by, note=note, dry_run=dry_run)
    bill = (
        f"; bill {row['subject_id']} {'would be' if dry_run else 'is'} looked at anew"
        if row["subject_kind"] == "bill"
        else ""
    )
    print(
        f"{'Would settle exception' if dry_run else 'Exception'} {exception}{'' if dry_run else ' is settled'}{bill}."
    )


@app.command("assign")
def assign(
    *,
    ctx: typer.Context,
    exception: ExceptionArgument,
    to: Annotated[str | None, typer.Option(metavar="NAME", help="Who looks after it from now on.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody looks after it any more.")] = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Say who looks after an exception; `exceptions list --owner NAME` shows what is theirs."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.assign_exception import assign_exception

    if (to is None or not to.strip()) != nobody:
        raise typer.BadParameter("Name somebody with --to NAME, or say --nobody.")
    with opened(ctx) as rt:
        before = assign_exception(rt, exception, to=to.strip() if to else None, by=who(by), dry_run=dry_run)
    said = "is with" if not dry_run else "would be with"
    was = f" (it was with {before})" if before else ""
    print(f"Exception {exception} {said} {to.strip() if to else 'nobody'}{was}.")
