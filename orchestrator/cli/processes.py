"""The processes of a firm: everything in one (`up`), or web, workers and beat apart, and the step that prepares them."""

import os
import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from orchestrator.cli.options import EveryOption, FirmsOption

if TYPE_CHECKING:
    from orchestrator.settings import Settings

CheckOption = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Start nothing: exit 0 when the one on this machine is alive, 1 and a sentence when not. For container engines.",
    ),
]

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


MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="HOST:PORT", envvar="ORCH_METRICS_LISTEN",
        help="Answer GET /metrics there; beyond this machine only with ORCH_METRICS__TOKEN.",
    ),
]  # fmt: skip


def _measured(listen: str | None, settings: "Settings") -> None:
    """Answer `/metrics` at this address, if one is given."""
    from orchestrator.cli.firm import require_free
    from orchestrator.settings import LOOPBACK, Misconfigured
    from orchestrator.telemetry import exposition

    if listen is None:
        return
    require_free(listen, "--metrics")
    host, _, port = listen.rpartition(":")
    token = settings.metrics.token
    if token is None and host.strip("[]") not in LOOPBACK | {""}:
        raise Misconfigured("ORCH_METRICS__TOKEN is missing: without it --metrics answers on 127.0.0.1 only.")
    exposition.serve(host.strip("[]") or "127.0.0.1", int(port), token.get_secret_value() if token else None)


FEW = 5
"""So many firms are called by their names."""


def _called(firms: Collection[str]) -> str:
    return ", ".join(firms) if len(firms) <= FEW else f"{len(firms)} firms"


def _ready_for(firms: Collection[str], what: str, settings: "Settings") -> None:
    """The same of a process that serves these firms: many have a database and a Clio each."""
    if len(firms) == 1:
        _ready(what, settings)
        return
    dry = "A dry run: nothing leaves. " if settings.dry_run else ""
    print(f"{what} {dry}Broker {settings.broker_url.partition(':')[0]}. Ctrl-C stops it.", flush=True)


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


def serve(
    ctx: typer.Context, firm: FirmsOption = None, every: EveryOption = False, dry_run: DryRunOption = False,
    check: CheckOption = False,
) -> None:  # fmt: skip
    """Run the web process alone, for one firm or many.

    It receives webhooks and answers /health/live and /health/ready, each firm's also below /firms/NAME.
    """
    from orchestrator.cli.firm import fleet_settings, require_free, roster, settings_of

    if check:
        _answers(settings_of(ctx).listen)
        return
    from workflows.processes import serve as run

    _rehearse(dry_run=dry_run)
    settings = fleet_settings(ctx)
    served = roster(ctx, firm, every=every)
    require_free(settings.listen)
    what = f"Serving {_called(served())} at http://{settings.listen}."
    run(settings, served, on_ready=lambda: _ready_for(served(), what, settings))
    print("Stopped.")


def worker(
    ctx: typer.Context,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Jobs at the same time; ORCH_ENGINE__THREADS by default.")
    ] = None,
    dry_run: DryRunOption = False,
    check: CheckOption = False,
    metrics: MetricsOption = None,
) -> None:
    """Run a worker, for every firm whose jobs it is told about."""
    from orchestrator.cli.firm import fleet_settings, opened_named
    from orchestrator.telemetry import exposition

    if check:
        _lives(ctx, "worker")
        return
    if metrics:
        exposition.share(exposition.place_in_pool)
    from orchestrator.settings import firms
    from workflows.processes import work

    _rehearse(dry_run=dry_run)
    settings = fleet_settings(ctx)
    served = firms(settings.config_dir) or [ctx.obj]
    if len(served) == 1:
        with opened_named(served[0], follow=False):
            pass  # a worker that could do no job must not start; one of many firms keeps it from none of the others
    _measured(metrics, settings)
    hands = concurrency or settings.engine.threads
    _ready_for(served, f"Working with {hands} hands for {_called(served)}.", settings)
    raise typer.Exit(work(settings, concurrency=hands))


def beat(  # noqa: PLR0917  options, every one named
    ctx: typer.Context, firm: FirmsOption = None, every: EveryOption = False, dry_run: DryRunOption = False,
    check: CheckOption = False, metrics: MetricsOption = None,
) -> None:  # fmt: skip
    """Run the schedule and the dispatcher, for one firm or many.

    A second one on the same database is harmless.
    """
    from orchestrator.cli.firm import fleet_settings, roster

    if check:
        _lives(ctx, "beat")
        return
    from workflows.processes import beat as run

    _rehearse(dry_run=dry_run)
    settings = fleet_settings(ctx)
    beaten = roster(ctx, firm, every=every)
    what = f"Beating for {_called(beaten())}."
    _measured(metrics, settings)
    run(settings, beaten, on_ready=lambda: _ready_for(beaten(), what, settings))
    print("Stopped.")


def _lives(ctx: typer.Context, part: str) -> None:
    """Say that this part of this machine is alive, or raise with the sentence that says it is not."""
    from orchestrator.cli.firm import settings_of
    from workflows.alive import check

    settings = settings_of(ctx)
    age = check(settings.run_dir, part, within_seconds=settings.engine.deaf_seconds)
    print(f"The {part} is alive: its last sign was {age:.0f} s ago.")


def _answers(listen: str) -> None:
    """Say that the web process answers at its address, or raise with the sentence that says it does not."""
    from urllib.error import URLError
    from urllib.request import urlopen

    from orchestrator.cli.firm import Refused

    host, _, port = listen.rpartition(":")
    # Listening everywhere, it listens here.
    address = f"http://{'127.0.0.1' if host in {'', '0.0.0.0'} else host}:{port}/health/live"  # noqa: S104
    try:
        urlopen(address, timeout=5).close()
    except (URLError, OSError) as silent:
        raise Refused(f"{address} does not answer: start or restart `orchestrator serve`.") from silent
    print(f"{address} answers.")


def migrate(ctx: typer.Context, every: EveryOption = False) -> None:
    """Bring the database to the newest schema; safe to repeat.

    With --all every firm's, and exit code 1 when one could not be.
    """
    from orchestrator.cli.failures import sentence
    from orchestrator.cli.firm import settings_of, with_profiles
    from orchestrator.settings import load

    settings = settings_of(ctx)
    if not every:
        print(_migrated(settings))
        return
    failed = 0
    for name in with_profiles(settings.config_dir):
        try:
            print(f"{name}: {_migrated(load(name))}", flush=True)
        except Exception as trouble:  # noqa: BLE001  one firm's trouble is said, and the next is migrated
            failed += 1
            print(f"{name}: {sentence(trouble)[0]}", file=sys.stderr)
    raise typer.Exit(int(failed > 0))


def _migrated(settings: "Settings") -> str:
    from orchestrator.storage.migrate import migrate as run
    from orchestrator.storage.unit_of_work import connect

    engine = connect(settings.database_url)
    try:
        before, after = run(engine)
    finally:
        engine.dispose()
    if before == after:
        return f"The database is at revision {after} already."
    return f"Migrated {before or 'an empty database'} → {after}."


COMMANDS: dict[str, Callable[..., Any]] = {
    "up": up, "serve": serve, "worker": worker, "beat": beat, "migrate": migrate,
}  # fmt: skip
