"""A database that is full, read-only or locked (F56): no effect before its intent is durable, and it passes by itself."""

from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from orchestrator.engine.points import Point
from orchestrator.engine.run import run
from orchestrator.storage.tables import jobs
from orchestrator.storage.types import real_now
from orchestrator.storage.unit_of_work import DatabaseTrouble
from tests.firm import open_firm


@contextmanager
def full_disk(engine):
    """SQLite may take not one page more than it has: every way to make room inside the file is used up first."""

    def limit(connection, _record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (text TEXT)")
    sa.event.listen(engine, "connect", limit)
    engine.dispose()
    for length in (2000, 20):
        with pytest.raises(sa.exc.OperationalError, match="disk is full"):
            fill(engine, length)
    try:
        yield
    finally:
        sa.event.remove(engine, "connect", limit)
        engine.dispose()
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE filler")


def fill(engine, length):
    while True:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO filler VALUES (hex(randomblob({length})))")


@contextmanager
def read_only(engine):
    """Every connection refuses to write, as on a file system or a standby that became read-only."""

    def refuse(connection, _record):
        if engine.dialect.name == "sqlite":
            connection.execute("PRAGMA query_only=ON")
        else:
            connection.execute("SET default_transaction_read_only=on")
            connection.commit()

    sa.event.listen(engine, "connect", refuse)
    engine.dispose()
    try:
        yield
    finally:
        sa.event.remove(engine, "connect", refuse)
        engine.dispose()


def tried(firm, times=6):
    """The firm goes on as its processes would: what the database refuses is tried again, once a bell, and nothing else may happen."""
    refused = 0
    for _ in range(times):
        firm.sandbox.clock_advance(16 * 60)
        try:
            firm.rest_pauses()
            firm.tick()
            for _ in range(5):
                for job_id in firm.bells():
                    firm.work_only(job_id)
        except DatabaseTrouble:
            refused += 1
    return refused


def lived(firm):
    """Afterwards: one link, one message, and nobody was asked for anything."""
    for _ in range(4):
        firm.later(minutes=16)
    assert len(firm.links()) == 1
    assert len(firm.mails()) == 1
    assert firm.exceptions() == {}
    firm.check()


def test_F56_a_full_disk_lets_nothing_leave_without_its_intent_and_passes_by_itself(firm):
    firm.issued_bill()
    with full_disk(firm.rt.uow.engine):
        assert tried(firm) > 0
        # A change that fits into what the file has is durable, and may be acted on.
        for topic, done in (("link.create", firm.links()), ("message.send", firm.mails())):
            assert len(done) <= len([job for job in firm.jobs(topic) if job["sent_at"] is not None])
    lived(firm)


def test_F56_however_long_the_disk_is_full_no_job_is_out_of_attempts_and_nobody_is_needed(firm):
    firm.issued_bill()
    with full_disk(firm.rt.uow.engine):
        assert tried(firm, times=40) > 0
        assert max(job["attempts"] for job in firm.jobs()) < firm.rt.settings.engine.attempts
    lived(firm)


@pytest.mark.parametrize(("due_for", "pause"), [(timedelta(), 1), (timedelta(hours=1), 60)])
def test_F56_a_job_that_met_a_full_disk_rests_the_longer_the_longer_it_was_due(firm, due_for, pause):
    def trouble(_job, _rt):
        raise sa.exc.OperationalError("", {}, Exception("disk full"))

    with firm.rt.uow() as work:
        work.jobs.add("sweep", "here")
        [job] = work.jobs.listed(topic="sweep", states=["ready"], limit=1)
    firm.sandbox.clock_advance(due_for.total_seconds())
    firm.rt.clock.ask_again()
    assert run(firm.rt, {"sweep": trouble}, job["id"])
    with firm.rt.read() as work:
        rests = sa.select(jobs.c.attempts, jobs.c.held_until - real_now()).where(jobs.c.id == job["id"])
        attempts, left = work.connection.execute(rests).one()
    assert attempts == 0
    assert pause - 1 < left <= pause


def test_F56_a_read_only_database_lets_nothing_leave_and_passes_by_itself(sandbox, either_url):
    with open_firm(sandbox, either_url) as firm:
        firm.work()
        firm.issued_bill()
        with read_only(firm.rt.uow.engine):
            assert tried(firm) > 0
            assert firm.links() == firm.mails() == []
        lived(firm)


def test_F56_a_database_that_refuses_the_record_of_what_was_done_adopts_it_later(sandbox, either_url):
    """The link is made; from its answer on nothing can be written. It is found again, not made again."""
    trouble = ExitStack()

    def passing(point):
        if point is Point.EFFECT_ANSWERED and firm.links() and not struck:
            struck.append(point)
            trouble.enter_context(read_only(firm.rt.uow.engine))

    struck = []
    with open_firm(sandbox, either_url, passing=passing) as firm:
        firm.work()
        firm.issued_bill()
        with trouble:
            assert tried(firm) > 0
            assert (len(firm.links()), firm.mails()) == (1, [])
            assert [job["state"] for job in firm.jobs("link.create")] == ["sent"]
        lived(firm)
        [link] = firm.jobs("link.create")
        assert link["evidence"] == {"adopted": True}
