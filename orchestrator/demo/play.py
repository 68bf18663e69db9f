"""One demo from the first process to the last: start, play, judge, report, and leave nothing running."""

import json
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any

import sqlalchemy as sa
from rich.console import Console

from orchestrator.demo.acting import perform
from orchestrator.demo.books import is_used, read_books
from orchestrator.demo.days import begin, end
from orchestrator.demo.desk import desk, trust_settings
from orchestrator.demo.driver import Driver
from orchestrator.demo.outages import Outages
from orchestrator.demo.people import ROUTINE, Scene
from orchestrator.demo.processes import (
    RATE_LIMIT,
    SWEEP_SECONDS,
    Processes,
    apart,
    start_sandbox,
    start_worker,
    worker_env,
)
from orchestrator.demo.report import Run, figures, show
from orchestrator.demo.screen import Screen, screen
from orchestrator.demo.story import Event, cast_of, story
from orchestrator.demo.wire import Wire, wire_to
from orchestrator.domain.money import CURRENCY
from orchestrator.domain.reminders import GAP_DAYS
from orchestrator.errors import OrchestratorError
from orchestrator.sandbox import SandboxClient
from orchestrator.sandbox.scenario import Scenario, load
from orchestrator.storage.unit_of_work import connect

MEMORY = Path("/dev/shm")  # noqa: S108  a temporary folder is made in it
PROGRAM = Path(sys.executable).with_name("orchestrator")
EMBEDDED = "memory://"
ANOTHER_TRY = timedelta(days=1)


class Failed(OrchestratorError):
    """The demo could not be played; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to play."""

    scenario: str = "small-firm"
    seed: int = 1
    days: int = 45
    sandbox_url: str | None = None
    json_file: Path | None = None
    keep: bool = False


def play(options: Options, *, out: Console, err: Console) -> bool:
    """Play and judge; True when the verdict is clean. With `keep`, everything stays up until Ctrl-C."""
    scenario = load(options.scenario)
    broker = wire_to(os.environ.get("ORCH_BROKER_URL", EMBEDDED))
    with _folder() as folder, broker as near_end, Processes(folder) as processes:
        with screen(err, options.days) as watching:
            run, env = _played(options, scenario, processes, watching, near_end)
        said = figures(run)
        show(out, run, said)
        if options.json_file is not None:
            options.json_file.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        if not said["ok"]:
            out.print(f"The worker's own words: {_kept_logs(folder)}", markup=False)
        if options.keep:
            _stay(out, run, env)
    return bool(said["ok"])


def _played(
    options: Options, scenario: Scenario, processes: Processes, watching: Screen, broker: tuple[Wire | None, str]
) -> tuple[Run, Mapping[str, str]]:
    began = time.monotonic()
    wire, broker_url = broker
    given = {**os.environ, "ORCH_BROKER_URL": broker_url}
    watching.say("starting the sandbox")
    url = options.sandbox_url or start_sandbox(processes, options.scenario, seed=options.seed, now=begin())
    with ExitStack() as at_hand:
        sandbox = at_hand.enter_context(SandboxClient(url))
        if options.sandbox_url:
            start = {"seed": options.seed, "now": begin().isoformat(), "frozen": True, "rate_limit": RATE_LIMIT}
            sandbox.reset(options.scenario, **start)
        state = sandbox.state()
        env = worker_env(
            state, processes.folder, firm=scenario.firm, stages=cast_of(scenario).stages,
            given=given if options.sandbox_url else _without_proxy(given),
            trust=trust_settings(state, scenario.users),
        )  # fmt: skip
        engine = connect(env["ORCH_DATABASE_URL"])
        at_hand.callback(engine.dispose)
        if is_used(engine):
            raise Failed("ORCH_DATABASE_URL names a database that already holds a run: give the demo an empty one.")
        watching.say("starting the worker")
        start_worker(processes, env)
        driver = Driver(sandbox, engine, sweep_seconds=SWEEP_SECONDS, dead=processes.dead)
        outages = Outages(driver, processes, env, wire)
        scene = Scene(sandbox, names=state, desk=at_hand.enter_context(desk(env)), outages=outages)
        events = story(scenario, seed=options.seed, days=options.days)
        told = _tell(events, options.days, driver, scene, watching)
        told |= {"outages": outages.survived, "untried": outages.untried}
        books = read_books(engine, driver.now)
        scene.look()
        oracle = sandbox.oracle() | {"unanswered": _unanswered(scene, outages)}
        _bear_out(scene, oracle)
        about = {
            "seed": options.seed,
            "days": options.days,
            "scenario": scenario.name,
            "rail": "clio_payments",
            "mode": "processes" if apart(env) else "embedded",
            "database": sa.make_url(env["ORCH_DATABASE_URL"]).get_backend_name(),
        }
        run = Run(
            about=about, story=told, record=scene.record, oracle=oracle, counts=sandbox.counts(), books=books,
            currency=CURRENCY[scenario.region], wall_seconds=time.monotonic() - began,
        )  # fmt: skip
    return run, env


