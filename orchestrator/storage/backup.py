"""One file that holds a whole database, taken while everything runs, and the way back; for SQLite and PostgreSQL.

PostgreSQL is dumped and restored by its own programs. Nothing is ever overwritten: a backup is written beside its name and
linked to it at the end, and the database that a restored one replaces is kept.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from orchestrator.errors import Rejected
from orchestrator.storage.migrate import known_revisions, revision_of
from orchestrator.storage.unit_of_work import UnitOfWork

ASIDE = "before_"
"""How the name of a schema begins that holds a PostgreSQL database which was replaced; never part of a backup."""


class BackupRefused(Rejected):
    """The backup or the restoring cannot be done; the sentence says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One backup, whole and verified."""

    file: Path
    size_bytes: int
    revision: str


def take(url: str, file: Path) -> Taken:
    """Write the database of `url` to `file`, readable by its owner only; `BackupRefused` when the file is there already."""
    if file.exists():
        raise BackupRefused(f"{file} is there already: a backup never overwrites. Choose another name.")
    if not file.parent.is_dir():
        raise BackupRefused(f"{file.parent} is not a folder: make it first.")
    with _beside(file) as part:
        if url.startswith("sqlite"):
            _copy(_path(url), part)
            revision = _verified(part)
        else:
            revision = _dump(url, part)
        try:
            os.link(part, file)
        except FileExistsError:
            raise BackupRefused(f"{file} has appeared meanwhile: a backup never overwrites.") from None
    return Taken(file, file.stat().st_size, revision)


def require_whole(url: str, file: Path) -> None:
    """`BackupRefused` when `file` is no whole backup of this kind of database, or of a revision this code does not know."""
    if not file.is_file():
        raise BackupRefused(f"There is no file {file}.")
    if url.startswith("sqlite"):
        require_known(_verified(file))
    else:
        _run(
            "pg_restore",
            "--list",
            str(file),
            env={},
            advice=f"{file} is no backup made by `orchestrator backup` from PostgreSQL.",
        )


def require_known(revision: str) -> None:
    """`BackupRefused` when a newer version than this one made it."""
    if revision not in known_revisions():
        raise BackupRefused(
            f"The backup is at revision {revision}, which this version does not know: "
            "install the version that made it, or a newer one."
        )


@contextmanager
def copied(file: Path, target: Path) -> Iterator[Path]:
    """A copy of a SQLite backup beside the database it is to become; gone after, unless it was moved into place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _beside(target) as part:
        _copy(file, part)
        yield part


def put_in_place(part: Path, target: Path, *, stamp: str) -> Path | None:
    """Make a SQLite file the database; the former one keeps its contents under another name, which is returned."""
    kept = None
    if target.exists():
        kept = target.with_name(f"{target.name}.before-{stamp}")
        if kept.exists():
            raise BackupRefused(f"{kept} is there already: wait a second and try again.")
        # What its log still holds goes with it.
        with closing(sqlite3.connect(target)) as former:
            former.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        target.rename(kept)
        for ending in ("-wal", "-shm"):
            target.with_name(target.name + ending).unlink(missing_ok=True)
    part.rename(target)
    return kept


def set_aside(uow: UnitOfWork, *, stamp: str) -> str | None:
    """Rename the schema of a PostgreSQL database and make an empty one; returns the name, None when there was nothing in it."""
    with uow() as work:
        kept = ASIDE + stamp if sa.inspect(work.connection).get_table_names() else None
        if kept is not None:
            work.connection.execute(sa.text(f'ALTER SCHEMA public RENAME TO "{kept}"'))
            work.connection.execute(sa.text("CREATE SCHEMA public"))
    return kept


def put_back(uow: UnitOfWork, kept: str | None) -> None:
    """Undo `set_aside`, and whatever was begun since."""
    with uow() as work:
        work.connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        work.connection.execute(sa.text(f'ALTER SCHEMA "{kept}" RENAME TO public' if kept else "CREATE SCHEMA public"))


def load(url: str, file: Path) -> None:
    """Read a PostgreSQL backup into an empty database, all of it or nothing."""
    _run(
        "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--schema=public",
        f"--dbname={sa.make_url(url).database}", str(file), env=_connection(url), advice="Nothing was changed.",
    )  # fmt: skip


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + ending).unlink(missing_ok=True)


def _path(url: str) -> Path:
    return Path(str(sa.make_url(url).database))


def _copy(source: Path, target: Path) -> None:
    """SQLite's online backup: a consistent copy while others write."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as here,
        closing(sqlite3.connect(target)) as there,
    ):
        here.backup(there)
        # One file, whole by itself.
        there.execute("PRAGMA journal_mode=DELETE")


def _verified(file: Path) -> str:
    """The revision of a SQLite file that passes SQLite's own check."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            [(said,)] = copy.execute("PRAGMA integrity_check(1)").fetchall()
            found = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as fault:
        raise BackupRefused(f"{file} is no whole SQLite database of ours: {fault}.") from fault
    if said != "ok" or found is None:
        raise BackupRefused(f"{file} is damaged: {said}.")
    return str(found[0])


def _dump(url: str, part: Path) -> str:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            revision = revision_of(connection)
    finally:
        engine.dispose()
    if revision is None:
        raise BackupRefused("The database has no schema yet: run `orchestrator migrate` first.")
    name = str(sa.make_url(url).database)
    _run(
        "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--exclude-schema={ASIDE}*", f"--file={part}", name,
        env=_connection(url), advice="Nothing was written.",
    )  # fmt: skip
    _run("pg_restore", "--list", str(part), env={}, advice="The dump cannot be read back.")
    return revision


def _run(program: str, *arguments: str, env: Mapping[str, str], advice: str) -> None:
    found = shutil.which(program)
    if found is None:
        said = " ".join((program, *arguments))
        raise BackupRefused(
            f"{program} is not on the PATH. Install PostgreSQL's client programs, or run where they are: {said}"
        )
    # The password travels in the environment: a command line is there for all to read.
    done = subprocess.run(  # noqa: S603  our own words, the firm's settings and the file that was named
        [found, *arguments], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        raise BackupRefused(f"{said.rstrip('.')}. {advice}")


def _connection(url: str) -> dict[str, str]:
    parts = sa.make_url(url)
    named = {
        "PGHOST": parts.host, "PGPORT": parts.port, "PGUSER": parts.username, "PGPASSWORD": parts.password,
        "PGSSLMODE": parts.query.get("sslmode"), "PGSSLROOTCERT": parts.query.get("sslrootcert"),
    }  # fmt: skip
    return {name: str(value) for name, value in named.items() if value}
