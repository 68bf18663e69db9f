"""F57 on the rail of pages: nobody can list the pages that a lost past made, and still none is sent or booked twice."""

import tomllib
from collections import Counter

import pytest

from orchestrator.domain.links import Rail
from orchestrator.sandbox.scenario import SCENARIOS
from orchestrator.storage.jobs import JobState
from orchestrator.storage.lineage import Gate
from tests.firm import START
from tests.lawpay import lawpay_settings, questions, with_lawpay
from tests.recovery.past import Past, to_its_end


@pytest.fixture
def past(sandbox, either_url, tmp_path):
    tiny = tomllib.loads((SCENARIOS / "tiny.toml").read_text("utf-8"))
    sandbox.reset(with_lawpay(tiny), seed=1, now=START.isoformat(), frozen=True, rate_limit=100_000)
    return Past(sandbox, either_url, tmp_path, **lawpay_settings(sandbox.state()))


def page(firm, bill):
    with firm.rt.read() as work:
        return work.links.of_bill(bill["id"])[-1]


def left(firm):
    """Everything that left the house."""
    return {
        "mails": Counter(mail["message_id"] for mail in firm.mails()),
        "notes": Counter(note["subject"] for note in firm.effects("note.created")),
        "tasks": Counter(task["name"] for task in firm.effects("task.created")),
    }


def books(firm):
    with firm.rt.read() as work:
        return {
            (row["event"], row["account"], row["bill_id"], row["amount_cents"])
            for row in work.journal.listed()
            if row["rail"] == Rail.LAWPAY_PAGE
        }


def test_F57_pages_messages_and_payments_of_two_lost_hours_are_found_again(past, sandbox):
    with past.firm() as firm:
        firm.work()
        known, paid = firm.mailed_bill(dollars=100), firm.mailed_bill(dollars=200)
        past.take()
        sent, lost = firm.mailed_bill(dollars=300), firm.mailed_bill(dollars=400)
        references = {bill["id"]: page(firm, bill)["reference"] for bill in (known, paid, sent, lost)}
        for bill in (paid, lost):
            sandbox.act("lawpay_pay", page=page(firm, bill)["url"])
        firm.later(days=1)
        to_its_end(firm)
        before, booked = left(firm), books(firm)
        assert len(booked) == 4
    past.restore()
    with past.firm() as firm:
        firm.work()
        assert left(firm) == before
        to_its_end(firm)
        with firm.rt.read() as work:
            assert work.lineage.life().gate is Gate.OPEN
        assert left(firm) == before
        assert books(firm) == booked
        assert {bill["id"]: page(firm, bill)["reference"] for bill in (known, paid, sent, lost)} == references
        assert [page(firm, bill)["state"] for bill in (known, paid, sent, lost)] == ["live", "used", "live", "used"]
        assert questions(firm) == {}
        assert firm.jobs(None, JobState.PARKED, JobState.FAILED) == []
        sandbox.act("lawpay_pay", page=page(firm, sent)["url"])
        firm.later(days=1)
        assert len(books(firm)) == 6
        firm.check()
