"""`orchestrator connect`: let a person of the firm agree, once, in a browser."""

import secrets
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import typer

app = typer.Typer(help="Connect the firm's accounts.", no_args_is_help=True)


@app.command("clio")
def clio(
    ctx: typer.Context,
    code: Annotated[
        str | None, typer.Option(help="A code that Clio has just given, instead of asking for one.")
    ] = None,
) -> None:
    """Connect Clio: open the printed address, agree, and paste the address that the browser is sent to.

    Sign in as a billing administrator: what that user may see is all that the worker sees.
    """
    from orchestrator.bootstrap import clio_login
    from orchestrator.cli.firm import opened
    from orchestrator.domain.topics import Urgency

    with opened(ctx) as rt:
        login = clio_login(rt)
        if code is None:
            state = secrets.token_urlsafe(16)
            typer.echo(f"Open this address and agree:\n\n  {login.authorize_url(state)}\n")
            code = _code(typer.prompt("Paste the address that the browser ends at"), state)
        login.exchange(code)
        found = rt.practice(Urgency.INTERACTIVE).connection()
        typer.echo(
            f"Connected to Clio account {found.account_id} as user {found.user_id}. The worker goes on by itself."
        )


def _code(address: str, state: str) -> str:
    """The code in the address Clio sent the browser to; refused unless it answers this very attempt."""
    from orchestrator.cli.firm import Refused

    said = parse_qs(urlsplit(address.strip()).query)
    if said.get("state") != [state]:
        raise Refused("That address does not answer this attempt: run the command again and paste the newest one.")
    if "code" not in said:
        raise Refused("Clio was told to decline: nothing is connected.")
    return said["code"][0]
