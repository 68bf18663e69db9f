"""The queue of record, on both databases: claims, leases, fences, bells, verdicts and ticks."""

import inspect
import itertools
import pkgutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta
from importlib import import_module

import pytest
import sqlalchemy as sa

import orchestrator
from orchestrator import errors
from orchestrator.domain.topics import Urgency
from orchestrator.engine import verdicts
from orchestrator.engine.dispatch import IN_FLIGHT, fair_share, ring_due
from orchestrator.engine.effects import step
from orchestrator.engine.run import run
from orchestrator.engine.schedule import Beat, slot
from orchestrator.errors import (
    NeedsConnection,
    NeedsReview,
    OrchestratorError,
    OutcomeUnknown,
    Paced,
    Rejected,
    Stale,
    Transient,
)
from orchestrator.jurisdictions import UnreadableProfile
from orchestrator.sequences import UnreadableSequence
from orchestrator.settings import Misconfigured, UnknownFirm
from orchestrator.storage.jobs import JobState, LostLease
from orchestrator.storage.tables import jobs
from orchestrator.usecases.reconcile_course import RunTaken
from tests.databases import real_time_passes
from tests.firm import START, Died, open_firm

TOPIC = "note.create"


def add(uow, *facts, topic=TOPIC, **given):
    """One job; its id."""
    with uow() as work:
        assert work.jobs.add(topic, *facts, **given)
        return work.jobs.listed(limit=1)[0]["id"]


def claim(uow, job_id, *, holder="a", lease=30.0):
    with uow() as work:
        return work.jobs.claim(job_id, holder=holder, lease_seconds=lease)


def row(uow, job_id):
    with uow.read() as work:
        return work.jobs.get(job_id)


# ── claiming ──


def test_a_fact_makes_one_job_however_often_it_is_told(uow):
    with uow() as work:
        assert work.jobs.add(TOPIC, 7, "issued", subject="x")
        assert not work.jobs.add(TOPIC, 7, "issued", subject="y")
        assert work.jobs.add("task.create", 7, "issued")
        assert work.jobs.counts() == {"ready": 2}


def test_a_topic_nobody_does_is_refused(uow):
    with pytest.raises(KeyError), uow() as work:
        work.jobs.add("nobody.does.this", 1)


def test_F53_of_eight_workers_that_hear_the_same_bells_one_claims_each_job(uow):
    ids = [add(uow, number) for number in range(10)]
    barrier = threading.Barrier(8)

    def worker(name):
        barrier.wait()
        return [job.id for job_id in ids * 5 if (job := claim(uow, job_id, holder=name)) is not None]

    with ThreadPoolExecutor(8) as pool:
        claimed = list(itertools.chain.from_iterable(pool.map(worker, "abcdefgh")))
    assert sorted(claimed) == sorted(ids)
    with uow.read() as work:
        assert {(job["attempts"], job["fence"]) for job in work.jobs.listed()} == {(1, 1)}


def test_an_attempt_is_counted_when_it_begins(uow):
    job_id = add(uow, 1)
    for attempt in (1, 2, 3):
        job = claim(uow, job_id)
        assert (job.attempts, job.fence) == (attempt, attempt)
        real_time_passes(uow, 31)


def test_a_lease_holds_until_it_ends_on_the_databases_clock(uow, clock):
    job_id = add(uow, 1)
    assert claim(uow, job_id, lease=30)
    clock.advance(days=1)
    assert claim(uow, job_id) is None, "the firm's clock has no say in leases"
    real_time_passes(uow, 29)
    assert claim(uow, job_id) is None
    real_time_passes(uow, 2)
    assert claim(uow, job_id, holder="b").fence == 2


def test_a_job_is_not_due_before_its_moment_on_the_firms_clock(uow, clock):
    job_id = add(uow, 1, at=START + timedelta(minutes=5))
    assert claim(uow, job_id) is None
    with uow.read() as work:
        assert work.jobs.idle()
        assert work.jobs.next_due() == START + timedelta(minutes=5)
    clock.advance(minutes=5)
    assert claim(uow, job_id)


