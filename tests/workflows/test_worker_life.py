"""One real worker process and a real Redis: how it stops, what it survives, and that it ends itself when it is deaf."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import redis
from kombu import Consumer, Queue

from orchestrator.domain.topics import Urgency
from orchestrator.storage.jobs import JobState
from orchestrator.storage.migrate import migrate
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from tests.databases import HeldClock
from tests.firm import CONFIG
from tests.servers import own_valkey
from tests.workflows.hands import HANDS
from tests.workflows.wire import a_wire
from workflows.alive import Silent, check
from workflows.app import bell, celery_app


class Bench:
    """Jobs that take as long as they are told to, and the worker that does them."""

    def __init__(self, folder, database_url, broker_url):
        self.folder = folder
        self.database_url = database_url
        self.broker_url = broker_url
        self.uow = UnitOfWork(connect(database_url), HeldClock())
        migrate(self.uow.engine)
        self.bell = bell(celery_app(broker_url))
        self.process = None

    def start(self, *, grace=20.0, deaf=90.0):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.workflows.hands", self.broker_url, self.database_url, self.folder, str(grace), str(deaf)],
                cwd=CONFIG.parent, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def ring(self, *keys, seconds=0.0):
        for key in keys:
            with self.uow() as work:
                work.jobs.add("note.create", key, seconds=seconds, folder=str(self.folder))
                job_id = work.jobs.listed(limit=1)[0]["id"]
            self.bell("main", job_id, "note.create", Urgency.SWEEPS)

    def rows(self):
        with self.uow.read() as work:
            return work.jobs.listed(limit=500)

    def states(self):
        return sorted({row["state"] for row in self.rows()})

    def started(self):
        return len(list(self.folder.glob("started-*")))

    def said(self):
        return (self.folder / "log").read_text("utf-8", "replace")

    def until(self, holds, *, seconds=60):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, self.said()[-3000:]
            time.sleep(0.02)

    def up(self):
        """Started, and known to hear."""
        self.ring(f"hello-{time.monotonic_ns()}")
        self.until(lambda: self.states() == ["done"])

    def stop(self):
        """SIGTERM; the exit code and how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        return code, time.monotonic() - began

    def close(self):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=10)
        self.uow.engine.dispose()


@pytest.fixture
def bench(tmp_path, database_url, redis_url):
    with redis.Redis.from_url(redis_url) as store:
        store.flushdb()
    with closing(Bench(tmp_path, database_url, redis_url)) as bench:
        yield bench


def test_F15_an_idle_worker_told_to_stop_is_gone_at_once_and_leaves_nothing_in_redis(bench, redis_url):
    bench.start(grace=20)
    bench.up()
    assert check(bench.folder, "worker", within_seconds=60) >= 0
    code, took = bench.stop()
    assert code == 0
    assert took < 8, "not after its grace"
    with pytest.raises(Silent):
        check(bench.folder, "worker", within_seconds=60)
    with redis.Redis.from_url(redis_url) as store:
        assert list(store.scan_iter("*pulse*")) == []
        assert store.hlen("unacked") == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_F15_a_busy_worker_told_to_stop_finishes_and_leaves_the_rest_to_the_next(bench):
    bench.start(grace=20)
    bench.up()
    bench.ring(*range(6), seconds=1.5)
    bench.until(lambda: bench.started() >= 3)
    code, took = bench.stop()
    assert code == 0
    assert took < 15
    assert {row["state"] for row in bench.rows()} == {"done", "ready"}, "nothing is left in anybody's hands"
    bench.start()
    bench.until(lambda: bench.states() == ["done"])
    assert {row["attempts"] for row in bench.rows()} == {1}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_F15_what_is_not_done_within_the_grace_is_handed_back_at_once(bench):
    bench.start(grace=1)
    bench.up()
    bench.ring("long", seconds=60)
    bench.until(lambda: bench.started() == 2)
    _, took = bench.stop()
    assert took < 12
    [job] = [row for row in bench.rows() if row["key"] == "long"]
    assert job["state"] == JobState.CLAIMED
    assert job["rung_at"] is None
    with bench.uow() as work:
        time.sleep(1.1)
        assert work.jobs.claim(job["id"], holder="next", lease_seconds=30), "long before its lease of 30 s is over"
    assert "handed_back" in bench.said()


POISON = [
    b"not json at all", b"\xff\xfe\x00", b"", b"[]", b"5", b'"x"', b"null", b"{}",
    b'{"__type__": "datetime", "__value__": "never"}',
    b'{"headers": {"task": []}, "properties": {}, "body": ""}',
    json.dumps({
        "headers": {"task": "note.create", "id": "1", "eta": None, "expires": None, "timelimit": [None, None]},
        "properties": {"delivery_tag": "1", "delivery_info": {}, "body_encoding": "base64"},
        "content-type": "application/json", "content-encoding": "utf-8", "body": "%%%",
    }).encode(),
]  # fmt: skip


