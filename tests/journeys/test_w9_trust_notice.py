"""T18: before trust money pays a bill its client is told what, when, and what is left; what did not arrive is no notice."""

import pytest

from orchestrator.errors import Rejected
from orchestrator.usecases.settle_job import settle_job
from tests.firm import open_firm
from tests.trust import authorise, deposit, draws, judged, notice, trust_settings


@pytest.fixture
def firm(sandbox, database_url):
    environment = {"trust": trust_settings(sandbox, notices="mail", jurisdiction="wisconsin")}
    with open_firm(sandbox, database_url, environment=environment) as firm:
        firm.work()
        deposit(firm, 1000)
        yield firm


def billed(firm, dollars=600):
    bill = firm.issued_bill(dollars=dollars)
    firm.later(minutes=16)
    firm.later(minutes=2)
    return bill


def test_T18_the_client_is_told_amount_purpose_day_items_and_what_is_left(firm):
    bill = billed(firm)
    [draw] = draws(firm)
    [mail] = firm.mails()
    text = " ".join(mail["text"].split())
    assert f"pay $600.00 of invoice {bill['number']}" in text
    assert "On March 20, 2026" in text
    assert "Left in trust: $400.00" in text
    assert "March 13, 2026: $600.00" in text
    assert "http" not in text
    assert (draw["notice_channel"], draw["draw_from"].isoformat()) == ("email", "2026-03-20")
    assert draw["notice"] == mail["message_id"]
    with pytest.raises(Rejected, match="not over"):
        authorise(firm, draw["id"])
    firm.later(days=7)
    assert authorise(firm, draw["id"])["state"] == "authorised"
    assert len(firm.mails()) == 1
    judged(firm)


def test_T18_the_notice_of_a_draw_and_the_link_for_the_rest_are_two_messages(firm):
    billed(firm, 1600)
    assert len(firm.mails()) == 2
    judged(firm)


def test_T18_a_notice_that_may_not_have_arrived_is_none_until_a_person_says_so(firm):
    firm.sandbox.fault("smtp", "drop_after_data")
    billed(firm)
    firm.later(minutes=5)
    [job] = [job for job in firm.jobs("notice.send") if job["state"] == "parked"]
    assert draws(firm)[0]["noticed_at"] is None
    settle_job(firm.rt, job["id"], by="iris", dry_run=False)
    assert draws(firm)[0]["notice_channel"] == "email"
    assert draws(firm)[0]["noticed_at"] is not None
    judged(firm)


def test_T18_a_client_without_an_address_is_told_by_a_person(firm):
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="")
    firm.later(minutes=16)
    billed(firm)
    assert firm.mails() == []
    assert "trust_notice_missing" in firm.exceptions()
    notice(firm, draws(firm)[0]["id"], channel="post")
    firm.later(days=7)
    assert authorise(firm, draws(firm)[0]["id"])["state"] == "authorised"


def test_T18_a_notice_that_bounced_later_is_no_notice(firm):
    billed(firm)
    [draw] = draws(firm)
    assert draw["noticed_at"] is not None
    notice(firm, draw["id"], delivered_at=None)
    firm.later(days=7)
    with pytest.raises(Rejected, match="did not arrive"):
        authorise(firm, draw["id"])