def test_a_job_handed_back_rests_on_both_clocks(uow, clock):
    job_id = add(uow, 1)
    job = claim(uow, job_id)
    with uow() as work:
        work.jobs.hand_back(job, pause_seconds=10, not_before=START + timedelta(minutes=1))
    clock.advance(minutes=2)
    assert claim(uow, job_id) is None
    real_time_passes(uow, 11)
    assert claim(uow, job_id).attempts == 2


def test_an_attempt_that_was_not_the_jobs_fault_is_not_counted(uow):
    job_id = add(uow, 1)
    job = claim(uow, job_id)
    with uow() as work:
        work.jobs.hand_back(job, counted=False)
    assert claim(uow, job_id).attempts == 1


def test_a_job_found_sent_keeps_what_was_sent_and_when(uow, clock):
    job_id = add(uow, 1)
    job = claim(uow, job_id)
    with uow() as work:
        work.jobs.mark_sent(job, {"to": 1}, lease_seconds=30)
    clock.advance(minutes=1)
    real_time_passes(uow, 31)
    found = claim(uow, job_id, holder="b")
    assert (found.state, found.intent, found.sent_at) == (JobState.SENT, {"to": 1}, START)


def test_handed_back_unsent_a_job_begins_anew(uow):
    job_id = add(uow, 1)
    job = claim(uow, job_id)
    with uow() as work:
        work.jobs.mark_sent(job, {"to": 1}, lease_seconds=30)
        work.jobs.hand_back(job)
    assert (row(uow, job_id)["state"], row(uow, job_id)["sent_at"]) == (JobState.READY, None)


def test_only_a_job_that_nobody_began_is_withdrawn(uow):
    add(uow, 1)
    begun = add(uow, 2)
    assert claim(uow, begun)
    with uow() as work:
        assert work.jobs.revoke(TOPIC, 1, reason="bill_gone")
        assert not work.jobs.revoke(TOPIC, 2, reason="bill_gone")
        assert work.jobs.counts() == {"claimed": 1, "revoked": 1}


# ── the fence ──

VERBS = {
    "mark_sent": lambda work, job: work.jobs.mark_sent(job, {}, lease_seconds=30),
    "finish": lambda work, job: work.jobs.finish(job),
    "hand_back": lambda work, job: work.jobs.hand_back(job),
    "park": lambda work, job: work.jobs.stop(job, JobState.PARKED, reason="rejected", detail=""),
    "fail": lambda work, job: work.jobs.stop(job, JobState.FAILED, reason="rejected", detail=""),
    "revoke": lambda work, job: work.jobs.stop(job, JobState.REVOKED, reason="rejected", detail=""),
}


def too_late(uow, verb, stale):
    with uow() as work:
        work.audit.line("would.go", "with", "it")
        VERBS[verb](work, stale)


@pytest.mark.parametrize("verb", VERBS)
def test_F11_a_worker_that_lost_its_lease_changes_nothing(uow, verb):
    job_id = add(uow, 1)
    stale = claim(uow, job_id, holder="a")
    real_time_passes(uow, 31)
    assert claim(uow, job_id, holder="b")
    before = row(uow, job_id)
    with pytest.raises(LostLease):
        too_late(uow, verb, stale)
    assert row(uow, job_id) == before
    with uow.read() as work:
        assert work.audit.about("with", "it") == [], "what came with the refused verb went with it"


@pytest.mark.parametrize("verb", VERBS)
def test_F11_nothing_but_the_fence_keeps_the_late_worker_out(uow, verb):
    """The proof that it is the fence: with the newer one forged into its job, the same late write lands."""
    job_id = add(uow, 1)
    stale = claim(uow, job_id, holder="a")
    real_time_passes(uow, 31)
    current = claim(uow, job_id, holder="b")
    with uow() as work:
        VERBS[verb](work, replace(stale, fence=current.fence))
    with pytest.raises(LostLease), uow() as work:
        work.jobs.finish(replace(current, fence=current.fence - 1))


