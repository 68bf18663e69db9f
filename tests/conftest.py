import logging
import os
from contextlib import contextmanager
from shutil import copyfile
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
import structlog

from orchestrator.sandbox import running_sandbox
from orchestrator.storage.migrate import migrate
from orchestrator.storage.unit_of_work import connect
from tests.firm import START, open_firm
from tests.servers import postgres, scratch, valkey

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


QUICK_CPU_SECONDS = 30
"""What no quick test takes even where nine others share its caches; on a quiet machine it is ten, and then the test is slow."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test that is not marked `slow` fails when it burns more, whatever else the machine is doing."""
    before = sum(os.times()[:4])
    done = yield
    burnt = sum(os.times()[:4]) - before
    if burnt > QUICK_CPU_SECONDS and item.get_closest_marker("slow") is None:
        pytest.fail(f"It took {burnt:.0f} seconds of CPU: make it cheaper, or mark it slow.")
    return done


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The slow ones first, or the last of them would run alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


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


@contextmanager
def a_database(server, template="template1"):
    """A database on this server for as long as the block."""
    name = f"t_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres_server):
    """A database of this test's own on the session's server, without a schema."""
    with a_database(postgres_server) as name:
        yield f"{postgres_server}/{name}"


@pytest.fixture(scope="session")
def _migrated_postgres(postgres_server):
    with a_database(postgres_server) as name:
        _migrated(f"{postgres_server}/{name}")
        yield name


@pytest.fixture
def postgres_url(postgres_server, _migrated_postgres):
    """A database of this test's own with the newest schema: a copy of one that was migrated once in this session."""
    with a_database(postgres_server, _migrated_postgres) as name:
        yield f"{postgres_server}/{name}"


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
def empty_database_url():
    """A SQLite file of this test's own that does not exist yet."""
    with TemporaryDirectory(dir=scratch(), ignore_cleanup_errors=True) as folder:
        yield f"sqlite:///{folder}/firm.sqlite3"


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("migrated") / "firm.sqlite3"
    _migrated(f"sqlite:///{file}")
    return file


@pytest.fixture
def database_url(empty_database_url, _migrated_file):
    """A SQLite file of this test's own with the newest schema: a copy of one that was migrated once in this session."""
    copyfile(_migrated_file, empty_database_url.removeprefix("sqlite:///"))
    return empty_database_url


def _migrated(url):
    engine = connect(url)
    migrate(engine)
    engine.dispose()


@pytest.fixture
def firm(sandbox, database_url):
    """The tiny firm, connected and at rest."""
    with open_firm(sandbox, database_url) as firm:
        firm.work()
        yield firm
