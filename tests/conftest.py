import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
import structlog

from orchestrator.sandbox import running_sandbox
from tests.firm import START, open_firm
from tests.servers import postgres, valkey

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


@pytest.fixture
def lines():
    """What is written to the log, at every level, before it is scrubbed and shown."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as captured:
        yield captured
    structlog.configure(**before)


@pytest.fixture(scope="session")
def postgres_server():
    with postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server):
    """A database of its own on the session's server."""
    name = f"t_{uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{postgres_server}/{name}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def _sandbox_server():
    with running_sandbox("tiny", now=START, frozen=True, rate_limit=100_000) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox_server):
    """The tiny firm's sandbox, as new, with its clock standing at START."""
    _sandbox_server.clear_faults()
    _sandbox_server.reset("tiny", seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    return _sandbox_server


@pytest.fixture
def database_url(tmp_path):
    """A SQLite file of this test's own, in memory where the machine has such a folder: waiting for a disk proves nothing here."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(
        dir=memory if os.access(memory, os.W_OK) else tmp_path, ignore_cleanup_errors=True
    ) as folder:
        yield f"sqlite:///{folder}/firm.sqlite3"


@pytest.fixture
def firm(sandbox, database_url):
    """The tiny firm, connected and at rest."""
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        yield firm
