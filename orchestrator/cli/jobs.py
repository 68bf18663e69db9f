"""`orchestrator jobs`: every intended effect or step, its life, and a second chance for one that stopped."""

from typing import Annotated

import typer

from orchestrator.cli.show import (
    ByOption,
    Column,
    DryRunOption,
    JsonOption,
    LimitOption,
    Page,
    because,
    number,
    say_json,
    who,
)

app = typer.Typer(help="Jobs: what the workers do, did, or could not do.", no_args_is_help=True)

JOBS = (
    number("Job", "id"),
    Column("Topic", "topic", wrap=False),
    Column("State", "state", wrap=False),
    number("Tries", "attempts"),
    Column("Not before", "not_before", wrap=False),
    Column("Because", "reason", because),
    Column("Last said", "detail"),
)
WOULD = (Column("At", "at", wrap=False), Column("It would", "would"))
LIFE = {
    "State": "state", "Because": "meaning", "What to do": "advice", "Last said": "detail", "Key": "key", "Urgency": "urgency",
    "Attempts": "attempts", "Created": "created_at", "Not before": "not_before", "Sent": "sent_at", "Changed": "updated_at",
    "Held by": "holder", "Asked with": "payload", "Sent as": "intent", "Answer": "evidence",
}  # fmt: skip

JobArgument = Annotated[int, typer.Argument(metavar="ID", help="The job's id, as `jobs list` shows it.")]


@app.command("list")
def list_jobs(
    *,
    ctx: typer.Context,
    state: Annotated[
        str | None, typer.Option(help="Only ready, claimed, sent, done, parked, failed or revoked jobs.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Only jobs of this topic, e.g. link.create.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first.

    JSON: a list of id, topic, key, state, attempts, not_before, reason, detail, created_at, updated_at, urgency, meaning, advice.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.topics import TOPICS
    from orchestrator.storage.jobs import JobState
    from orchestrator.usecases.lost_past import recovery_said
    from orchestrator.usecases.show_jobs import show_jobs

    one_of(state, JobState, "--state")
    one_of(topic, TOPICS, "--topic")
    with opened(ctx) as rt:
        rows = show_jobs(rt, state=state, topic=topic, limit=limit)
        if as_json:
            say_json(rows)
        else:
            title = "Jobs of a dry run (nothing leaves)" if rt.settings.dry_run else "Jobs"
            page = Page(rt.settings.firm.zone)
            with rt.read() as work:
                if (recovering := recovery_said(work)) is not None:
                    page.line(recovering, "bold")
            page.table(title, JOBS, rows)


@app.command("show")
def show(ctx: typer.Context, job: JobArgument, as_json: JsonOption = False) -> None:
    """Show one job's life, and what to do when it stopped.

    JSON: what `jobs list` has, and payload, intent, evidence, sent_at, holder, fence.
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.show_jobs import show_job

    with opened(ctx) as rt:
        found = required(show_job(rt, job), f"There is no job {job}.")
        if as_json:
            say_json(found)
        else:
            shown = {name: found[key] for name, key in LIFE.items()}
            Page(rt.settings.firm.zone).facts(f"Job {job}: {found['topic']}", shown)


@app.command("retry")
def retry(
    ctx: typer.Context,
    job: JobArgument,
    resend: Annotated[
        bool,
        typer.Option(
            "--resend",
            help="You looked, and what the job sent did not arrive: send it again. Without this, a job whose answer was "
            "lost only searches for what it may have done.",
        ),
    ] = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Give a parked or failed job to the workers again.

    Its attempts are counted from nothing, and its exception is settled. A job whose answer was lost searches for what it
    may have done before it does anything again; --resend is your word that it did not happen. If it did: `jobs settle`.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.retry_job import retry_job

    with opened(ctx) as rt:
        following = retry_job(rt, job, by=who(by), resend=resend, dry_run=dry_run)
    print(f"Job {job} {'would wait' if dry_run else 'waits'} for a worker again: it {following}.")


@app.command("settle")
def settle(ctx: typer.Context, job: JobArgument, by: ByOption = None, dry_run: DryRunOption = False) -> None:
    """Give your word that a message in doubt did arrive.

    The job ends as done, the message counts as sent, and a worker logs it in Clio. Look in the relay's log first.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.settle_job import settle_job

    with opened(ctx) as rt:
        message_id = settle_job(rt, job, by=who(by), dry_run=dry_run)
    print(
        f"Job {job} {'would be' if dry_run else 'is'} done: message {message_id} counts as sent, and is logged in Clio."
    )


@app.command("park")
def park(
    ctx: typer.Context,
    job: JobArgument,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; ids and amounts, no names. Kept with the job.")],
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Take a job out of the workers' hands for a person to look at; `jobs retry` gives it back.

    A job that a worker is at is left alone: what it is about to send cannot be called back.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.park_job import park_job

    if not reason.strip():
        raise typer.BadParameter("--reason must say why.")
    with opened(ctx) as rt:
        park_job(rt, job, by=who(by), why=reason.strip(), dry_run=dry_run)
    print(f"Job {job} {'would be' if dry_run else 'is'} parked; `orchestrator jobs retry {job}` gives it back.")


@app.command("would")
def would(ctx: typer.Context, limit: LimitOption = 200, as_json: JsonOption = False) -> None:
    """Report what a dry run would have done: links, messages, tasks, notes, the newest first.

    JSON: begun_at, counts, acts (a list of id, at, verb, subject_kind, subject_id, would, facts).
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.show_would import show_would

    with opened(ctx) as rt:
        found = required(
            show_would(rt, limit=limit),
            "This database is not a dry run's: whatever it says was done, was done. Start one with `orchestrator up --dry-run`.",
        )
        if as_json:
            say_json(found)
            return
        page = Page(rt.settings.firm.zone)
        page.table("What the dry run would have done", WOULD, found["acts"])
        page.facts("\nIn all", found["counts"] or {"Nothing": "yet"})
