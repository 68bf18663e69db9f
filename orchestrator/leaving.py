"""By when a request must have left this machine: a process that was frozen past it wakes up and sends nothing (F11)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_by: ContextVar[float] = ContextVar("leaving_by", default=float("inf"))


@contextmanager
def leaving_by(moment: float) -> Iterator[None]:
    """What this thread sends within must have begun to leave by `moment` of the monotonic clock."""
    token = _by.set(moment)
    try:
        yield
    finally:
        _by.reset(token)


def too_late() -> bool:
    """Whether that moment has passed; never without one."""
    return time.monotonic() > _by.get()
