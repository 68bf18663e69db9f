"""The real parts a measurement is made on: a sandbox over HTTP, databases, a broker, and firms in and out of this process."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import redis

from orchestrator.sandbox import SandboxHandle, running_sandbox
from tests.firm import CONFIG, START
from tests.servers import postgres, valkey

UNLIMITED = 1_000_000
QUIET = {"notes": {"events": (), "paid_field": None}}
"""Only link, message and log follow from a bill."""


def busy_firm(*, users: int = 5, clients: int = 1, **many: Any) -> dict[str, Any]:
    """The busy scenario with so many users, each good for 50 links a day, and no bills unless `many` says so."""
    scenario = tomllib.loads((CONFIG / "sandbox" / "busy.toml").read_text("utf-8"))
    extra = range(users - len(scenario["users"]))
    scenario["users"] += [
        {"key": f"extra-{place}", "name": f"Extra {place}", "email": f"extra{place}@granitewells.test"}
        for place in extra
    ]
    scenario["many"] |= {"clients": clients, "bills_per_matter": 0, **many}
    return scenario


@contextmanager
def sandbox_of(
    scenario: str | dict[str, Any], *, live: bool = False, rate_limit: int = UNLIMITED
) -> Iterator[SandboxHandle]:
    """A sandbox whose clock stands at START, or runs with the machine's if it is `live`."""
    with running_sandbox(scenario, now=None if live else START, frozen=not live, rate_limit=rate_limit) as sandbox:
        yield sandbox


LIVE = {"ORCH_CLOCK_URL": ""}
"""Processes beside a live sandbox read the machine's clock, as in a firm: asking for a moved one costs a call each time."""


@contextmanager
def sqlite() -> Iterator[str]:
    """A database file on the disk, synced at every commit as in a firm."""
    with TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True) as folder:
        yield f"sqlite:///{folder}/firm.sqlite3"


@dataclass(frozen=True, slots=True)
class Servers:
    """A PostgreSQL database that syncs every commit, a broker, and a folder for logs."""

    database_url: str
    broker_url: str
    folder: Path


@contextmanager
def servers() -> Iterator[Servers]:
    with (
        TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True) as folder,
        postgres(durable=True) as server,
        valkey(Path(folder)) as broker_url,
    ):
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS benchmarks WITH (FORCE)")
            connection.execute("CREATE DATABASE benchmarks")
        with redis.Redis.from_url(broker_url) as store:
            store.flushdb()
        yield Servers(f"{server}/benchmarks", broker_url, Path(folder))


def calls(sandbox: SandboxHandle) -> int:
    """How many calls to Clio the sandbox has counted."""
    return int(sandbox.counts()["total_calls"])
