"""The firm a command works for: its settings, and its runtime while the command lasts."""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import typer

from orchestrator.cli import logs
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import OrchestratorError
from orchestrator.settings import Misconfigured, Settings, firms, load

Found = TypeVar("Found")

EVERY = "all"
DATABASES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


class Refused(OrchestratorError):
    """The command cannot do what was asked; the sentence says why."""


def settings_of(ctx: typer.Context) -> Settings:
    """The settings of the chosen firm, with logs going where they should."""
    return settings_named(ctx.obj)


def settings_named(firm: str) -> Settings:
    """The settings of this firm, with logs going where they should."""
    settings = load(firm)
    if not settings.database_url.startswith(DATABASES):
        raise Misconfigured("ORCH_DATABASE_URL is neither sqlite:///FILE nor postgresql://USER@HOST/NAME.")
    logs.configure(production=settings.production, secrets=settings.secrets)
    return settings


def roster(ctx: typer.Context, named: list[str] | None, *, every: bool) -> Callable[[], list[str]]:
    """The firms that a process serves: all that have a profile, looked up anew at each call, or those named."""
    if every or named == [EVERY]:
        return partial(with_profiles, settings_of(ctx).config_dir)
    chosen = named or [ctx.obj]
    for name in chosen:
        load(name)
    return lambda: chosen


def with_profiles(config_dir: Path) -> list[str]:
    """The names of all firms, or `Misconfigured` when there is none."""
    if not (found := firms(config_dir)):
        raise Misconfigured(f"There is no firm in {config_dir / 'firms'}: a firm is a file NAME.toml there.")
    return found


def opened(ctx: typer.Context, *, follow: bool = True) -> AbstractContextManager[Runtime]:
    """The chosen firm's runtime, as `opened_named` has it."""
    return opened_named(ctx.obj, follow=follow)


@contextmanager
def opened_named(firm: str, *, follow: bool = True) -> Iterator[Runtime]:
    """The firm's runtime on a database of this code's revision; `Misconfigured` says what is in the way.

    On a dry run's database every command is part of the dry run, unless it may not `follow` and has to be told.
    """
    from orchestrator.bootstrap import begin, build
    from orchestrator.storage.migrate import require_newest

    settings = settings_named(firm)
    require_database(settings.database_url)
    rt = build(settings, firm)
    try:
        require_newest(rt.uow.engine)
        if settings.dry_run or not follow:
            begin(rt)
        elif _begun_dry(rt):
            rt.close()
            rt = build(settings.model_copy(update={"dry_run": True}), firm)
        yield rt
    finally:
        rt.close()


def _begun_dry(rt: Runtime) -> bool:
    with rt.read() as work:
        begun = work.imagined.begun()
    return begun is not None and bool(begun["dry_run"])


def require_database(url: str) -> None:
    """`Misconfigured` when a SQLite file is not there: looking at one would make it."""
    path = url.partition("sqlite:///")[2]
    if path and not Path(path).is_file():
        raise Misconfigured(f"There is no database at {path} yet: run `orchestrator migrate` first.")


def fleet_settings(ctx: typer.Context) -> Settings:
    """Settings for a process that is one of several: they need a broker that all of them can reach."""
    settings = settings_of(ctx)
    if settings.embedded:
        raise Misconfigured(
            "ORCH_BROKER_URL is memory://, which lives inside one process: set a Redis address, or run `orchestrator up`."
        )
    return settings


def require_free(listen: str, named: str = "ORCH_LISTEN") -> None:
    """`Misconfigured` when nobody can listen there: a bad address, or one that is taken."""
    host, _, port = listen.rpartition(":")
    try:
        with socket.create_server((host or "127.0.0.1", int(port))):
            return
    except (ValueError, OverflowError) as wrong:
        raise Misconfigured(f"{named}: {listen!r} is not host:port.") from wrong
    except OSError as taken:
        raise Misconfigured(f"{named}: nothing can listen on {listen}: {os.strerror(taken.errno or 0)}.") from taken


def required(found: Found | None, sentence: str) -> Found:
    """What was found, or `Refused` with this sentence."""
    if found is None:
        raise Refused(sentence)
    return found


def one_of(given: str | None, known: Iterable[str], option: str) -> None:
    """Wrong usage when something is given that is not known."""
    if given is not None and given not in (names := sorted(known)):
        raise typer.BadParameter(f"{option} {given!r} is not one of {', '.join(names)}.")
