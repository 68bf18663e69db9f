"""Bring a firm's database to the newest schema; safe to run again, and by several processes at once."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from orchestrator.settings import Misconfigured

LOCK = 4_077_235_001
"""PostgreSQL advisory lock taken while migrating; any number that nothing else here uses."""


def migrate(engine: sa.Engine) -> tuple[str | None, str]:
    """Run what is missing; returns the revision before and after."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        if before == newest():
            return before, before
        if before is not None and _newer(before):
            # Another program migrated it: what it added is no business of this one (docs/adr/0009).
            return before, before
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, newest()


@cache
def newest() -> str:
    """The revision this code was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def known_revisions() -> set[str]:
    """Every revision that this code can bring to the newest."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def revision_of(connection: sa.Connection) -> str | None:
    """The revision of a database, None for one without a schema."""
    return MigrationContext.configure(connection).get_current_revision()


def require_newest(engine: sa.Engine) -> None:
    """Raise `Misconfigured` when the database is behind this code, or ahead of it by more than additions."""
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found is None or (found != newest() and not _newer(found)):
        raise Misconfigured(
            f"The database is at revision {found or 'none'}, not {newest()}: run `orchestrator migrate` first."
        )


def _newer(found: str) -> bool:
    """Whether a later program of our epoch (a revision's first digit) migrated it; another epoch's raises `Misconfigured`."""
    if found in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}:
        return False
    if found[0] != newest()[0]:
        raise Misconfigured(
            f"The database is at revision {found}, newer than this program can serve: start the version that migrated it."
        )
    return True


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
