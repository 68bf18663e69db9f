"""A real server on a real socket that answers with exactly the bytes a test asks for, when it asks for them."""

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = bytes | Iterable[bytes]
"""An iterable is sent part by part; the connection is closed afterwards, and after empty bytes."""


@dataclass
class RawServer:
    url: str
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.requests]


def reply(status: int = 200, body: Any = b"", **headers: str) -> bytes:
    """A whole HTTP answer; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@contextmanager
def raw_server(answer: Callable[[Request], Reply]) -> Iterator[RawServer]:  # noqa: C901
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    over = threading.Event()
    threads: list[threading.Thread] = []
    live: list[socket.socket] = []

    def accept() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                live.append(connection)
                server.connections += 1
                thread = threading.Thread(target=converse, args=(connection,))
                threads.append(thread)
                thread.start()

    def converse(connection: socket.socket) -> None:
        with connection, suppress(OSError, UnicodeDecodeError), connection.makefile("rb") as incoming:
            while (request := read(incoming)) is not None:
                server.requests.append(request)
                said = answer(request)
                if isinstance(said, bytes):
                    connection.sendall(said)
                    if said:
                        continue
                else:
                    for part in said:
                        if over.is_set():
                            return
                        connection.sendall(part)
                return

    def read(incoming: Any) -> Request | None:
        first = incoming.readline().decode().split()
        if len(first) < 2:
            return None
        headers = {}
        while line := incoming.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        return Request(first[0], first[1], headers, incoming.read(int(headers.get("content-length", 0))))

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in live:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in (accepting, *threads):
            thread.join(10)


@contextmanager
def a_closed_port() -> Iterator[str]:
    """The address of a port on which nobody listens while it is held."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
