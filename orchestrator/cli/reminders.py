"""`orchestrator reminders`: what follows unpaid bills, what will go out, and why not."""

import typer

from orchestrator.cli import reminder_holds
from orchestrator.cli.render_letters import render

app = typer.Typer(help="Reminders of unpaid bills: what was sent, what will be, and why not.", no_args_is_help=True)
app.add_typer(reminder_holds.app)
app.command("render")(render)
