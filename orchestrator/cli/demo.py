"""`orchestrator demo`: a small firm's weeks in under a minute, and the oracle's verdict."""

from pathlib import Path
from typing import Annotated

import typer

INTERRUPTED = 130


def demo(
    *,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=365, help="How many days to play.")] = 45,
    keep: Annotated[bool, typer.Option("--keep", help="Leave sandbox and worker up at the end, until Ctrl-C.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here (docs/demo-json.md).")
    ] = None,
    sandbox: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Use a sandbox that runs elsewhere; it is begun afresh. ORCH_CLIO__BASE_URL may "
                     "name another address of its Clio."),
    ] = None,
    scenario: Annotated[
        str,
        typer.Option("--scenario", "--firm", metavar="NAME",
                     help="The firm to play, a file of config/sandbox. `year` is one of 300 "
                     "matters whose mail relay, Clio, Redis and worker are away for a while: give it --days 365."),
    ] = "small-firm",
) -> None:  # fmt: skip
    """Play 45 days of a small firm through the real worker, and let the sandbox's own record judge it.

    ORCH_DATABASE_URL and ORCH_BROKER_URL are respected: with Redis, web, worker and beat run as processes of their own.
    """
    from rich.console import Console

    from orchestrator.demo.play import Options, play
    from orchestrator.demo.processes import ended_by_signals

    options = Options(
        scenario=scenario, seed=seed, days=days, sandbox_url=sandbox, json_file=json_file, keep=keep
    )  # fmt: skip
    try:
        with ended_by_signals():
            clean = play(options, out=Console(highlight=False), err=Console(stderr=True))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if clean else 1)
