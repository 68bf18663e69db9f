"""`orchestrator backup` and `orchestrator restore`: one file that holds a firm's database, and the way back."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.show import JsonOption, Page, say_json


def backup(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to make; one that is there is never overwritten.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Write the firm's database to one file, while everything runs.

    The file is whole and verified, or not there; only its owner can read it. Configuration and secret keys are not inside.

    JSON: file, size_bytes, revision, at.
    """
    from datetime import UTC, datetime

    from orchestrator.cli.firm import require_database, settings_of
    from orchestrator.storage.backup import take

    settings = settings_of(ctx)
    require_database(settings.database_url)
    page, at = Page(settings.firm.zone), datetime.now(UTC)
    with page.waiting("Copying and verifying"):
        taken = take(settings.database_url, file)
    if as_json:
        say_json({"file": str(taken.file), "size_bytes": taken.size_bytes, "revision": taken.revision, "at": at})
        return
    page.line(
        f"Backed up to {taken.file}: {taken.size_bytes:,} bytes, revision {taken.revision}, at {at:%Y-%m-%d %H:%M:%S} UTC."
    )
    page.line("The configuration and ORCH_SECRET_KEY are not in it: keep them as well, in another place.")


def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `orchestrator backup` made.")],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Take the place of a database that is not empty; that one is kept under another name."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a backup the firm's database. Every process of the firm must have stopped.

    Brings it to this version's schema. When the firm starts again it recovers first: it reads Clio for what was done since
    the backup, and nothing leaves before that is known.

    JSON: file, revision_before, revision, kept, known_until.
    """
    from datetime import UTC, datetime

    from orchestrator.bootstrap import clock_alone
    from orchestrator.cli.firm import settings_of
    from orchestrator.usecases.restore_database import restore_database

    settings = settings_of(ctx)
    page = Page(settings.firm.zone)
    with page.waiting("Restoring"), clock_alone(settings) as clock:
        done = restore_database(
            settings.database_url, file, replace=replace, clock=clock,
            stamp=f"{datetime.now(UTC):%Y%m%dT%H%M%S}", settle_seconds=settings.engine.settle_seconds,
        )  # fmt: skip
    known = done.life.since
    if as_json:
        say_json(
            {
                "file": str(file),
                "revision_before": done.before,
                "revision": done.revision,
                "kept": done.kept,
                "known_until": known,
            }
        )
        return
    moved = "" if done.before == done.revision else f", migrated from {done.before}"
    page.line(
        f"Restored from {file}: revision {done.revision}{moved}."
        + (f" The former database is kept: {done.kept}." if done.kept else "")
    )
    until = f" after {known:%Y-%m-%d %H:%M:%S} UTC" if known else ""
    page.line(
        f"It knows nothing of what happened{until}: started, the firm first finds that out, and sends nothing before."
    )
