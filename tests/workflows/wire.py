"""A wire to Redis that can go dead in one direction, as after a reconnect that only one side noticed (F52)."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Wire:
    """Forwards bytes both ways; once `deaf` is set, whoever waits for a message is never told of one."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.deaf = threading.Event()
        self._ends: list[socket.socket] = []
        self._carriers: list[threading.Thread] = []

    def serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._ends += (near, far)
            waiting = threading.Event()
            for source, sink, outward in ((near, far, True), (far, near, False)):
                carrier = threading.Thread(target=self._carry, args=(source, sink, outward, waiting), daemon=True)
                self._carriers.append(carrier)
                carrier.start()

    def close(self) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for carrier in self._carriers:
            carrier.join(timeout=5)
        for end in (self._listener, *self._ends):
            end.close()

    def _carry(self, source: socket.socket, sink: socket.socket, outward: bool, waiting: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if outward and b"BRPOP" in data:
                    waiting.set()
                if not outward and waiting.is_set() and self.deaf.is_set():
                    continue
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def a_wire(redis_url: str) -> Iterator[tuple[Wire, str]]:
    """The wire, and the address by which it leads to that Redis."""
    there = urlsplit(redis_url)
    wire = Wire((there.hostname or "127.0.0.1", there.port or 6379))
    threading.Thread(target=wire.serve, daemon=True).start()
    try:
        yield wire, there._replace(netloc=f"127.0.0.1:{wire.port}").geturl()
    finally:
        wire.close()