def test_F11_a_lease_that_ran_out_is_too_late_for_sending_even_if_nobody_took_over(uow):
    job_id = add(uow, 1)
    job = claim(uow, job_id)
    real_time_passes(uow, 31)
    with pytest.raises(LostLease), uow() as work:
        work.jobs.mark_sent(job, {}, lease_seconds=30)


def test_what_is_over_cannot_be_ended_again(uow):
    job_id = add(uow, 1)
    job = claim(uow, job_id)
    with uow() as work:
        work.jobs.finish(job)
    with pytest.raises(LostLease), uow() as work:
        work.jobs.finish(job)
    assert claim(uow, job_id) is None


# ── a person tries again ──


@pytest.mark.parametrize(
    ("state", "sent", "resend", "after"),
    [
        (JobState.PARKED, True, False, JobState.SENT),
        (JobState.PARKED, True, True, JobState.READY),
        (JobState.PARKED, False, False, JobState.READY),
        (JobState.FAILED, True, False, JobState.READY),
    ],
)
def test_retrying_searches_first_unless_a_person_gives_their_word(uow, state, sent, resend, after):
    job_id = add(uow, 1)
    job = claim(uow, job_id)
    with uow() as work:
        if sent:
            work.jobs.mark_sent(job, {"to": 1}, lease_seconds=30)
        work.jobs.stop(job, state, reason="rejected", detail="")
    assert claim(uow, job_id) is None
    with uow() as work:
        assert work.jobs.retry(job_id, resend=resend)
        assert not work.jobs.retry(job_id), "it is with the workers already"
    again = claim(uow, job_id)
    assert again.state is (JobState.SENT if after is JobState.SENT else JobState.CLAIMED)
    assert (again.sent_at is not None) == (after is JobState.SENT)
    assert again.attempts == 1


# ── bells ──


def test_bells_ring_by_urgency_then_by_age(uow, clock):
    sweep = add(uow, 1, topic="sweep")
    late = add(uow, 2, topic="link.create", at=START + timedelta(seconds=1))
    early = add(uow, 3, topic="link.create")
    money = add(uow, 4, topic="link.expire")
    clock.advance(seconds=2)
    with uow() as work:
        rung = work.jobs.ring(limit=10)
    assert [job_id for job_id, _, _ in rung] == [money, early, late, sweep]
    assert [urgency for _, _, urgency in rung] == [Urgency.MONEY, Urgency.MESSAGES, Urgency.MESSAGES, Urgency.SWEEPS]
    with uow() as work:
        assert work.jobs.ring(limit=10) == []
        assert work.jobs.outstanding() == 4


def test_a_claimed_job_is_rung_for_nobody(uow):
    assert claim(uow, add(uow, 1))
    with uow() as work:
        assert work.jobs.ring(limit=10) == []


def test_F50_a_thousand_bells_that_the_broker_forgot_ring_again_once_each(uow):
    with uow() as work:
        for number in range(1000):
            work.jobs.add(TOPIC, number)
        lost = [job_id for job_id, _, _ in work.jobs.ring(limit=1000)]
    assert len(lost) == 1000
    real_time_passes(uow, 29)
    with uow() as work:
        assert work.jobs.ring(limit=1000) == []
    real_time_passes(uow, 2)
    again = []
    with uow() as work:
        while rung := work.jobs.ring(limit=IN_FLIGHT):
            again += [job_id for job_id, _, _ in rung]
    assert sorted(again) == sorted(lost)


