"""The wire to the broker: it carries, it can be cut, and it can be mended."""

import contextlib
import socket
import threading

import pytest

from orchestrator.demo.wire import wire_to


@pytest.fixture
def echo():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    near, _ = server.accept()
                    threading.Thread(target=_echo, args=(near,), daemon=True).start()

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]


def _echo(near):
    with near, contextlib.suppress(OSError):
        while said := near.recv(100):
            near.sendall(said)


@contextlib.contextmanager
def line_to(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"ping")
        yield line


def test_a_wire_carries_until_it_is_cut_and_again_when_it_is_mended(echo):
    with wire_to(f"redis://127.0.0.1:{echo}/0") as (wire, url):
        assert url == f"redis://127.0.0.1:{wire.port}/0"
        with line_to(wire.port) as line:
            assert line.recv(100) == b"ping"
            wire.cut()
            assert line.recv(100) == b""
        with contextlib.suppress(ConnectionError), line_to(wire.port) as line:
            assert line.recv(100) == b""
        wire.mend()
        with line_to(wire.port) as line:
            assert line.recv(100) == b"ping"


def test_the_login_goes_along_and_what_is_no_redis_has_no_wire():
    with wire_to("redis://:word@127.0.0.1:1/2") as (wire, url):
        assert url == f"redis://:word@127.0.0.1:{wire.port}/2"
    with wire_to("memory://") as nothing:
        assert nothing == (None, "memory://")
