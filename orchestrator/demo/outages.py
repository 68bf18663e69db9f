"""What is away for a while: the mail relay, Clio, Redis, or the worker itself, stopped or killed."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from orchestrator.demo.driver import Driver
from orchestrator.demo.people import Act, Scene
from orchestrator.demo.processes import Processes, start_worker, worker_names
from orchestrator.demo.wire import Wire
from orchestrator.demo.words import Word, office_date

HOUR_SECONDS = 3600
DAY_HOURS = 24
MIDST_SECONDS = 0.4
"""How long the worker is at its work before it is killed."""


@dataclass
class Outages:
    """The hands that take things away and bring them back, and what was survived."""

    driver: Driver
    processes: Processes
    env: Mapping[str, str]
    broker: Wire | None
    survived: list[str] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    closed: list[date] = field(default_factory=list)
    """Days on which nobody was at work when the office opened."""
    _gone: set[str] = field(default_factory=set)

    def halt(self, *, kill: bool = False) -> None:
        """Nobody works from now on: every process of the worker is asked to end, or killed."""
        self.processes.end(worker_names(self.env), kill=kill)
        self.gone("worker")

    def resume(self) -> None:
        start_worker(self.processes, self.env)
        self.back("worker")

    def gone(self, what: str) -> None:
        """Without the worker, or without its broker, nobody is at work."""
        self._gone.add(what)
        self.driver.nobody = True

    def back(self, what: str) -> None:
        """One of several that are away may come back first: somebody is at work once none is."""
        self._gone.discard(what)
        self.driver.nobody = bool(self._gone)


def mail_away(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    return _outside(scene, facts, "smtp", "refuse", "the mail relay")


def clio_away(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    return _outside(scene, facts, "* *", "status", "Clio", code=503)


def _outside(scene: Scene, facts: Mapping[str, Any], on: str, do: str, who: str, **params: Any) -> str | None:
    scene.sandbox.fault(on, do, times=None, for_seconds=facts["hours"] * HOUR_SECONDS, **params)
    _of(scene).driver.away(_back(scene, facts))
    return _told(_of(scene), f"{who} away for {_long(facts['hours'])}")


def worker_away(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    outages = _of(scene)
    outages.halt()
    _back(scene, facts)
    today = office_date(outages.driver.now)
    outages.closed += [today + timedelta(days=day) for day in range(round(facts["hours"] / DAY_HOURS))]
    return _told(outages, f"the worker stopped for {_long(facts['hours'])}")


def worker_back(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    _of(scene).resume()
    return "the worker was started again"


def worker_killed(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    outages = _of(scene)
    time.sleep(MIDST_SECONDS)
    outages.halt(kill=True)
    outages.resume()
    return _told(outages, "the worker killed in the midst of its work (SIGKILL)")


def broker_away(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    outages = _of(scene)
    if outages.broker is None:
        outages.untried.append("Redis away (this worker is one process, and has no broker outside it)")
        return "there is no broker that could be away"
    outages.broker.cut()
    outages.gone("broker")
    _back(scene, facts)
    return _told(outages, f"Redis away for {_long(facts['hours'])}")


def broker_back(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    outages = _of(scene)
    if outages.broker is not None:
        outages.broker.mend()
        outages.back("broker")
    return "the broker is there"


def _of(scene: Scene) -> Outages:
    assert scene.outages is not None
    return scene.outages


def _back(scene: Scene, facts: Mapping[str, Any]) -> datetime:
    """When it will be there again; letters planned until then may miss their day."""
    now = _of(scene).driver.now
    back = now + timedelta(hours=facts["hours"])
    scene.words.say("away", Word("reminder_day_passed", office_date(now), office_date(back)))
    return back


def _told(outages: Outages, words: str) -> str:
    outages.survived.append(words)
    return words


def _long(hours: float) -> str:
    days = hours / DAY_HOURS
    return f"{hours:g} hours" if days < 1 else "a day" if days == 1 else f"{days:g} days"


OUTAGES: dict[str, Act] = {
    "mail_away": mail_away,
    "clio_away": clio_away,
    "worker_away": worker_away,
    "worker_back": worker_back,
    "worker_killed": worker_killed,
    "broker_away": broker_away,
    "broker_back": broker_back,
}
