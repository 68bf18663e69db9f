"""One Celery worker: it listens to itself through the broker, and when told to stop it finishes or hands back."""

import os
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from billiard import active_children
from celery import Celery, signals
from celery.worker import state
from kombu.entity import Exchange, Queue

from workflows.alive import Watchdog
from workflows.app import QUEUES

log = structlog.get_logger()

PULSE = "engine.pulse"
LAST_SECONDS = 5.0
"""How long after its grace a worker may take to put everything down; then it ends as it stands."""

FORGOTTEN_AFTER_SECONDS = 3600


def run_worker(app: Celery, *, concurrency: int, run_dir: Path, grace_seconds: float, deaf_seconds: float) -> int:
    """Work until SIGTERM, or until this worker has heard nothing for `deaf_seconds`; returns the exit code."""
    app.task(name=PULSE, ignore_result=True)(_pulse)
    ear = f"pulse.{socket.gethostname()}.{os.getpid()}"
    # Bound to no exchange of its own: Redis keeps nothing of a queue that was read empty.
    app.amqp.queues.add(Queue(ear, Exchange(""), routing_key=ear))
    worker = app.Worker(
        pool_cls="prefork", concurrency=concurrency, queues=[ear, *QUEUES], loglevel="WARNING", quiet=True,
        without_gossip=True, without_mingle=True, without_heartbeat=True,
    )  # fmt: skip

    def leave() -> None:
        state.should_stop = os.EX_SOFTWARE
        _end_after(grace_seconds)

    watchdog = Watchdog(
        "worker", run_dir=run_dir, limit_seconds=deaf_seconds, look=_Ear(app, ear, concurrency).heard, give_up=leave
    )

    def stopping(**_: Any) -> None:
        _end_after(grace_seconds)

    signals.worker_shutting_down.connect(stopping)
    signals.worker_process_init.connect(_leave_the_broker_to_the_parent)
    signals.worker_ready.connect(lambda **_: watchdog.start(), weak=False)
    try:
        worker.start()
    finally:
        watchdog.stop()
    return int(worker.exitcode or 0)


def _leave_the_broker_to_the_parent(**_: Any) -> None:
    """A child begun while the worker was connected lets go of its connections, which only the parent uses.

    A socket that a child still holds stays in the parent's epoll after the parent closed it, ready for ever, and the worker
    turns in a circle at full speed from the first lost connection on.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in [int(entry.name) for entry in Path("/dev/fd").iterdir()]:
        with suppress(OSError):  # the folder's own, closed by now, and whatever is no socket
            inherited = socket.socket(fileno=number)
            family = inherited.family
            inherited.detach()
            if family in (socket.AF_INET, socket.AF_INET6):
                os.dup2(nothing, number)  # the number stays taken: objects that were copied may still close it
    os.close(nothing)


class _Ear:
    """Rings this worker's own queue, and tells whether anything at all has been heard since it was last asked."""

    def __init__(self, app: Celery, queue: str, hands: int) -> None:
        self._app = app
        self._queue = queue
        self._hands = hands
        self._counted = 0
        # Apart from the pools of the app: a fork in the middle of this thread's work must not copy a lock of theirs.
        self._connection = app.connection_for_write()

    def heard(self) -> bool:
        """True as well while every hand is busy, and while the broker is away: no restart would mend either."""
        reached = self._ring()
        counted = sum(state.total_count.values())
        news, self._counted = counted != self._counted, counted
        return news or not reached or len(state.active_requests) >= self._hands

    def _ring(self) -> bool:
        try:
            self._app.send_task(PULSE, queue=self._queue, connection=self._connection, retry=False, ignore_result=True)
            self._connection.default_channel.client.expire(self._queue, FORGOTTEN_AFTER_SECONDS)
        except Exception as away:  # noqa: BLE001  whatever it is, the next look asks again
            log.warning("broker.away", error=type(away).__name__)
            self._connection.release()
            self._connection = self._app.connection_for_write()
            return False
        return True


def _pulse() -> None:
    """Heard: that a hand took it is all there is to know."""


def _end_after(grace_seconds: float) -> None:
    """Let what runs finish; what is not done by then is handed back, and nothing outlives that by long."""

    def hand_back() -> None:
        # In a child of the pool SIGTERM raises SystemExit, which gives the job in hand back on its way out.
        for child in active_children():
            os.kill(child.pid, signal.SIGTERM)
        last = threading.Timer(LAST_SECONDS, os._exit, [os.EX_SOFTWARE])
        last.daemon = True
        last.start()

    timer = threading.Timer(grace_seconds, hand_back)
    timer.daemon = True
    timer.start()