def test_two_dispatchers_ring_no_job_twice(postgres_uow):
    for number in range(100):
        add(postgres_uow, number)
    barrier = threading.Barrier(4)

    def dispatcher(_):
        barrier.wait()
        found = []
        for _ in range(10):
            with postgres_uow() as work:
                found += [job_id for job_id, _, _ in work.jobs.ring(limit=7)]
        return found

    with ThreadPoolExecutor(4) as pool:
        rung = list(itertools.chain.from_iterable(pool.map(dispatcher, range(4))))
    assert len(rung) == len(set(rung))


def test_a_firm_fills_no_more_than_its_share_of_the_broker(firm):
    with firm.rt.uow() as work:
        for number in range(IN_FLIGHT + 50):
            work.jobs.add("engine.tidy", "share", number)
    bells = []

    def ring(_firm, job_id, _topic, _urgency):
        bells.append(job_id)

    assert ring_due(firm.rt, ring) == IN_FLIGHT
    assert ring_due(firm.rt, ring) == 0
    firm.rt.uow.engine.dispose()


def test_a_firm_s_urgent_work_goes_beyond_its_share_and_never_waits_behind_its_background(firm):
    bells = []

    def rung_after(topic):
        with firm.rt.uow() as work:
            for number in range(9):
                work.jobs.add(topic, number)
        before = len(bells)
        for _ in range(2):
            ring_due(firm.rt, lambda _firm, _job, _topic, urgency: bells.append(urgency), lambda: 2)
        return bells[before:]

    assert rung_after("engine.tidy") == [Urgency.SWEEPS] * 2
    assert rung_after("task.create") == []
    assert rung_after("link.expire") == [Urgency.MONEY]
    assert rung_after("engine.heartbeat") == [Urgency.INTERACTIVE]


def test_a_job_in_somebody_s_hands_counts_until_it_is_put_down(uow):
    held = claim(uow, add(uow, 1))
    with uow() as work:
        assert work.jobs.outstanding() == 1
        work.jobs.hand_back(held, pause_seconds=60)
    with uow() as work:
        assert work.jobs.outstanding() == 0


@pytest.mark.parametrize(("hands", "waiting", "share"), [(8, 0, 6), (8, 1, 1), (4, 0, 2), (2, 0, 1), (1, 0, 1)])
def test_a_share_is_one_while_anybody_waits_and_never_every_hand(hands, waiting, share):
    assert fair_share(hands, waiting) == share


# ── running and verdicts ──


@pytest.fixture
def either_firm(sandbox, either_url):
    with open_firm(sandbox, either_url) as firm:
        yield firm


def one(firm, body, *facts):
    """Add a job whose body is `body`, run it once, and return its row."""
    job_id = add(firm.rt.uow, *(facts or ("one",)), bill_id=5)
    assert run(firm.rt, {TOPIC: body}, job_id)
    return row(firm.rt.uow, job_id)


def raising(failure):
    def body(_job, _rt):
        raise failure

    return body


