"""Which life of the database this is, how far it came, and whether it recovers from having lost a part of it (F57).

    open ──regression──► adopting ──our links are known again──► sweeping ──everything was read──► open

The era changes with every recovery, so that a mark made outside tells this database from an older copy of itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import sqlalchemy as sa

from orchestrator.domain.audit_chain import Head
from orchestrator.domain.ids import effect_key
from orchestrator.storage.repository import Repository
from orchestrator.storage.tables import jobs, lineage, pulses

DOUBT = timedelta(days=2)
"""How long after a recovery what is decided anew may still be what the lost part of the past decided and did."""

MARGIN = timedelta(days=1)
"""How far before the last known moment the lost past is taken to begin: clocks differ, and a search more costs little."""

LONGEST = timedelta(days=91)
"""How far back to look when nothing says how much is missing: no payment link lives longer (API notes §10)."""


class Gate(StrEnum):
    """What may be claimed: everything, or only what finds out what happened."""

    OPEN = "open"
    ADOPTING = "adopting"
    SWEEPING = "sweeping"


class Cause(StrEnum):
    """Why the database is taken for an older copy of itself, or of a part of itself."""

    RESTORED = "restored"
    BEHIND = "behind"
    UNMARKED = "unmarked"
    OTHER = "other"
    UNKNOWN_LINK = "unknown_link"
    AUDIT_CUT = "audit_cut"


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a database was: `count` only grows within an `era`; `seq` and `head` are the newest line of its audit chain."""

    era: str
    count: int
    seq: int = 0
    head: str = ""


class Mark(Protocol):
    """One place that remembers; a `lasting` one is missing only if somebody took it away."""

    @property
    def lasting(self) -> bool: ...

    def read(self) -> Reached | None:
        """What was last noted; None when nothing was, or nothing legible. `Transient` when the place cannot be reached."""
        ...

    def write(self, reached: Reached) -> None:
        """Note it; a place that cannot be written is told to the log and costs nothing else."""
        ...


class Heads(Protocol):
    """Where the head of each day's audit chain is noted; lines are only ever added to it (F82)."""

    def read(self) -> list[Head]:
        """Every head that was noted, oldest first; a line that cannot be read is left out."""
        ...

    def add(self, head: Head) -> None:
        """Note one more; a place that cannot be written is told to the log and costs nothing else."""
        ...


@dataclass(frozen=True, slots=True)
class Life:
    """The row: `since` is the last moment this database certainly knew, None when nothing can be said."""

    era: str
    count: int
    gate: Gate
    past_era: str | None
    cause: Cause | None
    since: datetime | None
    began_at: datetime | None
    adopted_at: datetime | None
    recovered_at: datetime | None

    @property
    def recovering(self) -> bool:
        return self.gate is not Gate.OPEN

    @property
    def lost_from(self) -> datetime:
        """The earliest moment of which this database may have lost something; only for one that has recovered, or does."""
        assert self.began_at is not None
        return (self.since or self.began_at - LONGEST) - MARGIN

    def doubtful(self, created_at: datetime) -> bool:
        """Whether what was intended at this moment may have been done in the part of the past that was lost."""
        return self.recovered_at is not None and created_at <= self.recovered_at + DOUBT


_LIFE = sa.select(lineage)


class Lineage(Repository):
    def life(self) -> Life:
        row = dict(self.connection.execute(_LIFE).mappings().one())
        del row["id"]
        cause = Cause(row["cause"]) if row["cause"] else None
        return Life(**{**row, "gate": Gate(row["gate"]), "cause": cause})

    def advance(self) -> Reached:
        """Count one further; returns what a mark outside may say once this is committed."""
        counted = sa.update(lineage).values(count=lineage.c.count + 1).returning(lineage.c.era, lineage.c.count)
        era, count = self.connection.execute(counted).one()
        return Reached(era, count)

    def last_known(self) -> datetime | None:
        """The latest moment that this database has a trace of."""
        marks = (sa.select(sa.func.max(column)) for column in (pulses.c.at, jobs.c.updated_at))
        return max(filter(None, (self.connection.execute(mark).scalar_one() for mark in marks)), default=None)

    def begin(self, cause: Cause, *, since: datetime | None) -> Life:
        """Shut the gate in a new era; recovering already, it begins again."""
        life = self.life()
        values = {
            "era": effect_key("era", life.era, life.count, self.now),
            "past_era": life.era,
            "gate": Gate.ADOPTING,
            "cause": cause,
            # Begun again, what was not known stays unknown.
            "since": min(since, life.since or since) if life.recovering and since else since,
            "began_at": self.now,
            "adopted_at": None,
            "recovered_at": None,
        }
        self.change(sa.update(lineage).values(**values))
        return self.life()

    def adopted(self) -> None:
        self.change(sa.update(lineage).values(gate=Gate.SWEEPING, adopted_at=self.now))

    def recovered(self) -> None:
        self.change(sa.update(lineage).values(gate=Gate.OPEN, recovered_at=self.now))
