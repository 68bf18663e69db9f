"""T47: the audit chain on both databases: written by many at once, by two versions, and over an existing record."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from orchestrator.domain.audit_chain import Fault, check
from orchestrator.storage.migrate import _config, migrate
from orchestrator.storage.tables import audit
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from tests.firm import START


def write(uow, *actions, **facts):
    with uow() as work:
        for action in actions:
            work.audit.line(action, "bill", 1, **facts)


def verdict(uow):
    with uow.read() as work:
        found = check(work.audit.lines())
    return found.lines, (found.first.seq, found.first.fault) if found.first else None


def test_lines_of_one_and_of_several_transactions_are_one_chain(uow):
    write(uow, "a", "b", cents=1, bills=(3, 4), nested={"é": [1.5, None, True], 7: "seven"})
    write(uow, "c")
    assert verdict(uow) == (3, None)


def write_and_fail(work):
    work.audit.line("never", "bill", 1)
    work.audit.line("nor this", "bill", 1, at=object())


def test_a_transaction_that_is_undone_leaves_the_chain_as_it_was(uow):
    write(uow, "a")
    with pytest.raises(TypeError), uow() as work:
        write_and_fail(work)
    write(uow, "b")
    assert verdict(uow) == (2, None)


@pytest.mark.parametrize("beside", [False, True])
def test_many_writers_at_once_write_one_chain(uow, beside):
    barrier = threading.Barrier(4)

    def one(who):
        barrier.wait()
        for step in range(10):
            with uow(beside=beside) as work:
                work.audit.line("step", "writer", who, actor=f"w{who}", step=step)
                work.audit.line("again", "writer", who)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    assert verdict(uow) == (80, None)


def test_T47_an_edit_and_a_deletion_in_the_database_are_named(uow):
    write(uow, *"abcdef", cents=5)
    with uow() as work:
        work.connection.execute(sa.update(audit).where(audit.c.seq == 3).values(actor="nora"))
    assert verdict(uow)[1] == (3, Fault.EDITED)
    with uow() as work:
        work.connection.execute(sa.update(audit).where(audit.c.seq == 3).values(actor="worker"))
    assert verdict(uow)[1] is None
    with uow() as work:
        work.connection.execute(sa.delete(audit).where(audit.c.seq == 3))
    assert verdict(uow)[1] == (3, Fault.MISSING)


def test_F15_what_an_older_version_appends_is_sealed_by_the_next_line(uow):
    write(uow, "a")
    with uow() as work:
        # As a program of the version before does: without a number of its own and without a hash.
        for n in range(2):
            old = {"at": work.now, "actor": "worker", "action": "old", "subject_kind": "bill", "subject_id": str(n)}
            work.connection.execute(sa.insert(audit).values(**old, facts={}))
    with uow.read() as work:
        assert check(work.audit.lines()).unsealed == 2
    write(uow, "b")
    with uow.read() as work:
        found = check(work.audit.lines())
    assert (found.lines, found.unsealed, found.findings) == (4, 0, [])


def test_the_lines_that_were_there_before_are_chained_by_the_migration(empty_either_url, clock):
    engine = connect(empty_either_url)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        old = sa.Table("audit", sa.MetaData(), autoload_with=connection)
        rows = [
            {"at": START + timedelta(seconds=n), "actor": "worker", "action": "old", "subject_kind": "bill",
             "subject_id": str(n), "facts": {"n": n, "é": [1.5]}}
            for n in range(1201)
        ]  # fmt: skip
        connection.execute(sa.insert(old), rows)
    migrate(engine)
    uow = UnitOfWork(engine, clock)
    assert verdict(uow) == (1201, None)
    write(uow, "new")
    assert verdict(uow) == (1202, None)
    engine.dispose()


def test_a_long_chain_is_read_in_little_memory(uow):
    with uow() as work:
        for n in range(3000):
            work.audit.line("line", "bill", n, filler="x" * 200)
    tracemalloc.start()
    try:
        assert verdict(uow) == (3000, None)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
