"""`/metrics`: the counters of this process, or of a worker and its children, for whoever shows the token.

A worker's children count in files of a folder they share, one file a place in the pool, so that a child that is replaced
counts on and the folder does not grow.
"""

import atexit
import hmac
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
TYPE = CONTENT_TYPE_LATEST


def place_in_pool() -> str:
    """Which child of a worker this is; one that is replaced has its successor in its place."""
    import multiprocessing  # noqa: PLC0415

    name = sys.modules.get("billiard.process", multiprocessing)
    return str(getattr(name.current_process(), "index", "parent"))


def share(place: Callable[[], object]) -> None:
    """Count in files from now on; must be called before anything is counted. `place` tells processes apart."""
    folder = os.environ[FOLDER] = tempfile.mkdtemp(prefix="orchestrator-metrics-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    values.ValueClass = values.MultiProcessValue(place)  # type: ignore[no-untyped-call]


def page(*more: Collector) -> bytes:
    """Everything there is to say, in Prometheus' text format."""
    from orchestrator.telemetry.counters import COUNTERS  # noqa: PLC0415  `share` comes first

    shared = FOLDER in os.environ
    own = MultiProcessCollector(CollectorRegistry()) if shared else COUNTERS  # type: ignore[no-untyped-call]
    return generate_latest(_Together((own, *more)))


def allowed(authorization: str, token: str) -> bool:
    """Whether the `Authorization` header shows the token, in constant time."""
    return hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def serve(host: str, port: int, token: str | None) -> WSGIServer:
    """Answer `GET /metrics` at this address from a thread of its own, to anybody who reaches it if there is no token."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        status, body = HTTPStatus.OK, b""
        if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] != "GET":
            status = HTTPStatus.NOT_FOUND
        elif token is not None and not allowed(environ.get("HTTP_AUTHORIZATION", ""), token):
            status = HTTPStatus.UNAUTHORIZED
        else:
            body = page()
        start(f"{status.value} {status.phrase}", [("Content-Type", TYPE), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server(host, port, app, _Server, _Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


class _Together:
    def __init__(self, collectors: Iterable[Any]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterable[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A reader that hangs up is nobody's trouble, and a traceback of it would go to stderr as it is."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...
