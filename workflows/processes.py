"""The processes a firm runs: everything in one, or web, workers and beat apart."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import structlog
import uvicorn
from celery import Celery
from celery.worker import state as worker_state

from orchestrator.api.app import create_app
from orchestrator.bootstrap import Registry, begin, build
from orchestrator.engine.runtime import Runtime
from orchestrator.settings import Misconfigured, Settings, load
from orchestrator.storage.migrate import migrate, require_newest
from workflows.app import QUEUES, bell, celery_app, ring_on, serve_book
from workflows.beat import beat_loop

log = structlog.get_logger()


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
    registry = Registry()
    registry.put(rt)
    app = serve_book(celery_app(settings.broker_url, dry_run=settings.dry_run), registry, rings=False)
    workers = [_embedded_worker(app, place) for place in range(settings.engine.threads)]
    server = _server(settings, rt)
    threads = [
        threading.Thread(target=server.run, name="web", daemon=True),
        threading.Thread(
            target=beat_loop, args=([rt], bell(app)), name="beat", daemon=True,
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


def serve(settings: Settings, firm: str = "main", *, on_ready: Callable[[Runtime], None] = lambda _rt: None) -> None:
    """The web process alone: receive webhooks, show health, and ring for what a delivery made due."""
    app = celery_app(settings.broker_url, dry_run=settings.dry_run)
    stop, nudge = threading.Event(), threading.Event()
    rt = build(settings, firm, on_commit=nudge.set)
    require_newest(rt.uow.engine)
    begin(rt)
    server = _server(settings, rt)
    web = threading.Thread(target=server.run, name="web", daemon=True)
    bells = threading.Thread(target=_ring_when_nudged, args=(rt, app, nudge, stop), name="bells", daemon=True)
    web.start()
    bells.start()
    with stopped_by_signals(stop):
        _wait_until_listening(server, web, stop)
        on_ready(rt)
        stop.wait()
    nudge.set()
    server.should_exit = True
    web.join(timeout=10)


def work(settings: Settings, *, concurrency: int) -> None:
    """A Celery worker until SIGTERM: finishes what it runs, hands back what it has only fetched."""
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")  # celery's soft shutdown: see toolchain §5
    app = serve_book(celery_app(settings.broker_url, dry_run=settings.dry_run), Registry())
    worker = app.Worker(
        pool_cls="prefork", concurrency=concurrency, queues=list(QUEUES), loglevel="WARNING", quiet=True,
        without_gossip=True, without_mingle=True, without_heartbeat=True,
    )  # fmt: skip
    worker.start()


def beat(settings: Settings, firms: list[str], *, on_ready: Callable[[], None] = lambda: None) -> None:
    """The schedule and the dispatcher of these firms until SIGINT or SIGTERM."""
    runtimes = [build(load(firm) if firm != "main" else settings, firm) for firm in firms]
    for rt in runtimes:
        require_newest(rt.uow.engine)
        begin(rt)
    stop = threading.Event()
    with stopped_by_signals(stop):
        on_ready()
        beat_loop(
            runtimes, bell(celery_app(settings.broker_url, dry_run=settings.dry_run)), stop=stop, nudge=threading.Event(),
            poll_seconds=settings.engine.poll_seconds,
        )  # fmt: skip


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


def _server(settings: Settings, rt: Runtime) -> Server:
    host, _, port = settings.listen.rpartition(":")
    return Server(
        uvicorn.Config(
            create_app(rt), host=host or "127.0.0.1", port=int(port), log_config=None, log_level="warning", access_log=False,
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


def _ring_when_nudged(rt: Runtime, app: Celery, nudge: threading.Event, stop: threading.Event) -> None:
    ring = bell(app)
    while not stop.is_set():
        nudge.wait()
        nudge.clear()
        try:
            ring_on(rt, ring)
        except Exception as trouble:  # noqa: BLE001  beat rings for what this bell missed
            log.warning("bell.trouble", error=type(trouble).__name__)
