"""The two databases a firm may live in, and a clock that a test holds in its hands."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from orchestrator.storage.tables import jobs
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from tests.firm import START


class HeldClock:
    """The firm's now, moved by hand."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture(params=["sqlite", "postgresql"])
def either_url(request):
    """One test, both databases."""
    return request.getfixturevalue("database_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_either_url(request):
    """One test, both databases, before anybody migrated them."""
    return request.getfixturevalue("empty_database_url" if request.param == "sqlite" else "empty_postgres_url")


@pytest.fixture
def clock():
    return HeldClock()


@pytest.fixture
def uow(either_url, clock):
    """Transactions on a migrated database of either kind."""
    engine = connect(either_url)
    yield UnitOfWork(engine, clock)
    engine.dispose()


@pytest.fixture
def postgres_uow(postgres_url, clock):
    """For what only several writers at once can show."""
    engine = connect(postgres_url)
    yield UnitOfWork(engine, clock)
    engine.dispose()


def real_time_passes(uow: UnitOfWork, seconds: float) -> None:
    """The database's clock cannot be moved, so what it is compared with is: leases, pauses and bells grow older."""
    with uow() as work:
        older = {"held_until": jobs.c.held_until - seconds, "rung_at": jobs.c.rung_at - seconds}
        work.connection.execute(sa.update(jobs).values(**older))
