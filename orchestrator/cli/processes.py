"""The processes of a firm: everything in one (`up`), or web, workers and beat apart, and the step that prepares them."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from orchestrator.settings import Settings

DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Read the live Clio and decide everything, but only record what would be done: nothing is written to Clio, "
        "nothing is mailed. Needs a database of its own; `orchestrator jobs would` reports.",
    ),
]


def _rehearse(*, dry_run: bool) -> None:
    """Let every firm of this process, and of the processes it forks, be a dry run."""
    if dry_run:
        os.environ["ORCH_DRY_RUN"] = "true"


def _ready(what: str, settings: "Settings") -> None:
    """The one line that says a process is at work, and with what."""
    from orchestrator.clients.clio.auth import REGIONS

    clio = urlsplit(settings.clio.base_url or REGIONS[settings.clio.region]).netloc
    database = settings.database_url.partition(":")[0].partition("+")[0]
    broker = "in this process" if settings.embedded else settings.broker_url.partition(":")[0]
    dry = "A dry run: nothing leaves. " if settings.dry_run else ""
    print(f"{what} {dry}Database {database}, broker {broker}, Clio {clio}. Ctrl-C stops it.", flush=True)


def up(ctx: typer.Context, dry_run: DryRunOption = False) -> None:
    """Run everything in one process until Ctrl-C.

    Migrates first, then starts web, worker threads and beat.
    """
    from orchestrator.cli.firm import require_free, settings_of
    from workflows.processes import up as run

    _rehearse(dry_run=dry_run)
    settings = settings_of(ctx)
    require_free(settings.listen)
    run(settings, ctx.obj, on_ready=lambda _rt: _ready(f"Up at http://{settings.listen}.", settings))
    print("Stopped.")


def serve(ctx: typer.Context, dry_run: DryRunOption = False) -> None:
    """Run the web process alone.

    It receives webhooks and answers /health/live and /health/ready.
    """
    from orchestrator.cli.firm import fleet_settings, require_free
    from workflows.processes import serve as run

    _rehearse(dry_run=dry_run)
    settings = fleet_settings(ctx)
    require_free(settings.listen)
    run(settings, ctx.obj, on_ready=lambda _rt: _ready(f"Serving at http://{settings.listen}.", settings))
    print("Stopped.")


def worker(
    ctx: typer.Context,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Jobs at the same time; ORCH_ENGINE__THREADS by default.")
    ] = None,
    dry_run: DryRunOption = False,
) -> None:
    """Run a worker, for every firm whose jobs it is told about."""
    from orchestrator.cli.firm import fleet_settings, opened
    from workflows.processes import work

    _rehearse(dry_run=dry_run)
    settings = fleet_settings(ctx)
    with opened(ctx, follow=False):
        pass  # a worker that could do no job must not start
    hands = concurrency or settings.engine.threads
    _ready(f"Working with {hands} hands.", settings)
    work(settings, concurrency=hands)


def beat(
    ctx: typer.Context,
    firm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A firm to beat for; repeat it for several.")
    ] = None,
    dry_run: DryRunOption = False,
) -> None:
    """Run the schedule and the dispatcher.

    A second one on the same database is harmless.
    """
    from orchestrator.cli.firm import fleet_settings
    from workflows.processes import beat as run

    _rehearse(dry_run=dry_run)
    firms = firm or [ctx.obj]
    settings = fleet_settings(ctx)
    run(settings, firms, on_ready=lambda: _ready(f"Beating for {', '.join(firms)}.", settings))
    print("Stopped.")


def migrate(ctx: typer.Context) -> None:
    """Bring the database to the newest schema; safe to repeat."""
    from orchestrator.cli.firm import settings_of
    from orchestrator.storage.migrate import migrate as run
    from orchestrator.storage.unit_of_work import connect

    engine = connect(settings_of(ctx).database_url)
    try:
        before, after = run(engine)
    finally:
        engine.dispose()
    print(
        f"The database is at revision {after} already."
        if before == after
        else f"Migrated {before or 'an empty database'} → {after}."
    )


COMMANDS: dict[str, Callable[..., Any]] = {
    "up": up, "serve": serve, "worker": worker, "beat": beat, "migrate": migrate,
}  # fmt: skip
