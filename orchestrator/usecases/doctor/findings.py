"""What a check says, and who may be asked: the words of the doctor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.engine.runtime import Runtime
from orchestrator.settings import Settings


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing; `do` is what a person does next, empty when nothing is needed."""

    level: Level
    said: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Probes:
    """What is outside and not the work's business: each answers within seconds, or raises."""

    broker: Callable[[], Mapping[str, str | None]]
    mail: Callable[[], Mapping[str, str | None]]
    clocks: Callable[[], Mapping[str, float | None]]
    """By whose clock: the seconds that this machine's is ahead of it; None where it could not be read."""
    outdated_secrets: Callable[[], int]
    """Values in the database that only a former key opens."""
    database: Callable[[], Mapping[str, str]]
    """Dialect, version, revision, the revision wanted, and for SQLite its journal."""
    limiter: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Patient:
    """The firm under examination; without a runtime only its settings can be looked at."""

    settings: Settings
    rt: Runtime | None
    probes: Probes | None

    @property
    def runtime(self) -> Runtime:
        assert self.rt is not None
        return self.rt

    @property
    def probe(self) -> Probes:
        assert self.probes is not None
        return self.probes


Look = Callable[[Patient], Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table: what it is called, how it looks, and the check without which looking is no use."""

    name: str
    look: Look
    needs: str | None = None


def ok(said: str) -> Finding:
    return Finding(Level.OK, said)


def warning(said: str, do: str) -> Finding:
    return Finding(Level.WARNING, said, do)


def problem(said: str, do: str) -> Finding:
    return Finding(Level.PROBLEM, said, do)
