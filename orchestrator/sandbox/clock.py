"""Sandbox time: the real clock with an offset, or a frozen one, and whatever falls due as it moves."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(order=True)
class _Due:
    at: datetime
    turn: int
    act: Callable[[], None] = field(compare=False)


class Clock:
    """Tells sandbox time and runs what falls due, in order, each thing at its own moment."""

    def __init__(self, now: datetime | None = None, *, frozen: bool = False) -> None:
        self._agenda: list[_Due] = []
        self._turns = itertools.count()
        self._held: datetime | None = None
        self._offset = (now - datetime.now(UTC)) if now else timedelta()
        self._frozen: datetime | None = (now or datetime.now(UTC)) if frozen else None

    def now(self) -> datetime:
        """The sandbox's present moment; while something due runs, the moment it was due."""
        return self._held or self._frozen or datetime.now(UTC) + self._offset

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def freeze(self, frozen: bool) -> None:
        """Stop or start time where it stands."""
        if frozen and self._frozen is None:
            self._frozen = self.now()
        elif not frozen and self._frozen is not None:
            self._offset, self._frozen = self._frozen - datetime.now(UTC), None

    def at(self, moment: datetime, act: Callable[[], None]) -> None:
        """Run `act` once, when sandbox time reaches `moment`."""
        heapq.heappush(self._agenda, _Due(moment, next(self._turns), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self.at(self.now() + timedelta(seconds=seconds), act)

    def move_to(self, moment: datetime) -> None:
        """Jump to `moment`, running on the way all that falls due; jumping back runs nothing."""
        self._run_due(moment)
        if self._frozen is not None:
            self._frozen = moment
        else:
            self._offset = moment - datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        self.move_to(self.now() + timedelta(seconds=seconds))

    def catch_up(self) -> None:
        """Run what has fallen due since anyone last looked."""
        if self._agenda and self._held is None:
            self._run_due(self.now())

    def _run_due(self, until: datetime) -> None:
        while self._agenda and self._agenda[0].at <= until:
            due = heapq.heappop(self._agenda)
            self._held = due.at
            try:
                due.act()
            finally:
                self._held = None


def stamp(moment: datetime) -> str:
    """RFC 3339 with whole seconds, as Clio writes its timestamps."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """Read RFC 3339 or a plain date; a missing zone means UTC. Raises ValueError otherwise."""
    read = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)
