import pytest

from orchestrator.storage.tables import approvals, jobs, tasks


def test_inserting_once_tells_whether_it_was_inserted(uow):
    """On PostgreSQL a row count of -1 once read as "it was there already", and nothing was ever asked for."""
    with uow() as work:
        key = {"key": "k", "purpose": "p", "facts": {}, "complete": False, "created_at": work.now}
        assert work.tasks.add_once(tasks, **key)
        assert not work.tasks.add_once(tasks, **key)
        standing = {"entry_id": 1, "digest": "d", "total_cents": 1, "approved_by": "x", "signal": "operator"}
        assert work.approvals.add_once(approvals, **standing, approved_at=work.now)
        assert not work.approvals.add_once(approvals, **standing, approved_at=work.now)


def test_a_transaction_that_raises_leaves_nothing(uow):
    def half():
        with uow() as work:
            assert work.jobs.add("sweep", "x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    with uow.read() as work:
        assert work.jobs.counts() == {}


def test_a_transaction_opens_once(uow):
    with uow() as work, pytest.raises(RuntimeError, match="open already"):
        uow().__enter__()
    assert not uow.busy
    assert work.connection.closed


def test_a_naive_moment_is_refused(uow, clock):
    with uow() as work:
        naive = clock().replace(tzinfo=None)
        with pytest.raises(Exception, match="has no time zone"):
            work.connection.execute(jobs.select().where(jobs.c.not_before == naive))
