"""Moves the sandbox's clock from moment to moment, and waits after every move until the worker has caught up."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from orchestrator.demo.days import begin
from orchestrator.engine.schedule import EPOCH, Tick, slot, ticks
from orchestrator.errors import OrchestratorError
from orchestrator.sandbox import SandboxClient
from orchestrator.storage.jobs import LIVE
from orchestrator.storage.tables import jobs
from orchestrator.storage.types import real_now
from orchestrator.storage.unit_of_work import UnitOfWork

STRIDE = timedelta(hours=12)
POLL_SECONDS, LONGEST_POLL_SECONDS = 0.005, 0.06
"""Looking is work too, for the database most of all: the longer it takes, the less often it is asked whether it is done."""

PATIENCE_SECONDS = 90.0

_DUE = sa.and_(jobs.c.state.in_(LIVE), jobs.c.not_before <= sa.bindparam("now"))
_PAUSED = sa.and_(jobs.c.holder.is_(None), jobs.c.held_until > real_now())


class Stuck(OrchestratorError):
    """The worker did not come to rest; the message names what it is still at."""


class Driver:
    """The clock's hand, with an eye on the worker's queue.

    While something outside is away (`until`), a job that pauses before it tries again is at rest as well; while there is
    `nobody` at work, nothing is waited for.
    """

    def __init__(
        self,
        sandbox: SandboxClient,
        engine: sa.Engine,
        *,
        sweep_seconds: int,
        dead: Callable[[], str | None],
    ) -> None:
        self.now = begin()
        self.stops = 0
        self.nobody = False
        self._away_until: datetime | None = None
        self._sandbox, self._dead = sandbox, dead
        self._uow = UnitOfWork(engine, lambda: self.now)
        # One that is also done at a start is known by another name then.
        self._ticks = [tick for tick in ticks(sweep_seconds) if not tick.real and tick.at_start is None]

    def walk_to(self, moment: datetime) -> None:
        """Move to `moment`, stopping wherever the worker has something due and at least every twelve hours."""
        while self.now < moment:
            self.now = min(moment, next_stride(self.now), self._next_due() or moment, self._away_until or moment)
            self._sandbox.clock_set(self.now)
            if self._away_until is not None and self.now >= self._away_until:
                self._back()
            self.rest()

    def away(self, until: datetime) -> None:
        """Something that the worker needs is away until then."""
        self._away_until = max(until, self._away_until or until)

    def rest(self) -> None:
        """Wait until every delivery was made, every slot was seen, and no job is due or in anyone's hands."""
        self.stops += 1
        if self.nobody:
            self._sandbox.settle()
            return
        self._wait(self._slots_seen)
        self._wait(self._idle)
        # A delivery makes work and work makes deliveries: at rest is who is idle on both sides of "nothing on its way".
        while self._sandbox.settle() > 0 or not self._idle():
            self._wait(self._idle)

    def _back(self) -> None:
        """End the pauses that are left: they last a real minute, and hours have passed in the story."""
        self._away_until = None
        with self._uow() as work:
            work.connection.execute(sa.update(jobs).where(jobs.c.state.in_(LIVE), _PAUSED).values(held_until=None))

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, POLL_SECONDS
        while not ready():
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
            if (died := self._dead()) is not None:
                raise Stuck(died)
            if time.monotonic() > deadline:
                raise Stuck(f"The worker does not come to rest at {self.now:%Y-%m-%d %H:%M}: {self._still()}.")

    def _next_due(self) -> datetime | None:
        if self.nobody:
            return None
        with self._uow.read() as work:
            return work.jobs.next_due()

    def _slots_seen(self) -> bool:
        """Whether beat has seen the present moment: the jobs of its slots are there."""
        expected = slot_keys(self._ticks, self.now)
        seen = sa.select(sa.func.count()).where(sa.tuple_(jobs.c.topic, jobs.c.key).in_(expected))
        with self._uow.read() as work:
            return bool(work.connection.execute(seen).scalar_one() == len(expected))

    def _idle(self) -> bool:
        with self._uow.read() as work:
            if self._away_until is None:
                return work.jobs.idle()
            busy = sa.select(jobs.c.id).where(_DUE, sa.not_(sa.func.coalesce(_PAUSED, sa.false()))).limit(1)
            return work.connection.execute(busy, {"now": self.now}).first() is None

    def _still(self) -> str:
        with self._uow.read() as work:
            busy = [row for row in work.jobs.listed(states=LIVE) if row["not_before"] <= self.now]
        said = [f"{row['topic']} is {row['state']} after {row['attempts']} tries ({row['detail']})" for row in busy]
        return "; ".join(said) or "beat has not seen the time"


def next_stride(now: datetime) -> datetime:
    """The next of the day's fixed stops."""
    return EPOCH + ((now - EPOCH) // STRIDE + 1) * STRIDE


def slot_keys(slots: Sequence[Tick], now: datetime) -> list[tuple[str, str]]:
    """The jobs that beat has added once it has seen `now`."""
    return [(tick.topic, slot(now, tick.every)) for tick in slots]
