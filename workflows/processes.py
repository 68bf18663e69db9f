"""The processes a firm runs: everything in one, or web, workers and beat apart."""

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import structlog
import uvicorn
from celery import Celery
from celery.worker import state as worker_state
from starlette.applications import Starlette

from orchestrator.api.app import create_app
from orchestrator.api.firms import Doors, create_firms_app
from orchestrator.bootstrap import begin, build
from orchestrator.engine.lineage import watch
from orchestrator.engine.runtime import Runtime
from orchestrator.fleet import Registry
from orchestrator.settings import Misconfigured, Settings, load
from orchestrator.storage.migrate import migrate, require_newest
from workflows.alive import Watchdog
from workflows.app import QUEUES, bell, celery_app, ring_on, serve_book
from workflows.beat import attend, beat_loop
from workflows.shares import FleetShare
from workflows.worker import run_worker

log = structlog.get_logger()

Roster = Callable[[], Collection[str]]
"""The firms to serve; asked again now and then, so that one may come or go while the process runs."""


class Server(uvicorn.Server):
    """A web server that leaves signals to the process it is part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def up(settings: Settings, firm: str = "main", *, on_ready: Callable[[Runtime], None] = lambda _rt: None) -> None:
    """Everything in this process until SIGINT or SIGTERM: migrate, then web, worker threads, dispatcher and beat."""
    stop, nudge = threading.Event(), threading.Event()
    rt = build(settings, firm, on_commit=nudge.set)
    migrate(rt.uow.engine)
    begin(rt)
    watch(rt, starting=True)
    registry = Registry()
    registry.put(rt)
    app = serve_book(celery_app(settings.broker_url, dry_run=settings.dry_run), registry, rings=False)
    workers = [_embedded_worker(app, place) for place in range(settings.engine.threads)]
    server = _server(settings, create_app(rt))
    threads = [
        threading.Thread(target=server.run, name="web", daemon=True),
        threading.Thread(
            target=beat_loop, args=(rt, bell(app)), name="beat", daemon=True,
            kwargs={"stop": stop, "nudge": nudge, "poll_seconds": settings.engine.poll_seconds},
        ),
    ]  # fmt: skip
    threads += [threading.Thread(target=worker.start, name="worker", daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        with stopped_by_signals(stop):
            _wait_until_listening(server, threads[0], stop)
            on_ready(rt)
            stop.wait()
    finally:
        stop.set()
        nudge.set()
        server.should_exit = True
        worker_state.should_stop = 0
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join(timeout=10)


def serve(settings: Settings, roster: Roster, *, on_ready: Callable[[], None] = lambda: None) -> None:
    """The web process alone: receive webhooks, show health, and ring for what a delivery made due."""
    app = celery_app(settings.broker_url, dry_run=settings.dry_run)
    share = FleetShare(settings)
    _require_lone_firm_ready(settings, roster())
    stop, doors = threading.Event(), Doors()

    def attend_door(firm: str, over: threading.Event) -> None:
        nudge = threading.Event()
        doors.expect(firm)
        rt = _begun(settings, firm, on_commit=nudge.set)
        doors.open(rt)
        try:
            _ring_when_nudged(rt, app, share, nudge, over)
        finally:
            doors.close(firm)
            rt.close()

    server = _server(settings, create_firms_app(doors, metrics_token=settings.metrics.token))
    web = threading.Thread(target=server.run, name="web", daemon=True)
    firms = threading.Thread(
        target=attend, args=(roster, attend_door), kwargs={"stop": stop}, name="doors", daemon=True
    )
    web.start()
    firms.start()
    with stopped_by_signals(stop):
        _wait_until_listening(server, web, stop)
        on_ready()
        stop.wait()
    server.should_exit = True
    web.join(timeout=10)
    firms.join(timeout=10)


def work(settings: Settings, *, concurrency: int) -> int:
    """A Celery worker until SIGTERM: finishes what it runs, hands back what it has only fetched; returns the exit code."""
    app = serve_book(
        celery_app(settings.broker_url, dry_run=settings.dry_run),
        Registry(open_databases=settings.engine.open_databases),
        share=FleetShare(settings),
    )
    return run_worker(
        app, concurrency=concurrency, run_dir=settings.run_dir,
        grace_seconds=settings.engine.grace_seconds, deaf_seconds=settings.engine.deaf_seconds,
    )  # fmt: skip


def beat(settings: Settings, roster: Roster, *, on_ready: Callable[[], None] = lambda: None) -> None:
    """The schedule and the dispatcher of these firms until SIGINT or SIGTERM."""
    _require_lone_firm_ready(settings, roster())
    ring, share = bell(celery_app(settings.broker_url, dry_run=settings.dry_run)), FleetShare(settings)
    stop, turned = threading.Event(), threading.Event()
    watchdog = Watchdog(
        "beat", run_dir=settings.run_dir, limit_seconds=settings.engine.deaf_seconds, look=partial(_seen, turned),
        give_up=partial(os._exit, os.EX_SOFTWARE),
    )  # fmt: skip

    def attend_beat(firm: str, over: threading.Event) -> None:
        rt = _begun(settings, firm)
        try:
            beat_loop(rt, ring, share, stop=over, poll_seconds=settings.engine.poll_seconds, turned=turned.set)
        finally:
            turned.set()
            rt.close()

    def firms() -> Collection[str]:
        names = roster()
        if not names:
            turned.set()  # with nothing to do, standing still is no fault
        return names

    with stopped_by_signals(stop):
        watchdog.start()
        on_ready()
        attend(firms, attend_beat, stop=stop)
    watchdog.stop()


def _seen(event: threading.Event) -> bool:
    """Whether it happened since this was last asked."""
    happened = event.is_set()
    event.clear()
    return happened


def _begun(settings: Settings, firm: str, on_commit: Callable[[], None] | None = None) -> Runtime:
    """The firm's runtime on a database that is up to date and its own, or whatever is in the way."""
    its = settings if firm == settings.of else load(firm)
    if its.dry_run != settings.dry_run:
        raise Misconfigured(
            f"ORCH_DRY_RUN is one thing for the fleet and another for {firm}: it is for all or for none."
        )
    rt = build(its, firm, on_commit=on_commit, connections=1)
    try:
        require_newest(rt.uow.engine)
        begin(rt)
        watch(rt, starting=True)
    except Exception:
        rt.close()
        raise
    return rt


