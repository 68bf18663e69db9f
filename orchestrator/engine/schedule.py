"""The whole clock on one page: what is done again and again, each tick a job that is unique in its slot (F58)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestrator.engine.lineage import watch
from orchestrator.engine.points import Point
from orchestrator.engine.runtime import Runtime

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tick:
    """A topic that falls due once in every slot of `every`, on the firm's clock, or on real time if `real`."""

    topic: str
    every: timedelta
    real: bool = False
    at_start: timedelta | None = None
    """Also done when a beat starts, at most once in so long: a firm that was away must not wait for its next slot."""


def ticks(
    sweep_seconds: int, *, lawpay_seconds: int | None = None, trust: bool = False, bounces_seconds: int | None = None
) -> tuple[Tick, ...]:
    """Every tick; missed slots collapse into the present one. LawPay's, trust's and bounces' only for a firm that has them."""
    return (
        *(() if bounces_seconds is None else (Tick("bounces.read", timedelta(seconds=bounces_seconds)),)),
        *(() if lawpay_seconds is None else (Tick("lawpay.poll", timedelta(seconds=lawpay_seconds)),)),
        *((Tick("trust.watch", timedelta(hours=24)), Tick("reconcile.nightly", timedelta(hours=24))) if trust else ()),
        Tick("engine.heartbeat", timedelta(seconds=15), real=True),
        Tick("sweep", timedelta(seconds=sweep_seconds), at_start=min(AT_START, timedelta(seconds=sweep_seconds))),
        Tick("billing.plan", timedelta(hours=1)),
        Tick("links.allot", timedelta(hours=1)),
        Tick("links.upkeep", timedelta(hours=12)),
        Tick("reminders.plan", timedelta(hours=1), at_start=timedelta(minutes=10)),
        Tick("webhooks.upkeep", timedelta(hours=6), at_start=timedelta(minutes=10)),
        Tick("account.read", timedelta(hours=12)),
        Tick("engine.tidy", timedelta(hours=24)),
    )


AT_START = timedelta(minutes=5)
"""A beat that starts again and again has the gap swept no more often than this."""


def slot(moment: datetime, every: timedelta) -> str:
    """The name of the slot that `moment` lies in."""
    return (EPOCH + _place(moment, every) * every).strftime("%Y-%m-%dT%H:%M:%SZ")


def _place(moment: datetime, every: timedelta) -> int:
    return (moment - EPOCH) // every


class Beat:
    """Adds the ticks of each new slot. Two beats on one database are harmless: a slot's job exists once."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        lawpay = rt.settings.lawpay.poll_seconds if rt.gateway is not None else None
        trust = bool(rt.settings.trust.accounts)
        told = rt.returns is not None or rt.bounce_hook is not None
        bounces = rt.settings.mail.bounces_seconds if told else None
        self._ticks = ticks(
            rt.settings.sweep.interval_seconds, lawpay_seconds=lawpay, trust=trust, bounces_seconds=bounces
        )
        self._last: dict[str, int] = {}

    def tick(self, real_now: datetime) -> int:
        """Add the jobs of slots that began since the last call; returns how many ticks were due."""
        now = self._rt.clock()
        places = {tick.topic: _place(real_now if tick.real else now, tick.every) for tick in self._ticks}
        due = [tick for tick in self._ticks if self._last.get(tick.topic) != places[tick.topic]]
        if not due:
            return 0
        if any(tick.real for tick in due):
            watch(self._rt, starting=not self._last)
        with self._rt.uow() as work:
            for tick in due:
                starting = tick.at_start if tick.topic not in self._last else None
                name = slot(real_now if tick.real else now, starting or tick.every)
                work.jobs.add(tick.topic, name)
            work.pulses.beat("beat")
        self._rt.passing(Point.TICK_RECORDED)
        self._last = places
        return len(due)