@pytest.mark.parametrize(
    ("failure", "state", "attempts"),
    [
        (Transient("later"), "ready", 1),
        (Transient("later", retry_after=7), "ready", 1),
        (Stale("moved"), "ready", 1),
        (Paced("full"), "ready", 0),
        (NeedsConnection("renew"), "ready", 0),
        (OutcomeUnknown("lost"), "sent", 1),
        (Rejected("no", reason="clio_refused"), "failed", 1),
        (NeedsReview("you", reason="no_assignee"), "parked", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_failure_says_what_happens_next(either_firm, failure, state, attempts):
    job = one(either_firm, raising(failure))
    assert (job["state"], job["attempts"]) == (state, attempts)
    stopped = state in {"failed", "parked"}
    assert either_firm.exceptions() == ({job["reason"]: 1} if stopped else {})
    assert (job["held_until"] is not None) == (state == "ready")
    if isinstance(failure, OutcomeUnknown):
        # At once: whoever claims it next finds it SENT, and settles before searching.
        assert (job["not_before"], job["held_until"]) == (START, None)


def leaves():
    """Every error of ours, wherever it stands."""
    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if not module.name.startswith(
            ("orchestrator.sandbox", "orchestrator.demo", "orchestrator.cli", "orchestrator.storage.migrations")
        ):
            import_module(module.name)
    found = [OrchestratorError]
    for kind in found:
        found += [child for child in kind.__subclasses__() if child not in found]
    return [kind for kind in found if kind.__module__.startswith("orchestrator.")]


OUTSIDE_THE_TABLE = {
    OrchestratorError: "the root, raised by nobody",
    LostLease: "somebody else has the job: nothing may be recorded",
    Misconfigured: "stops the process at its start",
    UnreadableProfile: "the same: a file of config/jurisdictions",
    UnreadableSequence: "the same: a file of config/reminders",
    RunTaken: "another worker takes the run on: it never leaves the run's own loop",
    UnknownFirm: "there is no database that it could be recorded in",
}


def test_every_error_of_ours_has_exactly_one_verdict():
    for kind in leaves():
        verdict = [base for base in verdicts.VERDICTS if issubclass(kind, base)]
        if kind in OUTSIDE_THE_TABLE or kind.__module__.startswith("orchestrator.sandbox"):
            continue
        if kind.__module__.startswith(("orchestrator.cli", "orchestrator.demo")):
            continue
        assert len(verdict) == 1, f"{kind.__module__}.{kind.__name__} means {verdict}"
    assert {Transient, OutcomeUnknown, Rejected, NeedsReview} == verdicts.VERDICTS.keys()
    assert inspect.getdoc(errors) is not None


@pytest.mark.parametrize("point", ["failure.state", "job"])
def test_an_unplanned_error_parks_at_once_and_tells_nobody_a_name(either_firm, point):
    def body(_job, _rt):
        raise ValueError(f"Bo Ferris <bo@clients.test> owes 600 ({point})")

    job = one(either_firm, body)
    assert (job["state"], job["reason"]) == (JobState.PARKED, "unplanned")
    assert job["detail"].startswith("ValueError in test_jobs.py:")
    with either_firm.rt.read() as work:
        [opened] = work.exceptions.listed()
    assert opened["job_id"] == job["id"]
    for text in (job["detail"], opened["summary"]):
        assert "Ferris" not in text
        assert "@" not in text
    either_firm.check()


def test_tried_as_often_as_allowed_a_job_waits_for_a_person(either_firm):
    uow, most = either_firm.rt.uow, either_firm.rt.settings.engine.attempts
    job_id = add(uow, "trying")
    for attempt in range(1, most + 1):
        assert run(either_firm.rt, {TOPIC: raising(Transient("again"))}, job_id), attempt
        real_time_passes(uow, 601)
    job = row(uow, job_id)
    assert (job["state"], job["reason"], job["attempts"]) == (JobState.PARKED, "attempts_exhausted", most)
    assert either_firm.exceptions() == {"attempts_exhausted": 1}
    assert not run(either_firm.rt, {}, job_id)
    either_firm.check()


def test_pauses_double_up_to_ten_minutes():
    assert [verdicts.backoff(attempt) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert verdicts.backoff(50) == 600


def test_F14_a_job_that_kills_every_worker_is_parked_and_the_queue_goes_on(either_firm):
    uow, most = either_firm.rt.uow, either_firm.rt.settings.engine.attempts * 3
    poison, healthy = add(uow, "poison"), add(uow, "healthy")
    kills = []

    def body(job, rt):
        if job.id == poison:
            kills.append(job.attempts)
            raise Died
        with step(rt, job):
            pass

    while row(uow, poison)["state"] != JobState.PARKED:
        try:
            run(either_firm.rt, {TOPIC: body}, poison)
        except Died:
            real_time_passes(uow, 31)
    assert kills == list(range(1, most + 1))
    assert row(uow, poison)["reason"] == "attempts_exhausted"
    assert run(either_firm.rt, {TOPIC: body}, healthy)
    assert row(uow, healthy)["state"] == JobState.DONE
    either_firm.check()


def test_F53_the_same_bell_five_times_does_the_work_once(either_firm):
    done = []

    def body(job, rt):
        done.append(job.id)
        with step(rt, job):
            pass

    job_id = add(either_firm.rt.uow, "bell")
    with ThreadPoolExecutor(5) as pool:
        ran = list(pool.map(lambda _: run(either_firm.rt, {TOPIC: body}, job_id), range(5)))
    assert sorted(ran) == [False, False, False, False, True]
    assert done == [job_id]


def test_F55_a_database_that_goes_away_in_mid_job_decides_nothing(either_firm):
    """Its words are no verdict on the work: the lease runs out, the row says what to do, and the attempt does not count (F56)."""

    uow = either_firm.rt.uow
    job_id = add(uow, "away")
    postgres = uow.engine.dialect.name == "postgresql"
    assert run(either_firm.rt, {TOPIC: _cut if postgres else _full}, job_id)
    assert row(uow, job_id)["state"] == JobState.CLAIMED
    real_time_passes(uow, 31)
    assert claim(uow, job_id).attempts == 1


def test_F14_a_statement_that_is_wrong_is_the_job_s_own_fault_and_becomes_a_person_s(either_firm):
    def body(_job, rt):
        with rt.uow() as work:
            work.connection.execute(sa.text("SELECT * FROM no_such_table"))

    uow = either_firm.rt.uow
    job_id = add(uow, "wrong")
    assert run(either_firm.rt, {TOPIC: body}, job_id)
    assert row(uow, job_id)["state"] == JobState.PARKED


def _full(_job, _rt):
    raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))


def _cut(_job, rt):
    with rt.uow() as work:
        work.connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))


