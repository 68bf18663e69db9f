"""The Celery app: at-least-once bells over a queue that lives in the database (DESIGN §4, toolchain §5)."""

import contextlib
from collections.abc import Callable

from celery import Celery, signals
from celery.utils.log import get_multiprocessing_logger

from orchestrator.domain.topics import TOPICS, Urgency
from orchestrator.engine.dispatch import Ring, Share, ring_due, whole
from orchestrator.engine.run import run
from orchestrator.engine.runtime import Runtime
from orchestrator.fleet import Registry
from workflows.book import BOOK

QUEUES = tuple(urgency.name.lower() for urgency in Urgency)
HARD_LIMIT_SECONDS = 270
VISIBILITY_SECONDS = 600
"""Twice the hard limit and a minute: a message is never given to a second worker while the first may still be at it."""


def celery_app(broker_url: str, *, dry_run: bool = False) -> Celery:
    """A configured app without tasks; at-least-once needs all of these settings together (toolchain §5).

    A dry run's bells stay apart: on a shared Redis each worker would hear the other's, and find no such job.
    """
    app = Celery("orchestrator", broker=broker_url, set_as_current=False)
    embedded = broker_url.startswith("memory:")
    if broker_url.startswith(("redis:", "rediss:")):
        app.conf.broker_transport = "workflows.transport:Transport"
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_time_limit=None if embedded else HARD_LIMIT_SECONDS,
        task_default_queue=QUEUES[-1],
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"polling_interval": 0.005}
        if embedded
        else {
            "visibility_timeout": VISIBILITY_SECONDS,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "queue_order_strategy": "priority",
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
            "socket_timeout": 30,
            "global_keyprefix": key_prefix(dry_run=dry_run),
        },
        worker_max_tasks_per_child=1000,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
    )
    return app


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def _our_logs(**_theirs: object) -> None:
    """Listening here is how Celery is told to install no logs of its own; the pool's would reach nobody but stderr."""
    get_multiprocessing_logger().propagate = True


def key_prefix(*, dry_run: bool) -> str:
    """What the names of the broker's queues begin with."""
    return "dry-run:" if dry_run else ""


def bell(app: Celery) -> Ring:
    """What the dispatcher rings with: one message that names a job and nothing else."""

    def ring(firm: str, job_id: int, topic: str, urgency: Urgency) -> None:
        app.send_task(topic, args=(firm, job_id), queue=urgency.name.lower(), ignore_result=True, retry=False)

    return ring


def serve_book(app: Celery, registry: Registry, *, rings: bool = True, share: Share = whole) -> Celery:
    """Give the app one task for each topic; every one of them only claims its job.

    A worker apart `rings` for what its job made due; beside a beat that every commit wakes, that would be done twice.
    """
    ring = bell(app) if rings else None
    for topic in TOPICS:
        app.task(name=topic, ignore_result=True)(_task(registry, ring, share))
    return app


def _task(registry: Registry, ring: Ring | None, share: Share) -> Callable[[str, int], None]:
    def task(firm: str, job_id: int) -> None:
        # A bell for a firm that is unknown or rests ends here, at no cost in attempts: its job is rung for again.
        with registry.lend(firm) as rt:
            if rt is not None and run(rt, BOOK, job_id) and ring is not None:
                ring_on(rt, ring, share)

    return task


def ring_on(rt: Runtime, ring: Ring, share: Share = whole) -> None:
    """Ring at once for what a finished job made due; if the broker is away, the dispatcher rings later."""
    with contextlib.suppress(OSError, *_broker_errors()):
        ring_due(rt, ring, share)


def _broker_errors() -> tuple[type[Exception], ...]:
    import redis  # noqa: PLC0415  only a production fleet has it loaded
    from kombu.exceptions import OperationalError  # noqa: PLC0415

    return (OperationalError, redis.RedisError)
