"""A firm under test: the real runtime on a real database against the real sandbox, stepped by hand."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from orchestrator.api.app import create_app
from orchestrator.bootstrap import build
from orchestrator.clocks import MovedClock
from orchestrator.engine.dispatch import ring_due
from orchestrator.engine.points import Passing, Point, unharmed
from orchestrator.engine.run import run
from orchestrator.engine.runtime import Runtime
from orchestrator.engine.schedule import Beat
from orchestrator.sandbox import SandboxHandle
from orchestrator.settings import load
from orchestrator.storage.exceptions import tick_key
from orchestrator.storage.jobs import LIVE
from orchestrator.storage.migrate import migrate
from orchestrator.storage.tables import jobs
from workflows.book import BOOK

CONFIG = Path(__file__).resolve().parent.parent / "config"
START = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""A Monday morning in New York."""


class Died(BaseException):
    """What a killed process looks like from inside: nothing catches it, nothing is cleaned up."""


@dataclass
class Firm:
    """`work()` does everything that is due; `later()` moves the clock first."""

    rt: Runtime
    sandbox: SandboxHandle
    beat: Beat

    def work(self, *, most: int = 2000) -> int:
        """Do all that is due now, and what follows from it; returns how many jobs ran."""
        self.tick()
        ran = 0
        quiet = 0
        while quiet < 2:
            bells = self.bells()
            for job_id in bells:
                ran += run(self.rt, BOOK, job_id)
            assert ran < most, "the firm does not come to rest"
            with self.rt.read() as work:
                quiet = quiet + 1 if not bells and work.jobs.idle() else 0
            if not bells:
                time.sleep(0.005)
                self.rest_pauses()
        return ran

    def tick(self) -> None:
        """Let the beat see the present moment."""
        if isinstance(self.rt.clock, MovedClock):
            self.rt.clock.ask_again()
        self.beat.tick(datetime.now(UTC))

    def work_only(self, job_id: int) -> bool:
        """Run this one job, if it is due."""
        return run(self.rt, BOOK, job_id)

    def bells(self) -> list[int]:
        """Ring for what is due, and hear which jobs it is."""
        rung: list[int] = []
        ring_due(self.rt, lambda _firm, job_id, _topic, _urgency: rung.append(job_id))
        return rung

    def later(self, **span: float) -> int:
        """Let the sandbox's time pass (timedelta words), then work."""
        seconds = (
            span.get("seconds", 0)
            + 60 * span.get("minutes", 0)
            + 3600 * span.get("hours", 0)
            + 86400 * span.get("days", 0)
        )
        self.sandbox.clock_advance(seconds)
        return self.work()

    def rest_pauses(self) -> None:
        """Real time passes: pauses, backoffs and leases of dead workers run out, bells nobody heard ring again."""
        with self.rt.uow() as work:
            work.connection.execute(jobs.update().where(jobs.c.state.in_(LIVE)).values(held_until=None, rung_at=None))

    # ── what people do ──

    @property
    def ids(self) -> dict[str, Any]:
        return self.sandbox.state()

    def matter(self) -> int:
        return int(next(iter(self.ids["matters"].values())))

    def log_time(self, matter_id: int | None = None, *, dollars: float = 600, **facts: Any) -> dict[str, Any]:
        matter_id = matter_id or self.matter()
        return self.sandbox.act("log_time", matter_id=matter_id, quantity_seconds=3600, price=dollars, **facts)

    def issued_bill(self, matter_id: int | None = None, *, dollars: float = 600, **facts: Any) -> dict[str, Any]:
        """A person bills new work by hand and issues the bill; the worker has not looked yet."""
        matter_id = matter_id or self.matter()
        entry = self.log_time(matter_id, dollars=dollars)
        bill = self.sandbox.act("generate_bill", matter_id=matter_id, entry_ids=[entry["id"]])
        return self.sandbox.act("approve_bill", id=bill["id"], **facts)

    def mailed_bill(self, **facts: Any) -> dict[str, Any]:
        """An issued bill whose link is in the client's mailbox."""
        before = len(self.mails())
        bill = self.issued_bill(**facts)
        self.later(minutes=16)
        self.later(minutes=2)
        assert len(self.mails()) == before + 1
        return bill

    # ── what was done ──

    def links(self) -> list[dict[str, Any]]:
        return [effect for effect in self.sandbox.effects("link.created") if effect["by"] == "app"]

    def mails(self) -> list[dict[str, Any]]:
        return self.sandbox.mail()

    def effects(self, kind: str) -> list[dict[str, Any]]:
        return self.sandbox.effects(kind)

    def jobs(self, topic: str | None = None, *states: str) -> list[Any]:
        with self.rt.read() as work:
            return list(reversed(work.jobs.listed(topic=topic, states=states, limit=5000)))

    def exceptions(self) -> dict[str, int]:
        with self.rt.read() as work:
            return work.exceptions.open_counts()

    def check(self) -> None:
        """What must hold after anything at all (faults.md, I1–I5, I8, I9)."""
        verdict = self.sandbox.oracle()
        assert verdict["duplicate_links"] == []
        assert verdict["duplicate_mails"] == []
        assert verdict["mails_after_payment"] == []
        with self.rt.read() as work:
            assert work.journal.balance() == 0
            told = work.exceptions.listed(state=None, limit=5000)
            open_jobs = {row["job_id"] for row in told if row["state"] == "open"}
            keys = {row["key"] for row in told}
            for row in work.jobs.listed(states=["parked", "failed"], limit=5000):
                # A later tick may have succeeded where this one failed.
                spoke = row["id"] in open_jobs or tick_key(row["topic"]) in keys
                assert spoke, f"job {row['id']} ({row['topic']}) stopped in silence"
            assert work.jobs.idle()


@contextmanager
def open_firm(
    sandbox: SandboxHandle,
    database_url: str,
    *,
    passing: Passing = unharmed,
    environment: dict[str, Any] | None = None,
    subscribed: bool = False,
) -> Iterator[Firm]:
    """A migrated firm on this database and sandbox; opened again on the same database, it is the firm after a restart.

    One that is not `subscribed` asks for no webhooks, as nobody could deliver them, and lives on sweeps alone.
    """
    overrides = {
        "config_dir": CONFIG,
        "environment": "test",
        "database_url": database_url,
        "clock_url": f"{sandbox.url}/clock",
        "clio": {"base_url": sandbox.clio_base_url, "access_token": sandbox.access_token},
        "mail": {"url": sandbox.smtp_url, "from": "billing@firm.test"},
    }
    for name, value in (environment or {}).items():
        overrides[name] = {**overrides.get(name, {}), **value} if isinstance(value, dict) else value
    rt = build(load(**overrides), passing=passing)
    if not subscribed:
        rt = replace(rt, subscriptions=())
    migrate(rt.uow.engine)
    try:
        yield Firm(rt, sandbox, Beat(rt))
    finally:
        rt.close()


@contextmanager
def web(firm: Firm, port: int) -> Iterator[str]:
    """The firm's web process, listening; the firm's public address must name this port."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(firm.rt), host="127.0.0.1", port=port, log_level="warning", access_log=False)
    )
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


def dying_at(point: Point, times: int = 1) -> Callable[[Point], None]:
    """Die at the first `times` passings of a point."""
    left = times

    def passing(passed: Point) -> None:
        nonlocal left
        if passed is point and left:
            left -= 1
            raise Died(point)

    return passing
