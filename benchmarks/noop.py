"""A Celery app that does nothing, as fast as Celery does it: what our own messages are measured against."""

import os

from celery import Celery

ADDRESS = "NOOP_BROKER"

app = Celery("noop", broker=os.environ.get(ADDRESS, "memory://"), backend=os.environ.get(ADDRESS, "cache+memory://"))
app.conf.update(worker_prefetch_multiplier=1, task_acks_late=True, worker_hijack_root_logger=False)


@app.task(name="nothing")  # type: ignore[untyped-decorator]
def nothing() -> None:
    """Come back."""
