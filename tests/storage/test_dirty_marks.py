"""A mark made while a drain reads calls for exactly one more drain; none is lost, none is read for nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.domain.kinds import Kind
from orchestrator.storage.jobs import JobState

TOPIC = "sync.bill"


def mark(uow, *ids):
    with uow() as work:
        work.dirty.mark(Kind.BILL, ids)


def begin(uow, limit=200):
    with uow() as work:
        return work.dirty.begin_drain(Kind.BILL, limit=limit)


def end(uow, marks):
    with uow() as work:
        work.dirty.drained(Kind.BILL, marks)


def drains(uow):
    with uow.read() as work:
        return len(work.jobs.listed(topic=TOPIC, limit=10_000))


def test_many_marks_are_one_drain(uow):
    mark(uow, 1, 2)
    mark(uow, 2, 3)
    assert drains(uow) == 1
    assert sorted(begin(uow)) == [1, 2, 3]


def test_marking_nothing_calls_for_nothing(uow):
    mark(uow)
    assert drains(uow) == 0


def test_what_was_read_is_clean(uow):
    mark(uow, 1, 2)
    marks = begin(uow)
    end(uow, marks)
    assert begin(uow) == {}
    assert drains(uow) == 1


def test_a_mark_made_during_a_drain_survives_it_with_exactly_one_more(uow):
    mark(uow, 1, 2)
    marks = begin(uow)
    mark(uow, 1)
    mark(uow, 1, 3)
    end(uow, marks)
    assert drains(uow) == 2
    assert sorted(begin(uow)) == [1, 3]


def test_what_does_not_fit_is_drained_next(uow):
    mark(uow, *range(10))
    marks = begin(uow, limit=6)
    assert len(marks) == 6
    end(uow, marks)
    assert drains(uow) == 2
    assert len(begin(uow, limit=6)) == 4


def test_a_drain_that_died_reads_the_same_marks_again(uow):
    mark(uow, 1)
    assert begin(uow) == begin(uow) == {1: 1}


@pytest.mark.parametrize("writers", [4])
def test_marks_made_at_any_moment_of_a_drain_are_all_drained(postgres_uow, writers):
    """Writers mark while a drainer drains whatever its jobs say; in the end nothing is left, and no drain was for nothing."""
    uow, each = postgres_uow, 25
    barrier, done = threading.Barrier(writers + 1), threading.Event()
    drained = []

    def writer(place):
        barrier.wait()
        for number in range(each):
            mark(uow, place * each + number, 999)

    def claim_one():
        with uow() as work:
            for job_id, _, _ in work.jobs.ring(limit=1):
                return work.jobs.claim(job_id, holder="d", lease_seconds=30)
        return None

    def drainer():
        barrier.wait()
        while True:
            finished = done.is_set()
            job = claim_one()
            if job is None:
                if finished:
                    return
                continue
            marks = begin(uow)
            drained.append(set(marks))
            with uow() as work:
                work.dirty.drained(Kind.BILL, marks)
                work.jobs.finish(job)

    with ThreadPoolExecutor(writers + 1) as pool:
        draining = pool.submit(drainer)
        for writing in [pool.submit(writer, place) for place in range(writers)]:
            writing.result()
        done.set()
        draining.result()
    assert set().union(*drained) == {*range(writers * each), 999}
    assert begin(uow) == {}
    with uow.read() as work:
        assert work.jobs.counts() == {JobState.DONE: len(drained)}


def test_the_watermark_moves_with_what_was_applied(uow, clock):
    with uow() as work:
        assert work.dirty.watermark(Kind.BILL) is None
        work.dirty.swept(Kind.BILL, up_to=clock(), found=3)
        work.dirty.swept(Kind.BILL, up_to=clock(), found=2)
        assert work.dirty.watermark(Kind.BILL) == clock()
        assert work.dirty.summary()["bill"] == {
            "waiting": 0,
            "watermark": clock(),
            "found_by_sweep": 5,
            "found_at": clock(),
        }


def test_two_drains_at_once_come_to_an_end(uow):
    """Each sees the other's marks when it ends; neither may keep the other from being done with them."""
    mark(uow, 1)
    first = begin(uow)
    mark(uow, 2)
    second = begin(uow)
    end(uow, first)
    end(uow, second)
    assert begin(uow) == {}
    assert drains(uow) <= 3
