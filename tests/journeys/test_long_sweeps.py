"""W1, W13: a sweep of many pages goes on where it stopped, and one kind's trouble is not another's."""

import time
from datetime import date

import pytest

from orchestrator.domain.kinds import Kind
from orchestrator.storage.tables import jobs

PAGES = 3
UNASKED = {"links": {"issued_from": date(2030, 1, 1)}, "notes": {"events": (), "paid_field": None}}
"""Bills that are only mirrored: what is asked for them is not what is tested here."""


def pages_read(firm):
    """The places in the list of bills that were asked for, in order, of all sweeps."""
    asked = [dict(one["params"]) for one in firm.sandbox.requests() if one["path"] == "/bills"]
    return [params.get("page_token") for params in asked if "updated_since" in params or "page_token" in params]


@pytest.fixture
def many(opened, tiny):
    firm = opened(tiny, **UNASKED)
    made = firm.sandbox.act("bulk", bills=PAGES * 200 - 50, clients=5, amount="50.00")["bill_ids"]
    firm.sandbox.clock_advance(900)
    return firm, made


def test_F31_a_sweep_whose_budget_runs_out_on_its_third_page_goes_on_there(many):
    firm, made = many
    before = len(pages_read(firm))
    firm.sandbox.fault("GET /bills", "retry_after", skip=2, times=1, value="-1")
    firm.work(most=20_000)
    asked = pages_read(firm)[before:]
    assert len(asked) == PAGES + 1
    assert asked[0] is None
    assert asked[2] == asked[3], "the refused page, and it alone, is read again"
    with firm.rt.read() as work:
        assert work.mirror.bills(made).keys() == set(made)
        assert work.dirty.place(Kind.BILL) == (work.now, None, None)


def test_F37_a_place_that_clio_forgot_means_reading_from_the_watermark_again(many):
    firm, made = many
    before = len(pages_read(firm))
    firm.sandbox.fault("GET /bills", "status", skip=1, times=1, code=400)
    firm.work(most=20_000)
    asked = pages_read(firm)[before:]
    assert [token is None for token in asked] == [True, False, True, False, False]
    with firm.rt.read() as work:
        assert work.mirror.bills(made).keys() == set(made)


def test_a_kind_we_may_not_read_keeps_no_other_from_being_swept_and_calls_for_one_person(firm):
    firm.sandbox.fault("GET /activities", "status", times=2, code=403)
    bill = firm.issued_bill()
    firm.sandbox.clock_advance(60)
    time.sleep(0.03)  # the moved clock is asked at most every 20 ms
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "now")
        [job] = work.jobs.listed(topic="sweep", states=["ready"])
    for _ in range(2):
        assert firm.work_only(job["id"])
        firm.rest_pauses()
    with firm.rt.read() as work:
        assert work.mirror.bills([bill["id"]])
        assert work.jobs.get(job["id"])["state"] == "ready"
    assert firm.exceptions() == {"clio_forbidden": 1}
    firm.work()
    assert firm.jobs("sweep", "ready") == []
    with firm.rt.uow() as work:
        work.jobs.add("engine.heartbeat", "the next")
    firm.work()
    assert firm.exceptions() == {}


def test_a_sweep_under_way_is_the_next_slot_s_as_well(firm):
    before = firm.sandbox.counts()["total_calls"]
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "long")
        work.jobs.add("sweep", "next")
        long, following = (row["id"] for row in work.jobs.listed(topic="sweep", states=["ready"])[::-1])
        work.jobs.claim(long, holder="another", lease_seconds=30)
    firm.work_only(following)
    assert firm.sandbox.counts()["total_calls"] == before
    with firm.rt.uow() as work:
        assert work.jobs.get(following)["state"] == "done"
        work.connection.execute(jobs.update().where(jobs.c.id == long).values(held_until=None))
    firm.work()
    assert firm.jobs("sweep", "claimed") == []
