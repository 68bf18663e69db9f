"""The demo end to end: real command, real processes, real HTTP; then its figures, its refusals and its end."""

import contextlib
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from orchestrator.domain.draws import DrawState
from orchestrator.sandbox import running_sandbox
from tests.demo.conftest import PROGRAM, plain
from tests.servers import postgres, valkey

NUMBERS = {
    "bills": {"requested", "issued", "paid"},
    "links": {"created", "expired", "used", "peak_active", "peak_24h"},
    "mails": {"sent", "withheld"},
    "payments": {"completed", "reversed"},
    "clio": {"calls", "calls_429"},
    "oracle": {
        "duplicate_links", "duplicate_mails", "lost_effects", "quota_breaches", "mails_after_payment",
        "mails_to_closed_matters", "repeated_steps", "unexplained_silence", "trust_violations",
    },
}  # fmt: skip


def clean(done):
    assert done.code == 0, done.out + done.err
    assert done.figures["ok"]
    assert done.figures["findings"] == []
    assert all(done.figures["oracle"][name] == 0 for name in NUMBERS["oracle"])


def test_six_days_end_clean_with_every_documented_figure(demo):
    done = demo("--days", "6", "--seed", "4")
    clean(done)
    for group, names in NUMBERS.items():
        assert all(isinstance(done.figures[group][name], int) for name in names)
    assert isinstance(done.figures["exceptions"]["open"], int)
    assert set(done.figures["trust"]["draws"]) == set(DrawState)
    assert done.figures["reconciliation"] == {"signed": 0, "three_way_difference_cents": None}
    assert done.figures["links"]["created"] == done.figures["mails"]["sent"] + done.figures["mails"]["withheld"] > 5
    told = {name: done.figures[name] for name in ("schema", "seed", "days", "rail", "mode", "database")}
    assert told == {
        "schema": 1, "seed": 4, "days": 6, "rail": "clio_payments", "mode": "embedded", "database": "sqlite",
    }  # fmt: skip
    assert "Nothing doubled, nothing lost, nothing unexplained" in done.out


def test_a_sandbox_started_elsewhere_is_begun_afresh_and_watched_through_another_address(demo):
    with running_sandbox("tiny", seed=9) as sandbox:
        sandbox.act("generate_bill", matter_id=sandbox.state()["matters"]["ferris"])
        other = sandbox.url.replace("127.0.0.1", "localhost")
        done = demo("--days", "2", "--scenario", "tiny", "--sandbox", sandbox.url, ORCH_CLIO__BASE_URL=other)
        clean(done)
        assert done.figures["clio"]["calls"] == sandbox.counts()["total_calls"] > 20


def test_a_database_that_holds_a_run_is_refused_in_words(demo, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "used.sqlite3")) as database:
        database.executescript("create table jobs (id integer); insert into jobs values (1);")
    done = demo("--days", "1", ORCH_DATABASE_URL=f"sqlite:///{tmp_path / 'used.sqlite3'}")
    assert done.code == 1
    assert "already holds a run" in done.err
    assert "Traceback" not in done.err


def test_an_unknown_scenario_is_refused_in_words(demo):
    done = demo("--scenario", "nowhere")
    assert done.code == 1
    assert "There is no scenario nowhere" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_is_ended_no_process_stays(number, tmp_path):
    mark = {"DEMO_TEST_MARK": str(tmp_path)}
    running = subprocess.Popen(
        [*PROGRAM, "--days", "45"], env=plain(**mark), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    _until(lambda: len(_marked(mark)) >= 3)
    running.send_signal(number)
    said, _ = running.communicate(timeout=30)
    _until(lambda: not _marked(mark))
    assert "Traceback" not in said
    assert running.returncode == (130 if number is not signal.SIGKILL else -signal.SIGKILL)


def _marked(mark):
    """The processes that carry this mark in their environment."""
    [words] = (f"{name}={value}".encode() for name, value in mark.items())
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if words in environ.read_bytes():
                found.append(environ.parent.name)
    return found


def _until(ready, seconds=40):
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_forty_five_days_end_clean(demo, seed):
    done = demo("--seed", str(seed), seconds=280)
    clean(done)
    assert done.figures["story"]["without_occasion"] == []
    assert done.figures["payments"]["completed"] > 10
    assert done.figures["payments"]["reversed"] >= 4
    assert done.figures["clio"]["calls_429"] >= 2
    assert done.figures["mails"]["by_step"]["overdue-7"] >= 1
    trust, reconciled = done.figures["trust"], done.figures["reconciliation"]
    assert trust["draws"]["reconciled"] >= 1
    assert trust["draws"]["withdrawn"] == 0
    assert trust["breaks"]["by_kind"]["unmapped_reference"] == 1
    assert trust["breaks"]["open"] == 0
    assert reconciled == {"signed": 1, "three_way_difference_cents": 0}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_same_story_ends_clean_on_postgresql_and_redis_in_processes_of_their_own(demo, tmp_path):
    with postgres() as server, valkey(tmp_path) as broker:
        done = demo("--days", "6", seconds=280, ORCH_DATABASE_URL=f"{server}/postgres", ORCH_BROKER_URL=broker)
    clean(done)
    assert (done.figures["mode"], done.figures["database"]) == ("processes", "postgresql")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_months_of_the_year_survive_every_outage(demo):
    done = demo("--firm", "year", "--days", "60", seconds=580)
    clean(done)
    assert len(done.figures["story"]["outages"]) == 4
    assert done.figures["mails"]["by_step"].keys() == {"overdue-7", "overdue-21"}
    assert done.figures["reminders"]["flagged"] >= 1
    assert {"matter_closed", "payment_under_way", "payment_reversed"} <= done.figures["reminders"]["silent"].keys()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_weeks_of_the_year_survive_redis_being_away_as_well(demo, tmp_path):
    with postgres() as server, valkey(tmp_path) as broker:
        done = demo(
            "--firm", "year", "--days", "12", seconds=580,
            ORCH_DATABASE_URL=f"{server}/postgres", ORCH_BROKER_URL=broker,
        )  # fmt: skip
    clean(done)
    assert "Redis away for 6 hours" in done.figures["story"]["outages"]
