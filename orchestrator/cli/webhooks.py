"""`orchestrator webhooks`: the subscriptions through which Clio tells us what changed."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.show import ByOption, Column, JsonOption, Page, number, say_json

if TYPE_CHECKING:
    from orchestrator.engine.runtime import Runtime

app = typer.Typer(help="Webhook subscriptions at Clio.", no_args_is_help=True)

WEBHOOKS = (
    Column("Model", "model", wrap=False),
    Column("Events", "events"),
    Column("State", "state", wrap=False),
    number("Webhook", "webhook_id"),
    Column("Ends", "expires_at", wrap=False),
    Column("Changed", "updated_at", wrap=False),
)
COMPARED = (*WEBHOOKS, Column("At Clio", "at_clio", wrap=False), Column("Would", "would", wrap=False))

PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.25


@app.command("list")
def list_webhooks(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List every subscription we want, and how it stands.

    JSON: a list of model, events, state, webhook_id, expires_at, updated_at.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_webhooks import show_webhooks

    with opened(ctx) as rt:
        rows = show_webhooks(rt)
        if as_json:
            say_json(rows)
        else:
            Page(rt.settings.firm.zone).table("Webhooks", WEBHOOKS, rows)


@app.command("sync")
def sync(
    *,
    ctx: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compare with what Clio has and say what would be done; ask for nothing.")
    ] = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have what is missing created, confirmed and renewed now.

    A worker does it; this waits up to 20 seconds for the result.

    JSON: job, done, webhooks (as `webhooks list`). With --dry-run: a list of what `webhooks list` has, and at_clio, would.
    """
    from getpass import getuser

    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_webhooks import ask_for_upkeep, compare_webhooks, show_webhooks, working

    with opened(ctx) as rt:
        page = Page(rt.settings.firm.zone)
        if dry_run:
            rows = compare_webhooks(rt)
            if as_json:
                say_json(rows)
            else:
                page.table("Webhooks", COMPARED, rows)
            return
        job = ask_for_upkeep(rt, by=by or getuser())
        heard = working(rt)
        with page.waiting("A worker is looking after the webhooks …"):
            done = heard and _wait(rt, job)
        rows = show_webhooks(rt)
        if as_json:
            say_json({"job": job, "done": done, "webhooks": rows})
            return
        page.table("Webhooks", WEBHOOKS, rows)
        said = "has looked after them" if done else "is at it" if heard else "is running: it follows when one starts"
        page.line(f"Job {job} asks for upkeep; {'a' if heard else 'no'} worker {said}.")


def _wait(rt: "Runtime", job: int) -> bool:
    """Whether the upkeep and what followed from it came to rest in time."""
    from orchestrator.usecases.show_webhooks import at_rest

    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if at_rest(rt, job):
            return True
        time.sleep(LOOK_SECONDS)
    return False
