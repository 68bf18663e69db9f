"""A real fleet on PostgreSQL and Redis at work while its processes are killed, frozen and cut off, by seed; then judged.

`python -m tests.crash.besiege` plays serve, two workers and beat against the sandbox for some minutes. The seed
decides what is done to whom and in which order; when, and how far each process was at that moment, is up to the machine.
"""

import os
import signal
import subprocess
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import redis

from orchestrator.engine.runtime import Runtime
from orchestrator.sandbox import SandboxHandle, running_sandbox
from orchestrator.sandbox.client import SandboxRefused
from orchestrator.storage.jobs import LIVE, STOPPED
from orchestrator.storage.unit_of_work import UnitOfWork
from orchestrator.usecases.retry_job import retry_job
from orchestrator.usecases.settle_job import settle_job
from tests.crash.schedules import EVERY_ROW, MADE, SHOWN, Outcome, judge, struck
from tests.firm import CONFIG, START, open_firm
from tests.servers import own_postgres, own_valkey
from tests.workflows.fleet import Fleet, a_fleet

LEASE = 6
"""Seconds, so that what a dead worker held is run again soon; a call may take a third of it."""

LATE, SETTLE = 4, 7
"""What Clio makes late appears within the settle wait: a call's two seconds and this."""

REST_SECONDS = 300
PROGRESS, PATIENCE = 3, 12
"""The next blow falls when the fleet has brought so many effects about since the last, or after so many seconds: to strike
one that only starts, again and again on a slow machine, would show nothing."""

MOST_CLOUDS = 8
"""Scripted faults that wait for somebody to strike; a fleet that lags meets them while it catches up."""

USERS = 60
"""Enough for 3,000 links: quotas are another test's business."""

COMMANDS = {
    "serve": ("serve",),
    "worker 1": ("worker", "--concurrency", "2"),
    "worker 2": ("worker", "--concurrency", "2"),
    "beat": ("beat",),
}
WORKERS = ("worker 1", "worker 2")


@dataclass
class Part:
    """One process on a machine of its own, with the restart policy of docker-compose.yml."""

    name: str
    machine: Fleet
    back_at: float | None = None
    told_to_stop: bool = False

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self.machine.running.get(COMMANDS[self.name][0])

    @property
    def pids(self) -> list[int]:
        """It and its pool children."""
        return [self.process.pid, *self.children] if self.process else []

    @property
    def children(self) -> list[int]:
        pid = self.process.pid if self.process else 0
        with suppress(OSError):
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
        return []

    def start(self) -> None:
        self.back_at, self.told_to_stop = None, False
        self.machine.start(*COMMANDS[self.name])

    def kill(self) -> None:
        """The machine dies: the process and all its children at once."""
        self.machine.kill(COMMANDS[self.name][0])

    def tell_to_stop(self) -> bool:
        """SIGTERM, as an upgrade sends it; nobody waits."""
        if self.process is None or self.told_to_stop:
            return False
        self.process.terminate()
        self.told_to_stop = True
        return True

    def look(self, now: float) -> str | None:
        """Start again what is due to be; the exit code when it ended unasked since the last look."""
        if self.process is None:
            if self.back_at is not None and now >= self.back_at:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        asked = self.told_to_stop and code in {0, -signal.SIGTERM}
        self.kill()  # a container ends whole
        self.start()
        return None if asked else f"{self.name} exit {code}"


