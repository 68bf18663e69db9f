"""A firm's life at the price of a copied file: one sandbox, one prepared database, and processes that come and go."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import psycopg
import sqlalchemy as sa

from orchestrator.api.app import heard
from orchestrator.bootstrap import build
from orchestrator.clients.clio.webhooks import SUBSCRIPTIONS, signed, verify
from orchestrator.engine.dispatch import ring_due
from orchestrator.engine.run import run
from orchestrator.engine.runtime import Runtime
from orchestrator.engine.schedule import Beat
from orchestrator.sandbox import SandboxHandle
from orchestrator.sandbox.client import SandboxRefused
from orchestrator.settings import Settings, load
from orchestrator.storage.exceptions import tick_key
from orchestrator.storage.jobs import LIVE, JobState
from orchestrator.storage.migrate import migrate
from orchestrator.storage.tables import jobs
from orchestrator.storage.unit_of_work import DatabaseTrouble, UnitOfWork, connect
from orchestrator.usecases.receive_webhook import Knock, receive
from tests.crash.trouble import Blow, Seam, Trouble, hear
from tests.firm import CONFIG, START, Died
from workflows.book import BOOK

SECRET = "of-the-hook"
SHORT_LEASE = 1.2
"""Seconds: what a freeze that really lasts longer than the lease costs."""


class Database:
    """One address at which a prepared database is put down afresh for each life."""

    def __init__(self, folder: Path, server: str | None = None) -> None:
        self._folder, self._server = folder, server
        self._name = f"crash_{uuid4().hex[:12]}"
        if server:
            self._say(f"CREATE DATABASE {self._name}")

    @property
    def url(self) -> str:
        return f"{self._server}/{self._name}" if self._server else f"sqlite:///{self._folder}/{self._name}.sqlite3"

    def keep(self) -> None:
        """What is there now is what every life begins with."""
        if self._server:
            # A session that was closed a moment ago may not have left yet, and a template must have none.
            self._say(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'")
            self._say(f"CREATE DATABASE {self._name}_kept TEMPLATE {self._name}")
        else:
            # Not copied as a file: a connection that somebody still has open keeps what was committed in the log beside it.
            with closing(sqlite3.connect(self._folder / f"{self._name}.sqlite3")) as whole:
                whole.execute("VACUUM INTO ?", [str(self._folder / f"{self._name}.kept")])
            shutil.copyfile(self._folder / f"{self._name}.sqlite3.mark", self._folder / f"{self._name}.kept.mark")

    def afresh(self) -> None:
        if self._server:
            self._say(f"DROP DATABASE {self._name} WITH (FORCE)")
            self._say(f"CREATE DATABASE {self._name} TEMPLATE {self._name}_kept STRATEGY FILE_COPY")
            return
        for left in self._folder.glob(f"{self._name}.sqlite3*"):
            left.unlink()
        shutil.copyfile(self._folder / f"{self._name}.kept", self._folder / f"{self._name}.sqlite3")
        # With the mark of that moment: else each life would begin by recovering from the one before (F57).
        shutil.copyfile(self._folder / f"{self._name}.kept.mark", self._folder / f"{self._name}.sqlite3.mark")

    def close(self) -> None:
        for name in (self._name, f"{self._name}_kept") if self._server else ():
            self._say(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _say(self, sentence: str) -> None:
        with psycopg.connect(f"{self._server}/postgres", autocommit=True) as connection:
            connection.execute(sentence)


class Stage:
    """Where schedules are played one after another; everything dear is made once.

    The engines stay, as trouble listens to one of them; their connections do not.
    """

    def __init__(self, sandbox: SandboxHandle, database: Database) -> None:
        self.sandbox, self.database = sandbox, database
        self.engine, self.second, self.desk = (connect(database.url) for _ in range(3))
        self._trouble = Trouble()
        hear(self.engine, lambda: self._trouble)
        self._reset()
        migrate(self.desk)
        with self._life(Trouble()) as life:
            with life.desk() as work:
                for one in SUBSCRIPTIONS:
                    work.subscriptions.put(
                        one.model, path_token=f"of-{one.model}", state="enabled", secret=life.rt.cipher.seal(SECRET),
                        url=f"https://firm.test/webhooks/clio/of-{one.model}", events=",".join(one.events), fields=one.fields,
                    )  # fmt: skip
            life.work()
        database.keep()

    @contextmanager
    def life(self, trouble: Trouble, *, short_lease: bool = False) -> Iterator["Life"]:
        """A firm on a database of its own, its sandbox as new."""
        self._reset()
        self.database.afresh()
        with self._life(trouble, short_lease=short_lease) as life:
            yield life

    def _reset(self) -> None:
        self.sandbox.clear_faults()
        self.sandbox.reset("tiny", seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)

    @contextmanager
    def _life(self, trouble: Trouble, *, short_lease: bool = False) -> Iterator["Life"]:
        self._trouble = trouble
        life = Life(self, self._settings(short_lease=short_lease), trouble)
        try:
            yield life
        finally:
            life.close()
            for engine in (self.engine, self.second, self.desk):
                engine.dispose()

    @cache  # noqa: B019  a stage lasts as long as its process, and its sandbox's token with it
    def _settings(self, *, short_lease: bool) -> Settings:
        return load(
            config_dir=CONFIG,
            environment="test",
            database_url=self.database.url,
            clio={
                "base_url": self.sandbox.clio_base_url,
                "access_token": self.sandbox.access_token,
                "deadline_seconds": 1.0,
            },
            mail={"url": self.sandbox.smtp_url, "from": "billing@firm.test"},
            engine={"lease_seconds": SHORT_LEASE} if short_lease else {},
        )


PAUSES = {403, 410, 429}
"""Answers after which a process leaves Clio, or one of its doors, alone for minutes of real time."""


class Judged(Protocol):
    """What is judged: the outside's own record, and the firm's database."""

    sandbox: SandboxHandle
    desk: UnitOfWork


class Life:
    """One firm, stepped by hand; when its process dies, another takes its place."""

    def __init__(self, stage: Stage, settings: Settings, trouble: Trouble) -> None:
        self.sandbox, self.settings, self.trouble = stage.sandbox, settings, trouble
        self._stage = stage
        self.now: datetime = START
        self.restarts = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self._paused = False
        self._unswept = True
        self.payments: list[int] = []
        self._told = 0
        self._other: Runtime | None = None
        trouble.frozen = self._frozen
        # People and the passing of real time touch the database past all trouble.
        self.desk = UnitOfWork(stage.desk, lambda: self.now)
        self.rt = self._process(trouble, stage.engine)
        self._beat = Beat(self.rt)

    def close(self) -> None:
        self.rt.close()
        if self._other is not None:
            self._other.close()

    # ── processes ──

    def _process(self, trouble: Trouble, engine: sa.Engine, settings: Settings | None = None) -> Runtime:
        rt = build(settings or self.settings, clock=lambda: self.now, passing=trouble, on_call=self._called)
        uow = UnitOfWork(engine, rt.clock, lambda: trouble(Seam.COMMITTED))
        # The vault and the account's memory keep the engine they were built with.
        return replace(rt, uow=uow, subscriptions=(), closing=(*rt.closing, rt.uow.engine.dispose))

    def _another(self) -> Runtime:
        """The process that takes over while the first stands still; nothing strikes it."""
        if self._other is not None:
            self._other.close()
        self._other = self._process(Trouble(asleep=True), self._stage.second)
        self._paused = False
        return self._other

    def _called(self, _method: str, _path: str, status: int | None) -> None:
        self._paused |= status in PAUSES
        self.trouble(Seam.CALLED)

    def restart(self) -> None:
        """The process is gone and another one starts on what is in the database."""
        self.rt.close()
        self.rt = self._process(self.trouble, self._stage.engine)
        self._beat = Beat(self.rt)
        self._paused = False
        self.restarts += 1
        assert self.restarts < 80, "it never stops dying"

    def surviving(self, doing: Callable[[], Any]) -> Any:
        """Do it in as many processes as it takes; with the database away, again."""
        while True:
            try:
                return doing()
            except Died:
                self.restart()
            except DatabaseTrouble:
                continue

    def _frozen(self, blow: Blow) -> None:
        """This process stands still past its lease; another does all there is to do, and then this one goes on."""
        self.trouble.asleep = True
        paused = self._paused
        try:
            if self.settings.engine.lease_seconds <= SHORT_LEASE:
                time.sleep(self.settings.engine.lease_seconds * 0.6)
            self._pass_real_time()
            if blow.minutes:
                self.now = self.sandbox.clock_advance(blow.minutes * 60)
                # Never in the very instant of somebody's reading: time does not stand still outside.
                with suppress(SandboxRefused):
                    self.meanwhile()
                self._unswept = True
            other = self._another()
            self._work(other, Beat(other))
        finally:
            self.trouble.asleep = False
            self._paused |= paused  # what was shut for the one that stood still is shut for it yet

    # ── time ──

    def _still(self) -> str:
        with self.desk.read() as work:
            busy = [row for row in work.jobs.listed(states=LIVE, limit=100) if row["not_before"] <= work.now]
        return "; ".join(f"{row['topic']} is {row['state']} after {row['attempts']} ({row['detail']})" for row in busy)

    def work(self) -> None:
        """Do all that is due now and what follows from it, whatever becomes of the processes that do it."""
        self.surviving(lambda: self._work(self.rt, self._beat))

    def _work(self, rt: Runtime, beat: Beat) -> None:
        beat.tick(self.now)
        ran = quiet = 0
        while quiet < 2:
            bells: list[int] = []
            ring_due(rt, lambda _firm, job_id, _topic, _urgency, rung=bells: rung.append(job_id))
            for job_id in bells:
                ran += run(rt, BOOK, job_id)
            assert ran < 2000, f"the firm does not come to rest: {self._still()}"
            if not bells:
                with self.desk.read() as work:
                    quiet = quiet + 1 if work.jobs.idle() else 0
                self._pass_real_time()
                if self._paused:
                    # The pause that Clio asked for, and the rest of a door that it shut, is real time, up to an hour of it; a new process begins after it.
                    if rt is self.rt:
                        self.restart()
                        rt, beat = self.rt, self._beat
                    else:
                        rt = self._another()
                        beat = Beat(rt)

    def later(self, minutes: float) -> None:
        self.now = self.sandbox.clock_advance(minutes * 60)
        self.work()

    def _pass_real_time(self) -> None:
        """Pauses, backoffs and leases of dead workers run out; bells nobody heard ring again."""
        with self.desk() as work:
            work.connection.execute(jobs.update().where(jobs.c.state.in_(LIVE)).values(held_until=None, rung_at=None))

    def unreached(self) -> None:
        """Work is tried while Clio's address refuses every connection (F05)."""
        self.rt.close()
        away = self.settings.clio.model_copy(update={"base_url": "http://127.0.0.1:9"})
        rt = self._process(Trouble(asleep=True), self._stage.second, self.settings.model_copy(update={"clio": away}))
        try:
            bells: list[int] = []
            Beat(rt).tick(self.now)
            ring_due(rt, lambda _firm, job_id, _topic, _urgency: bells.append(job_id))
            for job_id in bells:
                run(rt, BOOK, job_id)
        finally:
            rt.close()
            self.rt = self._process(self.trouble, self._stage.engine)
            self._beat = Beat(self.rt)

    # ── people, and Clio's webhooks ──

    def matter(self) -> int:
        return int(next(iter(self.sandbox.state()["matters"].values())))

    def issued_bill(self, dollars: int) -> int:
        matter = self.matter()
        entry = self.sandbox.act("log_time", matter_id=matter, quantity_seconds=3600, price=dollars)
        bill = self.sandbox.act("generate_bill", matter_id=matter, entry_ids=[entry["id"]])
        return int(self.sandbox.act("approve_bill", id=bill["id"])["id"])

    def tell(self, model: str, object_id: int) -> None:
        """Clio delivers a webhook again and again until it is answered with 200."""
        self._told += 1
        body = b'{"data":{"id":%d,"etag":"%d"},"meta":{"event":"updated","webhook_id":7}}' % (object_id, self._told)
        knock = Knock(f"of-{model}", body, (signed(body, SECRET),), None)

        def deliver() -> None:
            web = replace(self.rt, subscriptions=SUBSCRIPTIONS)
            assert receive(web, [knock], verify=verify, parse=heard) == [200]

        self.surviving(deliver)

    def live_link(self, bill_id: int) -> int | None:
        """The link the client has for this bill, if the record shows one that is neither used nor over."""
        alive: dict[int, None] = {}
        for effect in self.sandbox.effects("link."):
            if effect.get("bill_id") == bill_id and effect["kind"] == "link.created":
                alive[effect["id"]] = None
            elif effect["kind"] in {"link.used", "link.expired"}:
                alive.pop(effect["id"], None)
        return next(reversed(alive), None)

    def jobs(self, *states: JobState) -> list[Any]:
        with self.desk.read() as work:
            return work.jobs.listed(states=states, limit=5000)

    def answer_for(self, row: Any) -> bool:
        """What the runbook says about a job that stopped; False when it is to stay as it is."""
        resend = row["reason"] == "mail_outcome_unknown"
        if resend and row["intent"]["message_id"] in {mail["message_id"] for mail in self.sandbox.mail()}:
            return False
        with self.desk() as work:
            assert work.jobs.retry(row["id"], resend=resend)
            work.exceptions.close_job(row["id"])
        return True

    def rest(self) -> None:
        """Let settling and sweeping come to their end, with a person who answers for what stopped."""
        self._unswept = True
        for _ in range(16):
            self.later(3)
            helped = sum(self.answer_for(row) for row in self.stopped())
            if not helped and not self._under_way():
                if not self._unswept:
                    return
                # What a person does while a process stands still in this very sweep is the next one's to find.
                self._unswept = False
                self.later(16)
            if self._waiting():
                self.later(70)
        raise AssertionError(f"the firm does not come to rest: {self._under_way() or self.stopped()}")

    def stopped(self) -> list[Any]:
        """Parked and failed jobs; each of them is known to a person, or it stopped in silence (I3)."""
        with self.desk.read() as work:
            told = work.exceptions.listed(state=None, limit=5000)
            found = work.jobs.listed(states=[JobState.PARKED, JobState.FAILED], limit=5000)
        open_jobs = {row["job_id"] for row in told if row["state"] == "open"}
        keys = {row["key"] for row in told}
        for row in found:
            # A later tick may have succeeded where this one failed.
            assert row["id"] in open_jobs or tick_key(row["topic"]) in keys, f"{row['topic']} stopped in silence"
            assert row["reason"] != "search_ambiguous", f"{row['topic']} found more than one"
        return found

    def _under_way(self) -> list[str]:
        return [row["topic"] for row in self.jobs(*LIVE) if row["not_before"] <= self.now or row["sent_at"] is not None]

    def _waiting(self) -> bool:
        with self.desk.read() as work:
            return bool(work.links.waiting())
