"""Both link quotas are reservations over rows: never more than the account allows, whoever reserves at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from orchestrator.domain.links import LINK_TRANSITIONS, LinkState
from orchestrator.errors import Stale
from orchestrator.storage.links import PER_USER
from tests.firm import START


def want(work, bill_id, cents=10_000):
    return work.links.want(bill_id=bill_id, rail="clio_payments", amount_cents=cents, currency="USD", account_id=1)


def reserve(work, link, now=None):
    work.links.move(link, LinkState.RESERVED, reserved_at=now or work.now)


def go_live(work, bill_id, clio_id=None):
    want(work, bill_id)
    reserve(work, work.links.alive([bill_id])[bill_id])
    link = work.links.alive([bill_id])[bill_id]
    work.links.move(
        link, LinkState.LIVE, clio_id=clio_id or bill_id, etag="e", url="u", expires_at=START + timedelta(days=90)
    )
    return work.links.get(link["id"])


@pytest.fixture
def counted(uow):
    with uow() as work:
        work.links.counted(users=1, foreign_active=0, foreign_created=0)
    return uow


def room(uow):
    with uow.read() as work:
        budget = work.links.budget()
        assert budget is not None
        return budget.room(work.now)


def test_before_the_users_were_counted_there_is_no_budget(uow):
    with uow() as work:
        assert work.links.budget() is None
        assert work.links.lock_budget() is None


def test_room_is_what_both_quotas_leave(counted, clock):
    assert room(counted) == PER_USER
    with counted() as work:
        first, second = go_live(work, 1), go_live(work, 2)
        want(work, 3)
        reserve(work, work.links.alive([3])[3])
        want(work, 4)
    assert room(counted) == PER_USER - 3, "waiting takes nothing"
    with counted() as work:
        work.links.move(first, LinkState.USED)
        work.links.move(second, LinkState.EXPIRED, reason="time")
    assert room(counted) == PER_USER - 3, "used and expired still count as created within 24 hours"
    clock.advance(hours=24)
    assert room(counted) == PER_USER - 1, "the reservation is still active"


def test_a_refused_or_withdrawn_reservation_gives_both_back(counted):
    with counted() as work:
        for bill_id in (1, 2, 3):
            want(work, bill_id)
            reserve(work, work.links.alive([bill_id])[bill_id])
        alive = work.links.alive([1, 2, 3])
        work.links.move(alive[1], LinkState.REFUSED, reason="link_refused")
        work.links.move(alive[2], LinkState.WITHDRAWN, reason="bill_gone", reserved_at=None)
        work.links.move(alive[3], LinkState.WAITING, reason="link_quota", reserved_at=None)
    assert room(counted) == PER_USER


def test_what_others_use_counts(counted):
    with counted() as work:
        work.links.counted(users=2, foreign_active=30, foreign_created=80)
    assert room(counted) == 2 * PER_USER - 80


def test_shut_there_is_no_room_until_the_moment_comes(counted, clock):
    with counted() as work:
        work.links.shut(START + timedelta(hours=1))
    assert room(counted) == 0
    clock.advance(hours=1)
    assert room(counted) == PER_USER


def test_the_window_frees_with_its_oldest_creation(counted, clock):
    with counted() as work:
        go_live(work, 1)
    clock.advance(hours=5)
    with counted() as work:
        go_live(work, 2)
        assert work.links.budget().frees_at == START + timedelta(hours=24)


def test_the_highest_amount_waits_first_in_line(counted):
    with counted() as work:
        for bill_id, cents in ((1, 500), (2, 900), (3, 900), (4, 700)):
            want(work, bill_id, cents)
        assert [link["bill_id"] for link in work.links.waiting()] == [2, 3, 4, 1]


def test_a_bill_has_one_link_alive(counted):
    with counted() as work:
        assert want(work, 1)
        assert not want(work, 1, 20_000)
        work.links.move(work.links.alive([1])[1], LinkState.WITHDRAWN)
        assert want(work, 1, 20_000)
        assert [(link["cycle"], link["state"]) for link in work.links.of_bill(1)] == [(1, "withdrawn"), (2, "waiting")]
        first, second = work.links.of_bill(1)
        assert first["key"] != second["key"]


@pytest.mark.parametrize("state", LinkState)
def test_a_link_moves_along_its_table_only(counted, state):
    with counted() as work:
        want(work, 1)
        waiting = work.links.alive([1])[1]
    if state in LINK_TRANSITIONS[LinkState.WAITING]:
        with counted() as work:
            work.links.move(waiting, state)
    else:
        with counted() as work, pytest.raises(Stale):
            work.links.move(waiting, state)


def test_a_link_that_moved_meanwhile_is_not_moved_again(counted):
    with counted() as work:
        want(work, 1)
        seen = work.links.alive([1])[1]
        reserve(work, seen)
        with pytest.raises(Stale):
            work.links.move(seen, LinkState.WITHDRAWN)


def test_reservations_made_at_once_never_exceed_the_quota(postgres_uow):
    with postgres_uow() as work:
        work.links.counted(users=1, foreign_active=PER_USER - 10, foreign_created=0)
        for bill_id in range(1, 41):
            want(work, bill_id, 1000 * bill_id)
    barrier = threading.Barrier(6)

    def allot(_):
        barrier.wait()
        for _ in range(3):
            with postgres_uow() as work:
                budget = work.links.lock_budget()
                for link in work.links.waiting()[: budget.room(work.now)][:4]:
                    reserve(work, link)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(allot, range(6)))
    with postgres_uow.read() as work:
        reserved = [link["bill_id"] for link in work.links.listed(states=[LinkState.RESERVED])]
    assert sorted(reserved) == list(range(31, 41)), "ten, and the ten highest"
