"""`orchestrator connect`: let a person of the firm agree, once, in a browser; show it; end it."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, urlsplit

import typer

from orchestrator.cli.show import ByOption, Column, JsonOption, Page, because, number, say_json, who

if TYPE_CHECKING:
    from orchestrator.engine.runtime import Runtime
    from orchestrator.usecases.connect_clio import Attempt

app = typer.Typer(help="Connect the firm's accounts.", no_args_is_help=True)

BUTTONS = (
    Column("Place", "place", wrap=False),
    number("Button", "clio_id"),
    Column("Leads to", "leads_to"),
    Column("Would", "would", wrap=False),
)

LOOK_SECONDS = 0.25
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@app.command("clio")
def clio(
    *,
    ctx: typer.Context,
    code: Annotated[
        str | None, typer.Option(help="A code that Clio has just given, instead of asking for one.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the address in this machine's browser.")] = True,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Connect Clio: open the address, agree, and wait; or paste the address that the browser is sent to.

    Sign in as a billing administrator: what that user may see is all that the worker sees. The answer comes to the running
    web process at ORCH_PUBLIC_URL/oauth/callback; where that is an address of this machine and nobody listens, this command
    listens itself.

    JSON: account_id, account_name, user_id, user_name, resumed (jobs that waited for this).
    """
    from orchestrator.bootstrap import clio_login, whoever_has
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.connect_clio import begin, finish

    with opened(ctx) as rt, clio_login(rt) as login:
        attempt = None
        if code is None:
            attempt = begin(rt, login)
            print(f"Open this address and agree:\n\n  {attempt.url}\n", file=sys.stderr, flush=True)
            with _listening(rt) as where:
                print(f"Waiting for the answer at {where}; or paste the address the browser ends at:", file=sys.stderr)
                if browser and sys.stdout.isatty():
                    typer.launch(attempt.url)
                code = _answer(rt, attempt)
        found = finish(rt, login, code, by=who(by), who=lambda token: whoever_has(rt.settings, token), attempt=attempt)
        if as_json:
            say_json(found)
            return
        print(
            f"Connected to Clio account {found['account_id']} ({found['account_name']}) "
            f"as user {found['user_id']} ({found['user_name']})."
        )
        waited = f"{found['resumed']} jobs that waited go on now. " if found["resumed"] else ""
        print(f"{waited}The worker goes on by itself; `orchestrator doctor` checks the rest.")


@app.command("show")
def show(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show what is connected; exit code 1 when Clio is not.

    JSON: connected, how, account_id, account_name, user_id, user_name, host, connected_at, checked_at, token_expires_at,
    renews_itself, waits_for.
    """
    from orchestrator.bootstrap import clio_token
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.connect_clio import show_connection

    with opened(ctx) as rt:
        ready = bool(rt.settings.clio.access_token)
        found = show_connection(rt, None if ready else clio_token(rt), ready=ready)
        if as_json:
            say_json(found)
        else:
            words = {name.replace("_", " ").capitalize(): value for name, value in found.items() if name != "waits_for"}
            page = Page(rt.settings.firm.zone)
            page.facts("Clio", words)
            for reason in found["waits_for"]:
                page.line(f"Work waits: {because(reason)}.")
    if not found["connected"]:
        raise typer.Exit(1)


@app.command("remove")
def remove(
    *,
    ctx: typer.Context,
    account: Annotated[str, typer.Argument(metavar="clio", help="Which account.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would stop; end nothing.")] = False,
    by: ByOption = None,
) -> None:
    """End the connection: Clio is told, the token forgotten, and work waits until the firm connects again."""
    from orchestrator.bootstrap import clio_login
    from orchestrator.cli.firm import Refused, one_of, opened
    from orchestrator.usecases.connect_clio import STOPS, disconnect

    one_of(account, ("clio",), "The account")
    with opened(ctx) as rt:
        if rt.settings.clio.access_token:
            raise Refused("A ready token is set: take ORCH_CLIO__ACCESS_TOKEN away, and withdraw it in Clio.")
        print("\n".join(f"• {line}." for line in STOPS))
        if dry_run:
            return
        if not yes and not typer.confirm("End the connection?"):
            raise Refused("Nothing was ended.")
        with clio_login(rt) as login:
            disconnect(rt, login, by=who(by))
        print("Clio was told, and the token is forgotten. `orchestrator connect clio` connects again.")


@app.command("custom-action")
def custom_action(
    *,
    ctx: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what stands in Clio and what would be done; ask for nothing.")
    ] = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the buttons "Approve for billing" created, led here, or taken away, as `[approval] signal` says.

    JSON: asked (false with --dry-run, or when there is nothing to look after), buttons: place, clio_id, leads_to, wanted,
    would (create, move, keep, delete, none).
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.keep_buttons import ask_for_buttons, show_buttons

    with opened(ctx) as rt:
        buttons = show_buttons(rt)
        asked = not dry_run and ask_for_buttons(rt, by=who(by))
        if as_json:
            say_json({"asked": asked, "buttons": buttons})
            return
        page = Page(rt.settings.firm.zone)
        page.table("Buttons in Clio", BUTTONS, buttons)
        if asked:
            page.line("The worker does it now.")


def _answer(rt: "Runtime", attempt: "Attempt") -> str:
    """The code, whichever way it comes first: through the web process, or pasted."""
    from orchestrator.usecases.connect_clio import answer_to

    pasted: list[str] = []
    threading.Thread(target=_read_line, args=(pasted,), daemon=True).start()
    until = time.monotonic() + 600
    while time.monotonic() < until:
        if pasted:
            return _code(pasted[0], attempt.state)
        if (code := answer_to(rt, attempt)) is not None:
            return code
        time.sleep(LOOK_SECONDS)
    raise _refused("Nobody answered within ten minutes: run the command again.")


def _read_line(pasted: list[str]) -> None:
    while line := sys.stdin.readline():
        if line.strip():
            pasted.append(line)
            return


@contextmanager
def _listening(rt: "Runtime") -> Iterator[str]:
    """Where the answer will come: at the running web process, or here for as long as the block runs."""
    from orchestrator.cli.firm import require_free
    from orchestrator.settings import Misconfigured

    parts = urlsplit(rt.settings.public_address)
    where = f"{rt.settings.public_address}/oauth/callback"
    if parts.hostname in LOOPBACK:
        try:
            require_free(f"{parts.hostname}:{parts.port or 80}")
        except Misconfigured:
            pass  # the web process listens there, or something that the person must paste past
        else:
            with _serving(rt, parts.hostname or "127.0.0.1", parts.port or 80):
                yield where
            return
    yield where


@contextmanager
def _serving(rt: "Runtime", host: str, port: int) -> Iterator[None]:
    import uvicorn
    from starlette.applications import Starlette

    from orchestrator.api.callback import CALLBACK

    web = Starlette(routes=[CALLBACK])
    web.state.runtime = rt
    config = uvicorn.Config(web, host=host, port=port, log_level="error", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=5)


def _code(address: str, state: str) -> str:
    """The code in the address Clio sent the browser to; refused unless it answers this very attempt."""
    said = parse_qs(urlsplit(address.strip()).query)
    if said.get("state") != [state]:
        raise _refused("That address does not answer this attempt: run the command again and paste the newest one.")
    if "code" not in said:
        raise _refused("Clio was told to decline: nothing is connected.")
    return said["code"][0]


def _refused(sentence: str) -> Any:
    from orchestrator.cli.firm import Refused

    return Refused(sentence)