@dataclass
class Siege:
    """One fleet and everything that is done to it; `done` counts that by kind."""

    seed: int
    sandbox: SandboxHandle
    parts: dict[str, Part]
    broker: redis.Redis
    office: Runtime
    done: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    frozen: dict[int, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    drain_seconds: float = 0.0
    blows: int = 0

    def __post_init__(self) -> None:
        self.people = People(self.sandbox, Random(f"siege {self.seed} people"))
        self.weather = Random(f"siege {self.seed} weather")

    @property
    def desk(self) -> UnitOfWork:
        return self.office.uow

    # ── processes ──

    def supervise(self) -> None:
        """Let frozen ones go on whose time is over, and start again what ended."""
        now = time.monotonic()
        for pid in [pid for pid, until in self.frozen.items() if now >= until]:
            self._thaw(pid)
        for part in self.parts.values():
            if ended := part.look(now):
                self.done["ended by itself"][ended] += 1

    def thaw(self) -> None:
        for pid in list(self.frozen):
            self._thaw(pid)

    def _thaw(self, pid: int) -> None:
        del self.frozen[pid]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def kill(self, name: str, dice: Random) -> bool:
        """Its machine dies, and is back at once or a while later."""
        part = self.parts[name]
        if part.process is None:
            return False
        for pid in part.pids:
            self.frozen.pop(pid, None)
        part.kill()
        part.back_at = time.monotonic() + dice.choice([0, 0, dice.uniform(0, 8)])
        return True

    def kill_child(self, dice: Random) -> bool:
        children = self.parts[dice.choice(WORKERS)].children
        if not children:
            return False
        victim = dice.choice(children)
        self.frozen.pop(victim, None)
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        return True

    def freeze(self, pids: list[int], dice: Random) -> bool:
        """Stand still until the lease of whatever they hold is over."""
        seconds = LEASE + dice.uniform(0.5, 6)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self.frozen[pid] = time.monotonic() + seconds
        return bool(pids)

    def freeze_child(self, dice: Random) -> bool:
        children = self.parts[dice.choice(WORKERS)].children
        return self.freeze([dice.choice(children)] if children else [], dice)

    def cut_broker(self) -> bool:
        return bool(self.broker.client_kill_filter(_type="normal", skipme=True))

    def cut_database(self) -> bool:
        """End every session but this one, whatever transaction it is in."""
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with self.desk.engine.connect() as connection:
            return bool(connection.exec_driver_sql(others).all())

    def strike(self) -> None:
        """The next blow of the seed; one that finds nobody to strike counts as nothing."""
        dice = Random(f"siege {self.seed} blow {self.blows}")
        kind, name, blow = dealt(self.seed, self.blows)
        self.blows += 1
        if blow(self, dice):
            self.done[kind][name] += 1

    def cloud(self) -> None:
        """The next thing that goes wrong outside."""
        on = self.weather.choice(PLACES)
        do, params = self.weather.choice(OF_MAIL if on == "smtp" else OF_WRITES)
        if do == "create_later" and not on.startswith("POST"):
            do, params = "lose_answer", {}
        if self.clouds() < MOST_CLOUDS:
            self.sandbox.fault(on, do, **params)

    def clouds(self) -> int:
        """How many scripted faults have struck nothing yet."""
        return sum(not fault["hits"] for fault in self.sandbox.faults())

    # ── the end ──

    def rest(self) -> None:
        """No more trouble: everything comes to rest by itself, but for what only a person can answer."""
        self.thaw()
        until = time.monotonic() + 3 * SETTLE
        while self.clouds() and time.monotonic() < until:
            self.supervise()
            time.sleep(0.5)
        self.done["weather"].update(struck(self.sandbox))
        self.sandbox.clear_faults()
        began = time.monotonic()
        # What was frozen in the middle of a send may still send it; only after that may a person say that it did not happen.
        patient_until = began + LEASE + SETTLE
        calm = 0
        while calm < 3:
            self.supervise()
            time.sleep(1)
            at_rest = not self.open_jobs() and not self.missing()
            if time.monotonic() > patient_until and self.answer():
                at_rest = False
            calm = calm + 1 if at_rest else 0
            if time.monotonic() - began > REST_SECONDS:
                self.broken.append(f"it does not come to rest: {Counter(self.open_jobs())} {self.missing()[:5]}")
                break
        self.drain_seconds = round(time.monotonic() - began, 1)
        # Its time stands still from here on, so no sweep falls due while the judge looks.
        self.sandbox.freeze()
        end = time.monotonic() + 60
        while self.due() and time.monotonic() < end:
            self.supervise()
            time.sleep(0.5)

    def open_jobs(self) -> list[tuple[str, str]]:
        """Effects that are intended and not over, and marks nobody has read."""
        with self.desk.read() as work:
            rows = work.jobs.listed(states=LIVE, limit=EVERY_ROW)
        counted = MADE | SHOWN
        return [
            (row["topic"], row["state"])
            for row in rows
            if row["topic"] in counted or (row["topic"].startswith("sync.") and row["not_before"] <= self.desk.clock())
        ]

    def due(self) -> set[str]:
        with self.desk.read() as work:
            rows = work.jobs.listed(states=LIVE, limit=EVERY_ROW)
        return {row["topic"] for row in rows if row["not_before"] <= self.desk.clock()} - {"engine.heartbeat", "sweep"}

    def missing(self) -> list[dict[str, Any]]:
        """What the outside lacks, but for bills whose money went back: those wait for a person's decision."""
        with self.desk.read() as work:
            told = work.exceptions.listed(state=None, kind="payment_reversed", limit=EVERY_ROW)
        in_hand = {row["subject_id"] for row in told}
        return [one for one in self.sandbox.oracle()["missing"] if one.get("bill_id") not in in_hand]

    def answer(self) -> bool:
        """What the runbook says about each job that stopped; True when there was one."""
        with self.desk.read() as work:
            rows = work.jobs.listed(states=STOPPED, limit=EVERY_ROW)
        arrived = {mail["message_id"] for mail in self.sandbox.mail()} if rows else set()
        for row in rows:
            self.done["asked a person"][row["reason"]] += 1
            if row["reason"] in {"unplanned", "search_ambiguous"}:
                self.broken.append(f"job {row['id']} ({row['topic']}) stopped: {row['reason']}, {row['detail']}")
            in_doubt = row["reason"] in {"mail_outcome_unknown", "mail_before_restore"}
            if in_doubt and row["intent"]["message_id"] in arrived:
                settle_job(self.office, row["id"], by="siege", dry_run=False)
            else:
                retry_job(self.office, row["id"], by="siege", resend=in_doubt, dry_run=False)
        return bool(rows)

    def said(self) -> str:
        return "".join(part.machine.said() for part in self.parts.values())


OF_WRITES: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("create_later", {"after_seconds": LATE}),) * 4,
    ("create_later", {"after_seconds": LATE / 2}),
    ("lose_answer", {}),
    ("drop_before", {}),
    ("status_after", {"code": 502}),
    ("truncate", {}),
    ("html", {}),
    ("delay", {"seconds": 1.0}),
    ("status", {"code": 503}),
    ("status", {"code": 401}),
    ("retry_after", {"value": 1}),
    ("stale_etag", {}),
)
OF_MAIL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop_after_data", {}),
    ("refuse", {}),
    ("refuse", {}),
    ("slow", {"seconds": 1}),
)
PLACES = (
    "POST /clio_payments/links", "POST /clio_payments/links", "POST /notes", "POST /communications",
    "PATCH /matters/{id}", "PATCH /clio_payments/links/{id}", "smtp",
)  # fmt: skip