def test_F54_what_is_no_message_is_dropped_counted_and_stops_nobody(bench, redis_url):
    bench.start()
    bench.up()
    app = celery_app(bench.broker_url)
    with redis.Redis.from_url(redis_url) as store:
        for item in POISON:
            store.lpush("sweeps", item)
        app.send_task("no.such.task", args=("main", 1), queue="sweeps", ignore_result=True)
        app.send_task("note.create", args=("main",), queue="sweeps", ignore_result=True)
        app.send_task("note.create", args=("main", 999_999), queue="sweeps", ignore_result=True)
        bench.ring("after")
        bench.until(lambda: bench.states() == ["done"])
        bench.until(lambda: store.llen("sweeps") == 0)
        bench.until(lambda: store.hlen("unacked") == 0)
    assert bench.process.poll() is None
    assert f"count={len(POISON)}" in bench.said() or f'"count": {len(POISON)}' in bench.said()
    assert "not json at all" not in bench.said(), "what it held may be anything"
    assert bench.stop()[0] == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_F52_a_worker_that_stands_still_shows_no_sign_of_life(bench):
    bench.start(deaf=3)
    bench.up()
    os.kill(bench.process.pid, signal.SIGSTOP)
    bench.until(lambda: not alive(bench, 3))
    os.kill(bench.process.pid, signal.SIGCONT)
    bench.until(lambda: alive(bench, 3))
    assert bench.process.poll() is None, "having stood still is no reason to end"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_F52_a_worker_that_is_connected_but_deaf_ends_itself_and_a_new_one_goes_on(bench, redis_url):
    with a_wire(redis_url) as (wire, through):
        bench.broker_url = through
        bench.start(deaf=4, grace=2)
        bench.up()
        assert bench.process.poll() is None
        wire.deaf.set()
        bench.ring("unheard")
        assert bench.process.wait(timeout=90) not in {0, -signal.SIGKILL}, "a restart on failure must see one"
        assert "process.deaf" in bench.said()
        wire.deaf.clear()
        bench.start(deaf=4, grace=2)
        with bench.uow() as work:
            [job_id] = [row["id"] for row in work.jobs.listed() if row["key"] == "unheard"]
        bench.bell("main", job_id, "note.create", Urgency.SWEEPS)
        bench.until(lambda: bench.states() == ["done"])


@pytest.mark.parametrize("answer", ["ack", "reject", "requeue"])
def test_F51_an_answer_that_redis_missed_uses_up_no_credit(tmp_path, answer):
    """Else a worker with every hand's answer lost stays connected and never asks for a message again."""
    with own_valkey(tmp_path) as broker:
        app = celery_app(broker.url)
        bell(app)("main", 1, "note.create", Urgency.SWEEPS)
        with app.connection_for_read() as connection:
            channel = connection.default_channel
            channel.basic_qos(0, 1, False)
            held = []
            with Consumer(channel, Queue("sweeps"), on_message=held.append, accept=["json"]):
                connection.drain_events(timeout=5)
                assert not channel.qos.can_consume()
                broker.end(signal.SIGKILL)
                with pytest.raises(connection.connection_errors):
                    held[0].ack() if answer == "ack" else held[0].reject(requeue=answer == "requeue")
                assert channel.qos.can_consume()
                broker.start()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_F51_after_redis_was_killed_a_worker_hears_again_by_itself(tmp_path, database_url):
    with own_valkey(tmp_path) as broker, closing(Bench(tmp_path, database_url, broker.url)) as bench:
        bench.start(deaf=600, grace=2)
        bench.up()
        bench.ring(*range(4), seconds=1)
        bench.until(lambda: bench.started() >= 2)
        broker.end(signal.SIGKILL)
        bench.until(lambda: "done" in {row["state"] for row in bench.rows() if row["key"] == "0"})
        time.sleep(8)
        broker.start()
        with bench.uow() as work:
            for row in work.jobs.listed():
                bench.bell("main", row["id"], row["topic"], Urgency.SWEEPS)
        bench.until(lambda: bench.states() == ["done"], seconds=90)
        assert bench.process.poll() is None
        assert {row["attempts"] for row in bench.rows()} == {1}
        assert bench.stop()[0] == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_worker_whose_child_was_replaced_before_its_connections_were_cut_stays_at_rest(bench, redis_url):
    bench.start(deaf=600)
    bench.up()
    [hand, *_] = children(bench.process.pid)
    os.kill(hand, signal.SIGKILL)
    bench.until(lambda: len(children(bench.process.pid)) == HANDS and hand not in children(bench.process.pid))
    bench.ring("after", seconds=0)
    bench.until(lambda: bench.states() == ["done"])
    with redis.Redis.from_url(redis_url) as store:
        store.client_kill_filter(_type="normal", skipme=True)
    time.sleep(2)
    before = cpu_seconds(bench.process.pid)
    time.sleep(4)
    assert cpu_seconds(bench.process.pid) - before < 0.6
    assert bench.stop()[0] == 0


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def cpu_seconds(pid):
    figures = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(figures[11]) + int(figures[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_F52_a_worker_whose_hands_are_all_busy_is_not_taken_for_deaf(bench):
    bench.start(deaf=3)
    bench.up()
    bench.ring("one", "two", seconds=12)
    bench.until(lambda: bench.states() == ["done"])
    assert "process.deaf" not in bench.said()
    assert bench.stop()[0] == 0


def alive(bench, seconds):
    try:
        check(bench.folder, "worker", within_seconds=seconds)
    except Silent:
        return False
    return True