def _require_lone_firm_ready(settings: Settings, names: Collection[str]) -> None:
    """Raises what is in the way when there is only one firm; of many, each waits for itself."""
    if len(names) == 1:
        _begun(settings, next(iter(names))).close()


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `stop` while the block runs."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _embedded_worker(app: Celery, place: int) -> Any:
    # One solo consumer a thread: a threaded pool acknowledges late on the in-process broker only when its two-second wait
    # for messages ends, so with a prefetch of one it stands still most of the time (docs/adr/0003).
    return app.WorkController(
        pool_cls="solo", concurrency=1, queues=list(QUEUES), without_heartbeat=True, without_mingle=True, without_gossip=True,
        quiet=True, hostname=f"embedded-{place}@{os.getpid()}",
    )  # fmt: skip


def _server(settings: Settings, app: Starlette) -> Server:
    host, _, port = settings.listen.rpartition(":")
    return Server(
        uvicorn.Config(
            app, host=host or "127.0.0.1", port=int(port), log_config=None, log_level="warning", access_log=False,
            server_header=False, timeout_graceful_shutdown=5,
        )
    )  # fmt: skip


def _wait_until_listening(server: Server, web: threading.Thread, stop: threading.Event) -> None:
    """Returns once the address answers or we are told to stop; `Misconfigured` when it can never answer."""
    while not server.started and not stop.wait(0.02):
        if not web.is_alive():
            raise Misconfigured(
                f"Nothing can listen at {server.config.host}:{server.config.port}: set ORCH_LISTEN to a free address."
            )


def _ring_when_nudged(
    rt: Runtime, app: Celery, share: FleetShare, nudge: threading.Event, over: threading.Event
) -> None:
    ring = bell(app)
    while not over.is_set():
        if not nudge.wait(timeout=1):
            continue
        nudge.clear()
        try:
            ring_on(rt, ring, share)
        except Exception as trouble:  # noqa: BLE001  beat rings for what this bell missed
            log.warning("bell.trouble", firm=rt.firm, error=type(trouble).__name__)