Blow = Callable[[Siege, Random], bool]
BLOWS: tuple[tuple[str, str, int, Blow], ...] = (
    ("kills", "worker", 5, lambda siege, dice: siege.kill(dice.choice(WORKERS), dice)),
    ("kills", "pool child", 6, Siege.kill_child),
    ("kills", "serve", 2, lambda siege, dice: siege.kill("serve", dice)),
    ("kills", "beat", 2, lambda siege, dice: siege.kill("beat", dice)),
    ("stops", "worker", 1, lambda siege, dice: siege.parts[dice.choice(WORKERS)].tell_to_stop()),
    ("freezes", "worker", 3, lambda siege, dice: siege.freeze(siege.parts[dice.choice(WORKERS)].pids, dice)),
    ("freezes", "pool child", 6, Siege.freeze_child),
    ("freezes", "serve", 1, lambda siege, dice: siege.freeze(siege.parts["serve"].pids, dice)),
    ("freezes", "beat", 1, lambda siege, dice: siege.freeze(siege.parts["beat"].pids, dice)),
    ("cuts", "broker", 3, lambda siege, _: siege.cut_broker()),
    ("cuts", "broker flushed", 1, lambda siege, _: bool(siege.broker.flushdb())),
    ("cuts", "database", 3, lambda siege, _: siege.cut_database()),
)
"""What can be done to the fleet: its kind, its name, how often in a round, and the doing of it."""


def dealt(seed: int, number: int) -> tuple[str, str, Blow]:
    """The blow of this number. Rounds are shuffled, not drawn: within a round (a minute and a half) nothing is left to luck."""
    cards = [(kind, name, blow) for kind, name, times, blow in BLOWS for _ in range(times)]
    Random(f"siege {seed} round {number // len(cards)}").shuffle(cards)
    return cards[number % len(cards)]


@dataclass
class People:
    """Whoever bills, decides and pays: one thing becomes of each bill whose message has arrived, once."""

    sandbox: SandboxHandle
    dice: Random
    heard: int = 0
    worked: int = 0
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    mailed: list[str] = field(default_factory=list)
    fated: set[int] = field(default_factory=set)
    paid: list[int] = field(default_factory=list)

    def act(self) -> str | None:
        """Bill new work, or let something become of a bill; says which."""
        self._read()
        if self.dice.random() < 0.4:
            self.bill()
            return "billed"
        return self.decide()

    def bill(self) -> None:
        matter = next(iter(self.sandbox.state()["matters"].values()))
        entry = self.sandbox.act("log_time", matter_id=matter, quantity_seconds=3600, price=self.dice.randint(50, 900))
        draft = self.sandbox.act("generate_bill", matter_id=matter, entry_ids=[entry["id"]])
        self.sandbox.act("approve_bill", id=draft["id"])

    def decide(self) -> str | None:
        open_ = [self.links[url] for url in self.mailed if self.links[url]["bill_id"] not in self.fated]
        if not open_:
            return None
        link = self.dice.choice(open_)
        self.fated.add(link["bill_id"])
        verb = self.dice.choice(["pay", "pay", "pay", "pay", "void_bill", "credit_bill", "record_payment", "nothing"])
        with suppress(SandboxRefused):
            if verb == "pay":
                when = self.dice.choice([0, 2])
                self.paid.append(self.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=when)["id"])
            elif verb != "nothing":
                self.sandbox.act(verb, id=link["bill_id"], **({"amount": 10} if verb == "credit_bill" else {}))
        if self.paid and self.dice.random() < 0.1:
            with suppress(SandboxRefused):
                self.sandbox.act("refund_payment", id=self.paid.pop(0))
                return f"{verb}, refund"
        return verb

    def _read(self) -> None:
        for entry in self.sandbox.effects(since_seq=self.heard):
            self.heard = max(self.heard, entry["seq"])
            self.worked += entry["kind"] in MADE.values()
            if entry["kind"] == "link.created":
                self.links[entry["url"]] = entry
            elif entry["kind"] == "mail.accepted":
                self.mailed += [url for url in entry["urls"] if url in self.links]


