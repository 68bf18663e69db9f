"""A wire between the worker and its broker that can be cut, and mended."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

PIECE = 65_536


class Wire(ThreadingTCPServer):
    """Carries bytes to one address and back; while it is cut, nobody gets through."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Carrier)
        self.end = (host, port)
        self.whole = True
        self._open: set[socket.socket] = set()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def cut(self) -> None:
        """End every connection and refuse the next ones."""
        self.whole = False
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.whole = True

    def carry(self, near: socket.socket) -> None:
        """Until either side ends it."""
        if not self.whole:
            return
        with socket.create_connection(self.end) as far:
            self._open |= {near, far}
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()
            self._open -= {near, far}


class _Carrier(BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Wire)
        with contextlib.suppress(OSError):
            self.server.carry(self.request)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            sink.sendall(piece)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire_to(url: str) -> Iterator[tuple[Wire | None, str]]:
    """A wire to the broker of this address, and the address of its near end; no wire where it could not be cut."""
    parts = urlsplit(url)
    if parts.scheme != "redis" or not parts.hostname:
        yield None, url
        return
    with Wire(parts.hostname, parts.port or 6379) as wire:
        threading.Thread(target=wire.serve_forever, name="wire", daemon=True).start()
        try:
            login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
            yield wire, parts._replace(netloc=f"{login}127.0.0.1:{wire.port}").geturl()
        finally:
            wire.cut()
            wire.shutdown()
