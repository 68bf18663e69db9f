"""Real worker processes on PostgreSQL claim a thousand jobs, each once, and none waits for another's row."""

import subprocess
import sys
import time
from collections import Counter

import pytest
import sqlalchemy as sa

from tests.firm import CONFIG

JOBS, PROCESSES = 1000, 4

CLAIMER = """
import random, sys
from datetime import UTC, datetime
from orchestrator.storage.unit_of_work import UnitOfWork, connect
url, seed = sys.argv[1:]
uow = UnitOfWork(connect(url), lambda: datetime.now(UTC))
with uow.read() as work:
    ids = [row["id"] for row in work.jobs.listed(limit=5000)]
random.Random(seed).shuffle(ids)
print("ready", flush=True)
sys.stdin.readline()
for job_id in ids:
    with uow(quietly=True, beside=True) as work:
        if work.jobs.claim(job_id, holder=seed, lease_seconds=600) is not None:
            print(job_id)
"""


@pytest.mark.slow
def test_four_processes_claim_a_thousand_jobs_each_exactly_once(postgres_uow, postgres_url):
    with postgres_uow() as work:
        for number in range(JOBS):
            work.jobs.add("note.create", number)
        ids = {row["id"] for row in work.jobs.listed(limit=5000)}
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, postgres_url, str(seed)], cwd=CONFIG.parent, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )
        for seed in range(PROCESSES)
    ]  # fmt: skip
    for claimer in claimers:
        assert claimer.stdout.readline() == "ready\n"
    for claimer in claimers:
        claimer.stdin.write("go\n")
        claimer.stdin.flush()
    claimed = [[int(line) for line in claimer.communicate(timeout=100)[0].split()] for claimer in claimers]
    assert Counter(job_id for mine in claimed for job_id in mine) == Counter(ids)
    assert all(claimed), "everybody had a share"
    with postgres_uow.read() as work:
        assert {(row["attempts"], row["fence"]) for row in work.jobs.listed(limit=5000)} == {(1, 1)}


def test_a_claim_in_the_making_keeps_nobody_waiting(postgres_uow):
    """Neither who claims another job, nor the second that hears the same bell, nor the dispatcher."""
    with postgres_uow() as work:
        work.jobs.add("note.create", "slow")
        work.jobs.add("note.create", "other")
        slow, other = sorted(row["id"] for row in work.jobs.listed())
    held = postgres_uow.engine.connect()
    try:
        held.execute(sa.text("SELECT id FROM jobs WHERE id = :id FOR UPDATE"), {"id": slow})
        began = time.monotonic()
        with postgres_uow(quietly=True, beside=True) as work:
            work.connection.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
            assert work.jobs.claim(slow, holder="b", lease_seconds=30) is None
            assert work.jobs.claim(other, holder="b", lease_seconds=30) is not None
        with postgres_uow(quietly=True, beside=True) as work:
            work.connection.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
            assert work.jobs.ring(limit=10) == []
        assert time.monotonic() - began < 20
    finally:
        held.rollback()
        held.close()
    with postgres_uow(quietly=True, beside=True) as work:
        assert work.jobs.claim(slow, holder="c", lease_seconds=30) is not None
