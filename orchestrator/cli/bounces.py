"""`orchestrator reminders bounces`: addresses that letters came back from, and their release."""

from typing import Annotated

import typer

from orchestrator.cli.show import ByOption, Column, DryRunOption, JsonOption, Page, number, say_json, say_rows, who

app = typer.Typer(help="Addresses that letters came back from.", no_args_is_help=True)

BOUNCES = (
    number("Bounce", "id"),
    Column("State", "state"),
    Column("Code", "code", wrap=False),
    Column("Told by", "source"),
    number("Soft", "soft"),
    Column("Bills", "bill_ids"),
    Column("First", "first_at", wrap=False),
    Column("Last", "last_at", wrap=False),
    Column("Released by", "released_by"),
)


@app.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only soft, hard or released.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List addresses that letters came back from, the newest first; hard ones get nothing more.

    An address is known by its number and its bills alone. JSON: a list of id, state, code, source, soft, bill_ids, first_at,
    last_at, released_by, released_at.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.bounces import AddressState
    from orchestrator.usecases.note_bounce import show_bounces

    one_of(state, AddressState, "--state")
    with opened(ctx) as rt:
        say_rows(rt, "Bounces", BOUNCES, show_bounces(rt, state=state), as_json=as_json)


@app.command("release")
def release(
    *,
    ctx: typer.Context,
    bounce: Annotated[int, typer.Argument(metavar="BOUNCE", help="Its number in the list.")],
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say that an address can be written to again: the client cleared it, or the relay's list was wrong.

    JSON: the bounce as `list` shows it, and dry_run.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.note_bounce import release_address

    with opened(ctx) as rt:
        done = release_address(rt, bounce, by=who(by), dry_run=dry_run)
        if as_json:
            say_json(done)
        else:
            verb = "Would release" if dry_run else "Released"
            Page(rt.settings.firm.zone).line(f"{verb} the address of bounce {bounce}; its reminders go on.")
