"""A backup becomes the firm's database, marked as one that must recover before anything leaves (F57)."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from orchestrator.engine import lineage
from orchestrator.ports import Clock
from orchestrator.storage import backup
from orchestrator.storage.backup import BackupRefused
from orchestrator.storage.lineage import Cause, Life
from orchestrator.storage.migrate import migrate, revision_of
from orchestrator.storage.tables import jobs
from orchestrator.storage.unit_of_work import UnitOfWork, Work, connect

SILENT_SECONDS = 40.0
"""A beat and a heartbeat are due every 15 s; this long without either, nothing runs."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The database is in place; `kept` is where the former one is, `since` the last moment the backup knows."""

    before: str
    revision: str
    kept: str | None
    life: Life


def restore_database(
    url: str, file: Path, *, replace: bool, clock: Clock, stamp: str, settle_seconds: float
) -> Restored:  # fmt: skip
    """Put the backup in the database's place, or `BackupRefused`: a running firm is never restored under its own feet."""
    backup.require_whole(url, file)
    _require_room(url, replace=replace, clock=clock)
    place = _sqlite if url.startswith("sqlite") else _postgresql
    return place(url, file, clock=clock, stamp=stamp, settle_seconds=settle_seconds)


def _sqlite(url: str, file: Path, *, clock: Clock, stamp: str, settle_seconds: float) -> Restored:
    target = Path(str(sa.make_url(url).database))
    with backup.copied(file, target) as part:
        uow = UnitOfWork(connect(f"sqlite:///{part}"), clock)
        try:
            before, life = _renewed(uow, settle_seconds)
        finally:
            uow.engine.dispose()
        kept = backup.put_in_place(part, target, stamp=stamp)
    return Restored(*before, str(kept) if kept else None, life)


def _postgresql(url: str, file: Path, *, clock: Clock, stamp: str, settle_seconds: float) -> Restored:
    uow = UnitOfWork(connect(url), clock)
    try:
        kept = backup.set_aside(uow, stamp=stamp)
        try:
            backup.load(url, file)
            before, life = _renewed(uow, settle_seconds)
        except BaseException:
            backup.put_back(uow, kept)
            raise
    finally:
        uow.engine.dispose()
    return Restored(*before, f"schema {kept}" if kept else None, life)


def _renewed(uow: UnitOfWork, settle_seconds: float) -> tuple[tuple[str, str], Life]:
    """Migrated, and its gate shut: the commonest regression needs no guess."""
    with uow.read() as work:
        backup.require_known(str(revision_of(work.connection)))
    before, after = migrate(uow.engine)
    with uow() as work:
        lineage.begin(work, Cause.RESTORED, settle_seconds=settle_seconds)
        # Whoever held a lease is gone; nothing needs to run out first.
        work.connection.execute(sa.update(jobs).values(held_until=None, rung_at=None))
    with uow.read() as work:
        return (str(before), after), work.lineage.life()


def _require_room(url: str, *, replace: bool, clock: Clock) -> None:
    if url.startswith("sqlite") and not Path(str(sa.make_url(url).database)).exists():
        return
    uow = UnitOfWork(connect(url), clock)
    try:
        with uow.read() as work:
            tables = sa.inspect(work.connection).get_table_names()
            if "jobs" not in tables:
                if tables:
                    raise BackupRefused(
                        "The database holds tables that are not ours: name another in ORCH_DATABASE_URL."
                    )
                return
            _require_silence(work)
            if not replace and work.jobs.counts():
                raise BackupRefused(
                    "The database is not empty. With --replace the backup takes its place, and it is kept under another name."
                )
    except sa.exc.DatabaseError as damaged:
        if not replace or not url.startswith("sqlite"):
            raise BackupRefused(
                f"The database cannot be read ({type(damaged).__name__}). With --replace a SQLite file is set aside unread."
            ) from damaged
    finally:
        uow.engine.dispose()


def _require_silence(work: Work) -> None:
    ages = {name: age["age_seconds"] for name, age in work.pulses.ages().items() if name in ("beat", "heartbeat")}
    alive = sorted(name for name, age in ages.items() if age < SILENT_SECONDS)
    if alive or work.jobs.held():
        last = (
            f"the last sign of life ({alive[0]}) is {max(0.0, ages[alive[0]]):.0f} s old"
            if alive
            else "a worker holds a job"
        )
        raise BackupRefused(
            f"The firm is running: {last}. Stop every process, wait until {SILENT_SECONDS:.0f} s are over, and try again."
        )
