"""Redis and PostgreSQL away under real processes: nothing lost, nothing doubled, and nobody has to do anything (F50–F55).

Every process that ends is started again, as compose does; nothing else helps them.
"""

import os
import signal
import time
from collections import Counter

import psycopg
import pytest
import redis

from tests.servers import own_postgres, own_valkey
from tests.workflows.fleet import a_fleet

PARTS = ("serve", "worker --concurrency 2", "beat")
QUICK = {"ORCH_ENGINE__LEASE_SECONDS": 6, "ORCH_ENGINE__SETTLE_SECONDS": 5}
"""A lease of six seconds and a settle wait of five: what a firm waits thirty and ninety for."""

AWAY_SECONDS = float(os.environ.get("TEST_OUTAGE_SECONDS", "25"))
"""How long Redis is away; 600 for the ten minutes of the fault table."""

WHOLE = {"done", "ready", "revoked", "claimed"}


def started(fleet):
    fleet.restarts = True
    for part in PARTS:
        fleet.start(*part.split())
    fleet.until(fleet.ready, seconds=120)
    fleet.until(fleet.enabled, seconds=120)


def slow_clio(fleet):
    """The answer to a new link takes a second and a half: so long somebody is in the middle of something."""
    fleet.sandbox.fault("POST /clio_payments/links", "delay", times=None, seconds=1.5)


def deliveries(fleet, since=0):
    """How each delivery of a webhook since then was answered."""
    fleet.sandbox.settle()
    told = fleet.sandbox.effects(since_seq=since)
    return Counter(one["status"] for one in told if one["kind"] in {"webhook.delivered", "webhook.failed"})


def so_far(fleet):
    return max(one["seq"] for one in fleet.sandbox.effects())


def everything_once(fleet, bills, *, seconds=120):
    """Each bill has one link, one message and one entry in Clio's log, and no row waits for a person."""

    def arrived():
        fleet.sandbox.clock_advance(1)
        return fleet.states("link.create") == fleet.states("communication.log") == {"done": len(bills)}

    fleet.until(arrived, seconds=seconds)
    assert sorted(link["bill_id"] for link in fleet.links()) == sorted(bills)
    assert len(fleet.sandbox.mail()) == len(fleet.sandbox.effects("communication.created")) == len(bills)
    assert fleet.states().keys() <= WHOLE
    with fleet.books() as work:
        assert work.exceptions.open_counts() == {}
    fleet.check()


@pytest.mark.slow
@pytest.mark.timeout(300 + AWAY_SECONDS)
def test_F51_redis_killed_stops_no_webhook_and_what_waited_is_done_when_it_is_back(sandbox, tmp_path, postgres_url):
    with own_valkey(tmp_path) as broker, a_fleet(sandbox, tmp_path, postgres_url, broker.url, **QUICK) as fleet:
        started(fleet)
        slow_clio(fleet)
        bills = [fleet.issued_bill(dollars)["id"] for dollars in (100, 200, 300, 400)]
        fleet.until(fleet.links, seconds=60)
        broker.end(signal.SIGKILL)
        gone, seen = time.monotonic(), so_far(fleet)
        for dollars in (500, 600, 700, 800):
            began = time.monotonic()
            bills.append(fleet.issued_bill(dollars)["id"])
            assert deliveries(fleet, seen).keys() == {200}
            assert time.monotonic() - began < 5, "Clio gives us ten seconds"
        while time.monotonic() < gone + AWAY_SECONDS:
            fleet.tend()
            time.sleep(0.2)
        assert deliveries(fleet, seen).keys() == {200}
        assert len(fleet.links()) < len(bills), "with Redis away hardly anything was done"
        broker.start()
        back = time.monotonic()
        everything_once(fleet, bills, seconds=150)
        assert "pacer.redis_away" in fleet.said(), "from then on a safe share of the pace"
        assert fleet.ended == [], f"all came back by themselves, within {time.monotonic() - back:.0f} s"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_F55_postgresql_restarted_in_mid_transaction_again_and_again_doubles_nothing(sandbox, tmp_path, redis_url):
    """Immediate shutdowns, as if it had crashed: commits under way are answered or not, and nobody is told which."""
    with redis.Redis.from_url(redis_url) as store:
        store.flushdb()
    with own_postgres() as server:
        with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE firm")
        with a_fleet(sandbox, tmp_path, f"{server.url}/firm", redis_url, **QUICK) as fleet:
            started(fleet)
            seen = so_far(fleet)
            bills = []
            for dollars in (100, 300, 500):
                bills += [fleet.issued_bill(dollars + more)["id"] for more in (0, 100)]
                links = len(fleet.links())
                fleet.until(lambda links=links: len(fleet.links()) > links, seconds=60)
                server.end(signal.SIGQUIT)
                bills.append(fleet.issued_bill(dollars + 150)["id"])
                assert deliveries(fleet, seen)[503] >= len(bills) // 3, "to be sent again"
                fleet.tend()
                server.start()
                # Clio sends again after two minutes.
                fleet.sandbox.clock_advance(125)
            fleet.until(lambda: at_rest(fleet, bills), seconds=150)
            assert sorted(link["bill_id"] for link in fleet.links()) == sorted(bills)
            # A message whose sending could not be stored is a person's by design: nobody can look up whether it went out.
            with fleet.books() as work:
                doubtful = {row["payload"]["bill_id"] for row in parked(work)}
                assert work.exceptions.open_counts() == ({"mail_outcome_unknown": len(doubtful)} if doubtful else {})
            verdict = sandbox.oracle()
            assert {one["bill_id"] for one in verdict.pop("missing")} <= doubtful
            assert not any(verdict.values()), verdict
            assert len(sandbox.mail()) >= len(bills) - len(doubtful)
            assert len(sandbox.effects("communication.created")) == len(bills) - len(doubtful)
            said = fleet.said()
            assert "database_trouble" in said
            assert "Traceback" not in said


def parked(work):
    rows = work.jobs.listed(states=["parked", "failed"], limit=5000)
    assert {row["topic"] for row in rows} <= {"message.send"}
    return [work.jobs.get(row["id"]) for row in rows]


def at_rest(fleet, bills):
    fleet.sandbox.clock_advance(2)
    sent = fleet.states("message.send")
    return (
        fleet.states("link.create") == {"done": len(bills)}
        and sum(sent.values()) == len(bills)
        and sent.keys() <= {"done", "parked"}
        and fleet.states("communication.log") == {"done": sent.get("done", 0)}
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_F50_redis_emptied_again_and_again_under_work_loses_and_doubles_nothing(sandbox, tmp_path, postgres_url):
    with own_valkey(tmp_path) as broker, a_fleet(sandbox, tmp_path, postgres_url, broker.url, **QUICK) as fleet:
        started(fleet)
        slow_clio(fleet)
        bills = []
        with redis.Redis.from_url(broker.url) as store:
            for dollars in range(100, 900, 100):
                bills.append(fleet.issued_bill(dollars)["id"])
                fleet.sandbox.settle()
                time.sleep(0.5)
                store.flushall()
        everything_once(fleet, bills)
        assert fleet.ended == []
