"""By what work is known in every line: firm, job, topic, bill, attempt, and the trace that leads from a delivery to each call.

A trace id is made of the fact that began it, so it is the same on any worker and after any crash: a delivery's digest, or
the name of a tick. A job inherits it from what added it. It is a W3C trace id as well (32 hex digits), for spans.
"""

import hashlib
from contextlib import AbstractContextManager
from typing import Any

from structlog.contextvars import bound_contextvars, get_contextvars


def begun_by(*facts: object) -> str:
    """The trace id of work that nothing else of ours caused."""
    return hashlib.sha256("|".join(map(str, facts)).encode()).hexdigest()[:32]


def bound(**ids: Any) -> AbstractContextManager[None]:
    """While the block runs, every line of this thread names these ids; those that are None are left out."""
    return bound_contextvars(**{name: value for name, value in ids.items() if value is not None})


def current() -> str | None:
    """The trace that this thread is on, if it is on one."""
    return get_contextvars().get("trace_id")


def firm() -> str:
    """The firm that this thread is working for; empty between jobs."""
    return str(get_contextvars().get("firm", ""))
