"""The root of the command line: the nouns in their order, the one global option, and the way out after a failure."""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from orchestrator.cli import (
    audit,
    backup,
    bills,
    config,
    connect,
    doctor,
    exceptions,
    jobs,
    links,
    matters,
    payments,
    processes,
    reconcile,
    reminders,
    sandbox,
    status,
    time_entries,
    trust,
    webhooks,
)
from orchestrator.cli.failures import explain


class Frank(TyperGroup):
    """A group that answers every failure with one sentence on stderr and the exit code it deserves, never a traceback."""

    def main(self, *given: Any, **named: Any) -> Any:
        try:
            code = super().main(*given, **(named | {"standalone_mode": False}))
        except Exception as failure:  # noqa: BLE001  the last place before the shell
            code = explain(failure)
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    cls=Frank,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is there in half the time
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="Billing worker between Clio Manage, Clio Payments and mail: approved time becomes a bill request, an issued bill "
    "one payment link, and a payment finds its way back to the matter.",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 finished but exceptions are open.",
)


@app.callback()
def root(
    ctx: typer.Context,
    firm: Annotated[
        str,
        typer.Option(metavar="NAME", envvar="ORCH_FIRM", help="The firm: its profile is config/firms/NAME.toml."),
    ] = "main",
) -> None:
    # Settings read every ORCH_ variable, and `firm` is one of their groups: the name of the profile is not its contents.
    os.environ.pop("ORCH_FIRM", None)
    ctx.obj = firm


if find_spec("orchestrator.cli.demo"):
    app.command("demo")(import_module("orchestrator.cli.demo").demo)
app.command("sandbox")(sandbox.sandbox)

for name, command in processes.COMMANDS.items():
    app.command(name)(command)
app.add_typer(config.app, name="config")

app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
for name, noun in {
    "connect": connect,
    "matters": matters,
    "bills": bills,
    "links": links,
    "payments": payments,
    "reminders": reminders,
    "time": time_entries,
    "trust": trust,
    "jobs": jobs,
    "reconcile": reconcile,
    "exceptions": exceptions,
    "webhooks": webhooks,
    "audit": audit,
}.items():
    app.add_typer(noun.app, name=name)
