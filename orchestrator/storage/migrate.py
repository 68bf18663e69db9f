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


def require_newest(engine: sa.Engine) -> None:
    """Raise `Misconfigured` when the database is not at this code's revision."""
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != newest():
        raise Misconfigured(
            f"The database is at revision {found or 'none'}, not {newest()}: run `orchestrator migrate` first."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