@contextmanager
def besieged(folder: Path, seed: int) -> Iterator[Siege]:
    """A fleet on servers of its own that runs and has its webhooks; nothing of it is left after the block."""
    scenario = tomllib.loads((CONFIG / "sandbox" / "tiny.toml").read_text("utf-8"))
    scenario["users"] += [
        {"key": f"u{n}", "name": f"User {n}", "email": f"u{n}@solo.test", "roles": ["Billing"]} for n in range(USERS)
    ]
    settings = {
        "ORCH_ENGINE__LEASE_SECONDS": LEASE,
        "ORCH_ENGINE__SETTLE_SECONDS": SETTLE,
        "ORCH_ENGINE__DEAF_SECONDS": 30,
        # Without it a flushed Redis and a process that starts just then look like a database restored from a backup.
        "ORCH_ENGINE__MARK_DIR": folder / "mark",
        "ORCH_SWEEP__INTERVAL_SECONDS": 10,
        "ORCH_MAIL__TIMEOUT_SECONDS": 2,
    }
    with ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(scenario, now=START, rate_limit=100_000))
        broker = stack.enter_context(own_valkey(folder)).url
        server = stack.enter_context(own_postgres()).url
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE siege")
        store = stack.enter_context(redis.Redis.from_url(broker))
        first = stack.enter_context(a_fleet(sandbox, folder, f"{server}/siege", broker, **settings))
        office = stack.enter_context(open_firm(sandbox, first.database_url)).rt
        parts = {name: Part(name, _machine(first, folder / name.replace(" ", "-"))) for name in COMMANDS}
        siege = Siege(seed, sandbox, parts, store, office)
        for part in parts.values():
            stack.callback(lambda part=part: part.process and part.kill())
            part.start()
        web = parts["serve"].machine
        web.until(web.ready, seconds=120)
        web.until(web.enabled, seconds=120)
        yield siege


def _machine(fleet: Fleet, folder: Path) -> Fleet:
    folder.mkdir()
    return Fleet(
        fleet.sandbox, folder, fleet.database_url, fleet.environment | {"ORCH_RUN_DIR": str(folder / "run")}
    )  # fmt: skip


def lay_siege(siege: Siege, seconds: float, told: Callable[[float], None] = lambda _passed: None) -> Outcome:
    """Work and trouble for so long; then rest, and judgement."""
    began, worked = time.monotonic(), 0
    pace = Random(f"siege {siege.seed} pace")
    coming = {"blow": began + 2, "cloud": began + 1, "person": began}
    while (now := time.monotonic()) - began < seconds:
        siege.supervise()
        if now >= coming["blow"] and (siege.people.worked - worked >= PROGRESS or now >= coming["blow"] + PATIENCE):
            siege.strike()
            worked, coming["blow"] = siege.people.worked, now + pace.uniform(1.0, 4.0)
        if now >= coming["cloud"]:
            siege.cloud()
            coming["cloud"] += pace.uniform(0.5, 2.0)
        if now >= coming["person"]:
            siege.done["people"].update(filter(None, [siege.people.act()]))
            coming["person"] = now + 0.5
        told(now - began)
        time.sleep(0.1)
    siege.rest()
    outcome = Outcome(siege.seed, weather=siege.done["weather"].copy())
    judge(siege, outcome, siege.said())
    outcome.breaches += siege.broken
    return outcome


def found(siege: Siege, outcome: Outcome) -> dict[str, Any]:
    """The figures of one siege."""
    intents, effects = sum(outcome.intents.values()), sum(outcome.effects.values())
    return {
        "intents": intents,
        "effects": effects,
        "effects_per_intent": round(effects / max(1, intents), 6),
        "effects_by_kind": {
            topic: [outcome.effects[topic], outcome.intents[topic]] for topic in sorted(outcome.intents)
        },
        "lost": outcome.lost,
        "duplicates": outcome.duplicates,
        "breaches": outcome.breaches,
        **{kind.replace(" ", "_"): dict(sorted(counted.items())) for kind, counted in sorted(siege.done.items())},
        "drain_seconds": siege.drain_seconds,
        "calls": outcome.calls,
    }
