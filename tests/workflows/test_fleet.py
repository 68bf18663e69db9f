"""Real processes: one that does everything, and web, worker and beat apart on PostgreSQL and Redis."""

import signal
import time

import httpx
import pytest
import redis
from kombu import Connection

from tests.workflows.fleet import a_fleet


@pytest.fixture
def broker(redis_url):
    with redis.Redis.from_url(redis_url) as store:
        store.flushdb()
        yield store


def started(fleet, *parts):
    for part in parts:
        fleet.start(*part.split())
    fleet.until(fleet.ready)
    fleet.until(fleet.enabled)


PARTS = ("serve", "worker --concurrency 2", "beat")


def test_one_process_with_an_in_process_broker_carries_a_bill_to_money_in(sandbox, tmp_path, empty_database_url):
    with a_fleet(sandbox, tmp_path, empty_database_url, "memory://") as fleet:
        started(fleet, "up")
        fleet.money_in()
        with fleet.books() as work:
            assert work.journal.held() == 60_000
        fleet.check()
        assert fleet.stop("up") == 0


def test_separate_processes_on_postgres_and_redis_carry_a_bill_to_money_in(
    sandbox, tmp_path, postgres_url, redis_url, broker
):
    with a_fleet(sandbox, tmp_path, postgres_url, redis_url) as fleet:
        started(fleet, *PARTS)
        fleet.money_in()
        with fleet.books() as work:
            assert work.journal.held() == 60_000
        fleet.check()
        assert fleet.states().keys() <= {"done", "ready", "revoked", "claimed"}


@pytest.mark.slow
def test_F54_messages_that_mean_nothing_stop_nobody(sandbox, tmp_path, postgres_url, redis_url, broker):
    with a_fleet(sandbox, tmp_path, postgres_url, redis_url) as fleet:
        with Connection(redis_url) as connection, connection.Producer() as producer:
            for headers, body, content_type in (
                ({"task": "no.such.task", "id": "1"}, '[["main", 1], {}, {}]', "application/json"),
                ({"task": "link.create", "id": "2"}, '[["main"], {}, {}]', "application/json"),
                ({"task": "link.create", "id": "3"}, '[["main", 999999], {}, {}]', "application/json"),
                ({"task": "link.create", "id": "4"}, "not json", "application/json"),
                ({"task": "link.create", "id": "5"}, "cos\nsystem\n", "application/x-python-serialize"),
                ({}, "[]", "application/json"),
            ):
                producer.publish(
                    body, routing_key="money", exchange="", headers=headers, content_type=content_type,
                    content_encoding="utf-8", serializer=None,
                )  # fmt: skip
        started(fleet, *PARTS)
        fleet.money_in()
        with fleet.books() as work:
            assert work.journal.held() == 60_000


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_a_send_loses_nothing_and_repeats_nothing(
    sandbox, tmp_path, postgres_url, redis_url, broker
):
    settings = {"ORCH_ENGINE__LEASE_SECONDS": 6, "ORCH_ENGINE__SETTLE_SECONDS": 5}
    with a_fleet(sandbox, tmp_path, postgres_url, redis_url, **settings) as fleet:
        started(fleet, *PARTS)
        fleet.sandbox.fault("POST /clio_payments/links", "delay", seconds=1.5)
        fleet.issued_bill()
        # Made at Clio; its answer is still on the way.
        fleet.until(fleet.links)
        fleet.kill("worker")
        assert fleet.states("link.create") == {"sent": 1}
        fleet.start("worker", "--concurrency", "2")
        fleet.sandbox.clock_advance(30)
        fleet.until(lambda: fleet.states("link.create") == {"done": 1})
        fleet.until(fleet.sandbox.mail)
        assert len(fleet.links()) == 1
        fleet.until(lambda: fleet.sandbox.effects("communication.created"))
        fleet.check()


@pytest.mark.slow
def test_F50_bells_that_redis_forgot_are_rung_again_within_a_minute(sandbox, tmp_path, postgres_url, redis_url, broker):
    with a_fleet(sandbox, tmp_path, postgres_url, redis_url) as fleet:
        started(fleet, *PARTS)
        fleet.kill("worker")
        for dollars in range(100, 130):
            fleet.issued_bill(dollars)
        fleet.sandbox.settle()
        fleet.until(lambda: broker.llen("money") > 0)
        broker.flushdb()
        lost_at = time.monotonic()
        fleet.start("worker", "--concurrency", "2")
        fleet.until(lambda: len(fleet.links()) == 30, seconds=75)
        assert time.monotonic() - lost_at < 75
        fleet.until(lambda: len(fleet.sandbox.mail()) == 30)
        fleet.until(lambda: len(fleet.sandbox.effects("communication.created")) == 30)
        fleet.check()


@pytest.mark.slow
def test_a_worker_told_to_stop_finishes_what_it_holds(sandbox, tmp_path, postgres_url, redis_url, broker):
    with a_fleet(sandbox, tmp_path, postgres_url, redis_url) as fleet:
        started(fleet, *PARTS)
        fleet.sandbox.fault("POST /clio_payments/links", "delay", seconds=1.5)
        fleet.issued_bill()
        fleet.until(fleet.links)
        assert fleet.stop("worker") in {0, -signal.SIGTERM, -signal.SIGQUIT}
        assert fleet.states("link.create") == {"done": 1}
        fleet.start("worker", "--concurrency", "2")
        fleet.until(fleet.sandbox.mail)
        fleet.check()


@pytest.mark.slow
def test_two_beats_and_two_workers_do_everything_once(sandbox, tmp_path, postgres_url, redis_url, broker):
    with a_fleet(sandbox, tmp_path, postgres_url, redis_url) as fleet:
        started(fleet, *PARTS)
        (tmp_path / "twins").mkdir()
        twins = type(fleet)(fleet.sandbox, tmp_path / "twins", postgres_url, fleet.environment)
        try:
            twins.start("worker", "--concurrency", "2")
            twins.start("beat")
            fleet.money_in()
            fleet.sandbox.clock_advance(3600)
            fleet.until(lambda: fleet.states().keys() <= {"done", "ready", "revoked"})
            fleet.check()
        finally:
            for name in list(twins.running):
                twins.kill(name)


def test_a_fleet_without_a_worker_says_so(sandbox, tmp_path, database_url, redis_url, broker):
    """Health is what reaches the database through the broker, not that a process is there."""
    with a_fleet(sandbox, tmp_path, database_url, redis_url) as fleet:
        fleet.start("serve")
        fleet.until(lambda: _answers(fleet.address))
        answer = httpx.get(f"{fleet.address}/health/ready", trust_env=False)
        assert answer.status_code == 503
        assert "beat" in answer.json()["findings"][0]


def _answers(address):
    try:
        return httpx.get(f"{address}/health/live", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
