import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from orchestrator.domain.kinds import KINDS
from orchestrator.settings import Misconfigured
from orchestrator.storage.migrate import migrate, newest, require_newest
from orchestrator.storage.tables import drains, metadata
from orchestrator.storage.unit_of_work import connect


@pytest.fixture
def engine(empty_either_url):
    engine = connect(empty_either_url)
    yield engine
    engine.dispose()


def test_the_migrated_schema_is_the_one_in_tables(engine):
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_is_harmless(engine):
    assert migrate(engine) == (None, newest())
    assert migrate(engine) == (newest(), newest())
    require_newest(engine)


def test_a_database_that_is_behind_is_named_with_what_to_do(engine):
    with pytest.raises(Misconfigured, match=r"revision none, not .* run `orchestrator migrate` first"):
        require_newest(engine)


def test_processes_that_migrate_at_once_wait_for_each_other(empty_either_url):
    barrier = threading.Barrier(4)

    def one(_):
        engine = connect(empty_either_url)
        try:
            barrier.wait()
            return migrate(engine)[1]
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == [newest()] * 4


def test_every_kind_has_its_drain_from_the_start(engine):
    migrate(engine)
    with engine.connect() as connection:
        assert {row.kind for row in connection.execute(drains.select())} == set(KINDS)
