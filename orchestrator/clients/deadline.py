"""One deadline for a whole exchange, and the certain knowledge of whether any of it left this machine."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore

from orchestrator.leaving import too_late


@dataclass(slots=True)
class Attempt:
    """One exchange under way: its end on the monotonic clock, and whether a byte of the request was handed to the wire."""

    ends: float
    left_us: bool = False

    def left(self, timeout: float | None) -> float:
        """Seconds one socket operation may take, never more than the exchange has left and never zero."""
        remaining = max(0.001, self.ends - time.monotonic())
        return remaining if timeout is None else min(timeout, remaining)

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.ends


_current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempt(seconds: float) -> Iterator[Attempt]:
    """Bound everything this thread does on a `DeadlineBackend` to `seconds` in total (F08)."""
    current = Attempt(time.monotonic() + seconds)
    token = _current.set(current)
    try:
        yield current
    finally:
        _current.reset(token)


class DeadlineBackend(httpcore.NetworkBackend):
    """Sockets that obey the thread's current attempt; `httpx` itself bounds only each single read."""

    def __init__(self) -> None:
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._plain.connect_tcp(host, port, _left(timeout), local_address, socket_options)
        return _DeadlineStream(stream)


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, plain: httpcore.NetworkStream) -> None:
        self._plain = plain

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if (current := _current.get()) is not None and current.over:
            raise httpcore.ReadTimeout("The deadline of the whole exchange has passed.")
        return self._plain.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if (current := _current.get()) is not None and buffer:
            if current.over:
                raise httpcore.WriteTimeout("The deadline of the whole exchange has passed.")
            if not current.left_us and too_late():
                # Looked at here and not before: a freeze anywhere between the lease and this line must not end in a request.
                raise httpcore.WriteTimeout("The lease it was to leave under has gone.")
            # Set before the first byte goes: a crash or error in the middle must count as sent.
            current.left_us = True
        self._plain.write(buffer, _left(timeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._plain.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


def _left(timeout: float | None) -> float | None:
    current = _current.get()
    return timeout if current is None else current.left(timeout)
