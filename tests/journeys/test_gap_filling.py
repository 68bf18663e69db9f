"""W13: what no webhook told is found; F31: what Clio asks us to leave alone is left alone."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import ceil

import pytest

from orchestrator.domain.topics import Urgency
from orchestrator.engine.run import run
from orchestrator.errors import Paced
from tests.firm import open_firm
from workflows.book import BOOK

KINDS = ("/bills", "/clio_payments/links", "/clio_payments/payments", "/activities")


def calls(firm):
    """List calls by kind; the question for open drafts is the hourly decision's, not the gap's."""
    asked = [one["path"] for one in firm.sandbox.requests() if "state" not in dict(one["params"])]
    return {kind: asked.count(kind) for kind in KINDS}


def work_on(firm, **span):
    firm.sandbox.clock_advance(timedelta(**span).total_seconds())
    firm.work(most=20_000)


@pytest.fixture
def many(tiny):
    """Eleven users: 550 links."""
    tiny["users"] += [{"key": f"user{n}", "name": f"User {n}", "email": f"user{n}@solo.test"} for n in range(10)]
    return tiny


def changed_while_deaf(firm, count):
    """So many bills paid through our links, and entries made, while nobody told us; returns list calls on return, by kind."""
    firm.sandbox.act("bulk", bills=count, clients=count // 10, amount="50.00")
    work_on(firm, minutes=15)
    work_on(firm, minutes=2)
    assert len(firm.links()) == count
    firm.sandbox.clock_advance(3 * 3600)
    paid = firm.sandbox.act("bulk", pay_links=count, settle_after_seconds=0)["payment_ids"]
    assert len(paid) == count
    worked = [firm.log_time(dollars=0.02)["id"] for _ in range(count)]
    before = calls(firm)
    work_on(firm, minutes=15)
    with firm.rt.read() as work:
        assert work.journal.held() == 5_000 * count
        assert work.mirror.payment_counts() == {"completed": count}
        assert work.billing.counts()["paid"] == count
        assert len(work.mirror.entries(worked)) == count
    firm.check()
    assert firm.sandbox.oracle()["missing"] == []
    return {kind: spent - before[kind] for kind, spent in calls(firm).items()}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_F26_five_hundred_payments_bills_and_entries_that_no_webhook_told_are_all_found_with_few_calls(opened, many):
    firm = opened(many)
    spent = changed_while_deaf(firm, 500)
    assert all(number <= 3 * ceil(500 / 200) for number in spent.values()), spent


def test_F26_twenty_payments_bills_and_entries_that_no_webhook_told_are_all_found_with_few_calls(firm):
    spent = changed_while_deaf(firm, 20)
    assert all(number <= 3 for number in spent.values()), spent
    with firm.rt.read() as work:
        assert sum(int(kind["found_by_sweep"]) for kind in work.dirty.summary().values()) > 0


def test_time_bills_and_matters_that_no_webhook_told_are_found_by_the_next_sweep(firm):
    entry = firm.log_time(dollars=30)
    bill = firm.issued_bill(dollars=40)
    firm.sandbox.act("edit_matter", id=firm.matter(), client_reference="PO 7")
    firm.later(minutes=15)
    with firm.rt.read() as work:
        assert work.mirror.entries([entry["id"]])
        assert work.mirror.bills([bill["id"]])[bill["id"]].state == "awaiting_payment"


def test_a_firm_that_was_away_sweeps_as_soon_as_it_starts_and_not_at_every_start(sandbox, database_url, firm):
    def sweeps():
        return len(
            [
                one
                for one in firm.sandbox.requests()
                if one["path"] == "/bills" and "updated_since" in dict(one["params"])
            ]
        )

    bill = firm.issued_bill()
    sandbox.clock_advance(7 * 60)  # its slot has been swept; the next is far away
    before = sweeps()
    for _ in range(3):
        with open_firm(sandbox, database_url) as again:
            again.work()
            with again.rt.read() as work:
                assert bill["id"] in work.mirror.bills([bill["id"]])
    assert sweeps() == before + 1


def test_a_sweep_overlaps_the_one_before(firm):
    """What Clio stamped a moment before we read, but showed only after, is still found."""
    firm.later(minutes=15)
    asked = [dict(one["params"]) for one in firm.sandbox.requests() if one["path"] == "/bills"]
    since = [datetime.fromisoformat(params["updated_since"]) for params in asked if "updated_since" in params]
    assert timedelta(minutes=20) <= firm.rt.clock() - since[-1] <= timedelta(minutes=20, seconds=2)


# ── F31 ──

WAITS = {
    "a day": ({"value": "86400"}, 3000, 3600),
    "negative": ({"value": "-5"}, 0, 2),
    "not a number": ({"value": "soon"}, 30, 61),
    "absent": ({}, 30, 61),
    "under another name": ({"header": "Retry-At", "value": "AT"}, 60, 121),
    "a date": ({"value": "DATE"}, 60, 121),
}


@pytest.mark.parametrize("wait", WAITS)
def test_F31_a_429_pauses_the_whole_token_for_a_sane_time_without_a_hot_loop(opened, tiny, wait):
    params, least, most = WAITS[wait]
    firm = opened(tiny)
    soon = datetime.now(UTC) + timedelta(seconds=120)
    stands_for = {"AT": str(int(soon.timestamp())), "DATE": format_datetime(soon, usegmt=True)}
    given = {name: stands_for.get(value, value) for name, value in params.items()}
    firm.sandbox.fault("* *", "retry_after", times=1, **given)
    before = firm.sandbox.counts()["total_calls"]
    with firm.rt.uow() as work:
        for number in range(20):
            work.jobs.add("sweep", "again", number, kind="bill")
            work.jobs.add("account.read", "again", number)
    started = time.monotonic()
    for job in firm.jobs("sweep", "ready") + firm.jobs("account.read", "ready"):
        run(firm.rt, BOOK, job["id"])
    spent = firm.sandbox.counts()["total_calls"] - before
    if least:
        assert spent == 1
        held = [job for job in firm.jobs(None, "ready") if job["held_until"]]
        assert held
        # Whoever asks next is told how long: one of any urgency, without a call.
        with pytest.raises(Paced) as told:
            firm.rt.practice(Urgency.INTERACTIVE).connection()
        assert least <= told.value.retry_after + (time.monotonic() - started) <= most + 5
        assert firm.sandbox.counts()["total_calls"] - before == 1
    else:
        assert spent <= 40
        assert firm.sandbox.counts()["rate_limited"] == 1
    assert all(job["attempts"] <= 1 for job in firm.jobs(None, "ready"))