# ── ticks ──


def test_F58_two_beats_add_each_tick_once(either_firm):
    real = START.replace(tzinfo=UTC)
    first, second = Beat(either_firm.rt), Beat(either_firm.rt)
    assert first.tick(real) > 0
    with either_firm.rt.read() as work:
        before = work.jobs.counts()
    assert second.tick(real) > 0
    with either_firm.rt.read() as work:
        assert work.jobs.counts() == before
    assert first.tick(real) == second.tick(real) == 0


def test_F58_slots_that_were_missed_collapse_into_the_present_one(either_firm):
    beat = Beat(either_firm.rt)
    beat.tick(START)
    either_firm.sandbox.clock_advance(6 * 3600)
    time.sleep(0.03)  # the moved clock is asked at most every 20 ms
    restarted = Beat(either_firm.rt)
    restarted.tick(START + timedelta(hours=6))
    planned = either_firm.jobs("billing.plan")
    assert [job["key"] for job in planned] == ["2026-03-02T15:00:00Z", "2026-03-02T21:00:00Z"]
    assert len(either_firm.jobs("engine.heartbeat")) == 2


def test_a_slot_has_one_name_wherever_in_it_one_looks():
    every = timedelta(minutes=15)
    names = {slot(START + timedelta(seconds=second), every) for second in range(0, 900, 7)}
    assert names == {"2026-03-02T15:00:00Z"}
    assert slot(START + every, every) == "2026-03-02T15:15:00Z"


def test_finished_ticks_are_forgotten_and_nothing_else(uow, clock):
    tick, effect = add(uow, "slot", topic="sweep"), add(uow, "effect")
    for job_id in (tick, effect):
        job = claim(uow, job_id)
        with uow() as work:
            work.jobs.finish(job)
    clock.advance(days=4)
    with uow() as work:
        assert work.jobs.tidy(before=clock() - timedelta(days=3), topics=["sweep"]) == 1
    assert row(uow, tick) is None
    assert row(uow, effect) is not None
    with uow.read() as work:
        assert work.connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar_one() == 1
