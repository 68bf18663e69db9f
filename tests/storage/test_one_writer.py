"""PostgreSQL: transactions that write a firm's facts take turns; claims, bells and receipts do not wait for them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from orchestrator.clocks import DatabaseClock
from orchestrator.storage.tables import jobs
from orchestrator.storage.unit_of_work import IDLE_SECONDS, DatabaseTrouble, UnitOfWork, connect
from tests.firm import START


def test_F56_two_transactions_that_lock_the_same_rows_in_opposite_orders_both_succeed(postgres_uow):
    with postgres_uow() as work:
        work.jobs.add("note.create", 1)
        work.jobs.add("note.create", 2)
    statements = [sa.update(jobs).where(jobs.c.key == key).values(detail="locked") for key in "12"]
    meet = threading.Barrier(2)

    def lock(order):
        meet.wait()
        with postgres_uow() as work:
            for statement in order:
                work.connection.execute(statement)
                time.sleep(0.05)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lock, (statements, statements[::-1])))


def test_a_claim_and_a_receipt_do_not_wait_for_the_writer(postgres_uow):
    with postgres_uow() as work:
        work.jobs.add("note.create", 1)
        job_id = work.jobs.listed(limit=1)[0]["id"]

    def claim():
        with postgres_uow(quietly=True, beside=True) as work:
            return work.jobs.claim(job_id, holder="a", lease_seconds=30)

    with ThreadPoolExecutor(1) as pool, postgres_uow():
        assert pool.submit(claim).result(timeout=5) is not None


@pytest.mark.slow
def test_F11_a_process_frozen_inside_a_transaction_keeps_the_others_waiting_for_seconds_only(postgres_uow):
    began = time.monotonic()

    def another():
        with postgres_uow() as work:
            work.jobs.add("note.create", 2)
        return time.monotonic() - began

    def frozen():
        with ThreadPoolExecutor(1) as pool, postgres_uow() as work:
            assert pool.submit(another).result(timeout=60) < IDLE_SECONDS + 2
            work.jobs.add("note.create", 3)

    with pytest.raises(DatabaseTrouble):
        frozen()


def test_F60_workers_whose_machines_disagree_about_the_time_agree_about_the_firm_s(postgres_url):
    engine = connect(postgres_url)
    clock = DatabaseClock(engine, machine=lambda: START - timedelta(seconds=90))
    with UnitOfWork(engine, clock).read() as work:
        database = work.connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        assert abs((work.now - database).total_seconds()) < 0.5
    engine.dispose()
