"""The audit chain (T47): each line carries the hash of the one before it: none can be changed, taken out or put in unseen.

What the lines themselves cannot show, that the newest of them are gone or that all were written anew, heads show that were
noted outside the database.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

GENESIS = "0" * 64
"""What the first line carries for the one before it."""

STEP_BACK = timedelta(minutes=3)
"""How far a line may be dated before the last one: the clocks of a firm's machines differ by so much (F60)."""

RECOVERED = "recovery.began"
"""The line that begins another life of the database; lines that an older copy of it never had are not missed after it (F57)."""


class Fault(StrEnum):
    EDITED = "edited"
    MISSING = "missing"
    CUT = "cut"
    CLOCK_BACK = "clock_back"


WORDS = {
    Fault.EDITED: "is not as it was written",
    Fault.MISSING: "is missing",
    Fault.CUT: "is missing, and every line after it",
    Fault.CLOCK_BACK: "is dated before the line above it: the clock was put back",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One audit line; `prev` and `hash` are None in a line that an older version wrote and nobody has sealed yet."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: str
    facts: Mapping[str, Any]
    prev: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line at some moment, as it was noted outside the database in one of its lives."""

    seq: int
    hash: str
    era: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a line, or with the place where one was."""

    seq: int
    fault: Fault

    @property
    def words(self) -> str:
        return f"Line {self.seq} {WORDS[self.fault]}."


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as a database gives them back: what is hashed must not depend on how a caller wrote them."""
    read: dict[str, Any] = json.loads(json.dumps(facts))
    return read


def line_hash(line: Line, prev: str) -> str:
    """64 hex digits over everything a line says and the line before it."""
    said = [
        "v1", prev, line.seq, line.at.astimezone(UTC).isoformat(), line.actor, line.action, line.subject_kind,
        line.subject_id, line.facts,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass
class Check:
    """Reads a chain once, in order, and remembers what is wrong with it; of any length, in the same memory.

    A part of a chain may be read, from after a line that is known: then `last_seq` and `last_hash` are that line's.
    """

    heads: Sequence[Head] = ()
    last_seq: int = 0
    last_hash: str = GENESIS
    last_at: datetime | None = None
    lines: int = 0
    unsealed: int = 0
    findings: list[Finding] = field(default_factory=list)
    lives: list[Line] = field(default_factory=list)
    """The lines that began another life of the database."""
    _seen: dict[int, tuple[str, int]] = field(default_factory=dict)

    MOST = 100
    """Findings kept: the first is what matters."""

    def __post_init__(self) -> None:
        self._noted = {head.seq for head in self.heads}
        self._open = 0

    def read(self, lines: Iterable[Line]) -> "Check":
        for line in lines:
            self._look(line)
        return self

    def end(self) -> "Check":
        """Compare what was read with the heads that were noted outside."""
        self.findings += [finding for head in self.heads if (finding := self._missed(head)) is not None]
        self.findings.sort(key=lambda finding: finding.seq)
        return self

    @property
    def first(self) -> Finding | None:
        """The first line that proves the record was changed; a clock that was put back changes nothing."""
        return next((one for one in self.findings if one.fault is not Fault.CLOCK_BACK), None)

    @property
    def clock(self) -> Finding | None:
        """The first line that is dated before the one above it."""
        return next((one for one in self.findings if one.fault is Fault.CLOCK_BACK), None)

    def _look(self, line: Line) -> None:
        self.lines += 1
        if line.hash is None:
            self._open = self._open or line.seq
            self.unsealed += 1
            return
        if (fault := self._fault(line)) is not None:
            self._find(*fault)
        if self.last_at is not None and line.at < self.last_at - STEP_BACK:
            self._find(line.seq, Fault.CLOCK_BACK)
        if line.action == RECOVERED:
            self.lives.append(line)
        if line.seq in self._noted:
            self._seen[line.seq] = (line.hash, len(self.lives))
        self.last_seq, self.last_hash, self.last_at = line.seq, line.hash, line.at
        # One without a hash among sealed ones was put there: sealing leaves none behind.
        self.unsealed = self._open = 0

    def _fault(self, line: Line) -> tuple[int, Fault] | None:
        if self._open:
            return self._open, Fault.EDITED
        if line.hash != line_hash(line, str(line.prev)):
            return line.seq, Fault.EDITED
        if line.prev == self.last_hash:
            return None
        if line.seq > self.last_seq + 1:
            return self.last_seq + 1, Fault.MISSING
        return self.last_seq or line.seq, Fault.EDITED

    def _find(self, seq: int, fault: Fault) -> None:
        if len(self.findings) < self.MOST:
            self.findings.append(Finding(seq, fault))

    def _missed(self, head: Head) -> Finding | None:
        """What a noted head says that the chain does not; one of a life that was lost and recovered from says nothing."""
        if self._life_of(head) < self._life_at(head.seq):
            return None
        if head.seq > self.last_seq:
            return Finding(self.last_seq + 1, Fault.CUT)
        found = self._seen.get(head.seq)
        if found is None:
            return Finding(head.seq, Fault.MISSING)
        return Finding(head.seq, Fault.EDITED) if found[0] != head.hash else None

    def _life_of(self, head: Head) -> int:
        lives = [index for index, life in enumerate(self.lives, 1) if head.era.startswith(life.subject_id)]
        return lives[-1] if lives else 0

    def _life_at(self, seq: int) -> int:
        return self._seen[seq][1] if seq in self._seen else len(self.lives)


def check(lines: Iterable[Line], heads: Iterable[Head] = ()) -> Check:
    """A whole chain, against the heads that were noted of it."""
    return Check(tuple(heads)).read(lines).end()