def _tell(events: list[Event], days: int, driver: Driver, scene: Scene, watching: Screen) -> dict[str, Any]:
    """Play the events in order; one that finds no occasion is tried again a day later, until the story is over."""
    driver.rest()
    waiting, played, last = sorted(events, key=lambda event: event.at), 0, end(days)
    while waiting:
        event = waiting.pop(0)
        if event.at > last:
            waiting.insert(0, event)
            break
        driver.walk_to(event.at)
        said = perform(scene, event)
        if said is not None:
            played += 1
            watching.say(said)
            if not waiting or waiting[0].at > event.at:
                driver.rest()
        elif event.kind not in ROUTINE:
            again = Event(event.at + ANOTHER_TRY, event.id, event.kind, event.facts)
            waiting = sorted([*waiting, again], key=lambda event: event.at)
        watching.day((driver.now - begin()).days, _counters(scene))
    driver.walk_to(last)
    scene.look()
    watching.day(days, _counters(scene))
    missed = sorted(event.kind for event in waiting)
    return {"events": len(events), "played": played, "without_occasion": missed, "stops": driver.stops}


def _unanswered(scene: Scene, outages: Outages) -> list[dict[str, Any]]:
    """What the sandbox misses of the firm's own sequence, whose days are read from its file as anyone would."""
    assert scene.desk is not None
    settings = scene.desk.settings
    if not settings.reminders.enabled:
        return []
    file = settings.config_dir / "reminders" / f"{settings.reminders.sequence}.toml"
    sequence = tomllib.loads(file.read_text("utf-8"))
    office, closed = settings.office, [day.isoformat() for day in outages.closed]
    limits = {
        "minimum": settings.reminders.minimum_cents / 100, "oldest_days": settings.reminders.oldest_days,
        "grace_days": settings.reminders.grace_days, "gap_days": sequence.get("gap_days", GAP_DAYS),
    }  # fmt: skip
    where = {"zone": str(office.zone), "region": office.region, "closed": closed}
    return scene.sandbox.unanswered(sequence["steps"], limits=limits, **where)


def _bear_out(scene: Scene, oracle: Mapping[str, Any]) -> None:
    """Add what the demo itself knows to have stood against each omission: the sandbox hears no telephone."""
    for missing in (*oracle["unanswered"], *oracle["missing"]):
        on = date.fromisoformat(missing["on"]) if "on" in missing else scene.today
        if (bill := scene.record.bills.get(missing.get("bill_id"))) is not None:
            missing["stood"] += scene.words.stood(bill, on)


def _counters(scene: Scene) -> str:
    record = scene.record
    paid = sum(bill["state"] == "paid" for bill in record.bills.values())
    return f"{len(record.issued)} bills, {record.mails} mails, {paid} paid"


def _stay(out: Console, run: Run, env: Mapping[str, str]) -> None:
    """Let time run again, say where to look, and wait for Ctrl-C."""
    url = env["ORCH_CLOCK_URL"].removesuffix("/clock")
    with SandboxClient(url) as sandbox:
        sandbox.freeze(frozen=False)
    payable = run.record.payable()
    out.print(
        f"\nEverything stays up until Ctrl-C.\n  Sandbox   {url}\n  Mailbox   {url}/sandbox/mailbox", markup=False
    )
    if payable:
        out.print(f"  Pay bill {payable[-1]['bill']['number']}: {payable[-1]['url']}", markup=False, soft_wrap=True)
    own = " ".join(f"{name}='{value}'" for name, value in sorted(env.items()) if name.startswith("ORCH_"))
    out.print(f"  Look around with:\n    env {own} {PROGRAM} status", markup=False, soft_wrap=True)
    try:
        Flag().wait()
    except KeyboardInterrupt:
        out.print("Stopped.")


def _without_proxy(given: Mapping[str, str]) -> dict[str, str]:
    """A sandbox of our own is known to nobody else: an address of Clio in the environment is another Clio's."""
    return {name: value for name, value in given.items() if name != "ORCH_CLIO__BASE_URL"}


def _kept_logs(folder: Path) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="orchestrator-demo-logs-"))
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)
    return kept


@contextmanager
def _folder() -> Iterator[Path]:
    # In memory where the machine offers it: the worker makes every commit durable, and a disk would make us wait for that.
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-", dir=memory, ignore_cleanup_errors=True) as name:
        yield Path(name)
