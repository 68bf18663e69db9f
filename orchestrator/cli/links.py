"""`orchestrator links`."""

import typer

app = typer.Typer(help="Soon.", no_args_is_help=True)


@app.callback()
def noun() -> None: ...
