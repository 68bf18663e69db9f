"""F35: the link quota is reached in mid-batch, by links we cannot see; Clio's refusal is not documented."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import LinkState
from orchestrator.storage.jobs import JobState
from orchestrator.usecases.ask_for_payment import allot
from tests.firm import START

LINKS = "POST /clio_payments/links"


def posts(firm):
    return firm.sandbox.counts()["calls"].get(LINKS, 0)


def issue(firm, *amounts):
    return [firm.issued_bill(dollars=dollars) for dollars in amounts]


def open_quota(firm):
    with firm.rt.read() as work:
        return work.exceptions.listed(kind="link_quota")


def test_F35_hidden_links_fill_the_quota_and_the_rest_follows_in_order_when_the_window_frees(firm):
    """Another program's links are invisible to us: our count says there is room, Clio says there is none."""
    [other] = issue(firm, 50)
    for _ in range(47):
        firm.sandbox.act("create_link_by_hand", id=other["id"], by="stranger")
    firm.sandbox.act("record_payment", id=other["id"])
    issue(firm, 600, 100, 500, 200, 400, 300)
    firm.later(minutes=16)
    assert [link["amount"] for link in firm.links()] == [600, 500, 400]
    assert posts(firm) == 4, "one refusal is enough"
    assert firm.sandbox.oracle()["quota_breaches"] == 1
    [told] = open_quota(firm)
    for link in firm.links():
        firm.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    for _ in range(20):
        firm.later(hours=1)
    tries = posts(firm) - 4
    assert 1 <= tries <= 20, "asked again at most once an hour, by one link at a time"
    assert firm.sandbox.oracle()["quota_breaches"] == 1 + tries
    assert [row["id"] for row in open_quota(firm)] == [told["id"]], "told once, however long it lasts"
    for _ in range(6):
        firm.later(hours=1)
    assert [link["amount"] for link in firm.links()] == [600, 500, 400, 300, 200, 100]
    assert open_quota(firm) == []
    assert firm.sandbox.oracle()["missing"] == []
    firm.check()


@pytest.mark.parametrize("words", ["Unable to process request.", "You have too many of these."])
def test_F35_an_unclear_refusal_close_to_the_limit_is_taken_for_the_quota(firm, words):
    [other] = issue(firm, 50)
    for _ in range(46):
        firm.sandbox.act("create_link_by_hand", id=other["id"])
    firm.later(hours=12)
    issue(firm, 300, 200)
    body = {"error": {"type": "UnprocessableEntityError", "message": words}}
    firm.sandbox.fault(LINKS, "status", code=422, body=body)
    firm.later(minutes=16)
    assert len(open_quota(firm)) == 1
    assert "link_refused" not in firm.exceptions()
    with firm.rt.read() as work:
        assert LinkState.REFUSED not in work.links.counts()
        assert work.links.counts()[LinkState.WAITING] >= 1
    firm.later(hours=2)
    assert {300, 200} <= {link["amount"] for link in firm.links()}
    firm.check()


def test_an_unclear_refusal_far_from_the_limit_is_a_refusal(firm):
    issue(firm, 300)
    body = {"error": {"type": "UnprocessableEntityError", "message": "Unable to process request."}}
    firm.sandbox.fault(LINKS, "status", code=422, body=body)
    firm.later(minutes=16)
    [job] = firm.jobs("link.create")
    assert job["state"] == JobState.FAILED
    assert "link_refused" in firm.exceptions()
    firm.later(hours=3)
    assert posts(firm) == 1
    firm.check()


def test_shares_given_out_at_once_race_without_a_casualty(postgres_uow):
    """A race lost here would roll back whatever had called for it: a link just made, for one."""
    uow = postgres_uow
    wanted = {"rail": "clio_payments", "currency": "USD", "account_id": 1}
    with uow() as work:
        work.links.counted(users=1, foreign_active=0, foreign_created=0)
        for kind in (Kind.BILL, Kind.LINK):
            work.dirty.swept(kind, up_to=START, found=0)
        for bill_id in range(40):
            work.links.want(bill_id=bill_id, amount_cents=1000 + bill_id, **wanted)
    barrier = threading.Barrier(6)

    def share_out(_):
        barrier.wait()
        with uow() as work:
            allot(work)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(share_out, range(6)))
    with uow.read() as work:
        assert work.links.counts() == {LinkState.RESERVED: 40}
        assert work.jobs.counts() == {JobState.READY: 40}
        assert {row["not_before"] for row in work.jobs.listed(limit=100)} == {START}


def test_before_the_first_look_at_bills_and_links_is_over_no_link_gets_a_share(uow):
    """Higher balances may stand on the next page, and a link that was made already."""
    wanted = {"rail": "clio_payments", "currency": "USD", "account_id": 1}
    with uow() as work:
        work.links.counted(users=1, foreign_active=0, foreign_created=0)
        work.links.want(bill_id=1, amount_cents=1000, **wanted)
        allot(work)
        assert work.links.counts() == {LinkState.WAITING: 1}
        work.dirty.swept(Kind.BILL, up_to=START, found=0)
        allot(work)
        assert work.links.counts() == {LinkState.WAITING: 1}
        work.dirty.swept(Kind.LINK, up_to=START, found=0)
        allot(work)
        assert work.links.counts() == {LinkState.RESERVED: 1}
