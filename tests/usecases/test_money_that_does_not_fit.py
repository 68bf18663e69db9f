"""F65, F69, F41: exact to the cent, or a person's; nothing rounded, nothing guessed, nothing asked for that cannot be right."""

from dataclasses import replace

import pytest

from orchestrator.domain.topics import Urgency
from orchestrator.usecases import sync_bills
from orchestrator.usecases.sync_payments import Payments, Reading
from tests.firm import open_firm

LINKS = "POST /clio_payments/links"


def posts(firm):
    return firm.sandbox.counts()["calls"].get(LINKS, 0)


def books(firm):
    with firm.rt.read() as work:
        return [
            (line["account"].partition(":")[0], line["amount_cents"], line["bill_id"]) for line in work.journal.listed()
        ]


def test_F65_one_cent_short_stays_one_cent_open(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("record_payment", id=bill["id"], amount=599.99)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert [link["amount"] for link in firm.links()] == [600, 0.01]
    assert "$0.01" in firm.mails()[-1]["text"]
    with firm.rt.read() as work:
        assert work.mirror.bills([bill["id"]])[bill["id"]].open_cents == 1
    firm.check()


def test_F65_one_payment_for_several_bills_is_divided_as_clio_divided_it(firm):
    bills = [firm.mailed_bill(dollars=dollars) for dollars in (100.10, 200.20, 300.30)]
    bo = firm.ids["contacts"]["bo"]
    shared = firm.sandbox.act("create_link_by_hand", id=bills[0]["id"], contact_id=bo, amount=600.60)
    firm.sandbox.act("pay_link", link_id=shared["id"], settle_after_seconds=0)
    for _ in range(3):
        firm.later(minutes=16)
    assert sorted(books(firm)) == sorted(
        [
            ("bank", 60_060, None),
            ("receivable", -10_010, bills[0]["id"]),
            ("receivable", -20_020, bills[1]["id"]),
            ("receivable", -30_030, bills[2]["id"]),
        ]
    )
    with firm.rt.read() as work:
        assert work.billing.counts()["paid"] == 3
        assert work.links.counts() == {"expired": 3}
    assert len(firm.mails()) == 3
    firm.check()
    assert firm.sandbox.oracle()["missing"] == []


def test_F65_what_goes_back_of_a_shared_payment_is_told_of_the_bill_it_paid_and_of_no_other(firm):
    bills = [firm.mailed_bill(dollars=dollars) for dollars in (100.10, 200.20)]
    bo = firm.ids["contacts"]["bo"]
    shared = firm.sandbox.act("create_link_by_hand", id=bills[0]["id"], contact_id=bo, amount=300.30)
    payment = firm.sandbox.act("pay_link", link_id=shared["id"], settle_after_seconds=0)
    for _ in range(3):
        firm.later(minutes=16)
    came = [note["detail"] for note in firm.effects("note.created") if "Payment received" in note["subject"]]
    assert sorted(detail.split(" was ")[0] for detail in came) == ["100.10 USD", "200.20 USD"]
    firm.sandbox.act("refund_payment", id=payment["id"], amount=200.20)
    for _ in range(2):
        firm.later(minutes=16)
    with firm.rt.read() as work:
        told = [(row["subject_id"], row["money_cents"]) for row in work.exceptions.listed(kind="payment_reversed")]
    assert told == [(bills[1]["id"], 20_020)]
    firm.check()


def test_F65_T5_more_than_the_bill_still_owed_waits_for_a_person(firm):
    bill = firm.mailed_bill()
    [link] = firm.links()
    firm.sandbox.act("credit_bill", id=bill["id"], amount=0.01)
    firm.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    firm.later(minutes=16)
    firm.later(minutes=16)
    assert "payment_unallocated" in firm.exceptions()
    with firm.rt.read() as work:
        assert work.journal.held() == 60_000
        assert work.mirror.bills([bill["id"]])[bill["id"]].open_cents == 0
    assert ("unallocated", -1, bill["id"]) in books(firm)
    assert len(firm.links()) == 1
    firm.check()


def test_F69_a_bill_in_another_currency_is_refused_before_anything_is_sent(sandbox, database_url):
    with open_firm(sandbox, database_url, environment={"clio": {"region": "ca"}}) as firm:
        firm.work()
        firm.issued_bill()
        firm.later(minutes=16)
        firm.later(minutes=2)
        assert posts(firm) == 0
        assert firm.exceptions() == {"currency_mismatch": 1}
        assert firm.mails() == []
        firm.check()


def test_F17_a_reading_from_before_a_refund_that_comes_after_it_is_put_right_by_one_more_look(firm):
    bill = firm.mailed_bill()
    paid = firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0)
    firm.later(minutes=16)
    practice = firm.rt.practice(Urgency.MONEY)
    before = practice.payments([paid["id"]])
    firm.sandbox.act("refund_payment", id=paid["id"])
    firm.later(minutes=16)
    with firm.rt.uow() as work:
        assert work.journal.held() == 0
        Payments().apply(firm.rt, work, Reading(before, sync_bills.Bills().complete(firm.rt, practice, ())))
        assert work.journal.held() == 60_000
    firm.work()
    with firm.rt.read() as work:
        assert work.journal.held() == 0
        assert work.exceptions.is_open("payment_reversed", f"bill:{bill['id']}")
    firm.check()


def test_F69_T50_a_payment_of_the_same_figure_in_another_currency_is_not_what_the_link_asked_for(firm):
    firm.mailed_bill()
    paid = firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0)
    firm.later(minutes=16)
    assert firm.exceptions() == {}
    [payment] = firm.rt.practice(Urgency.MONEY).payments([paid["id"]])
    foreign = replace(payment, currency="CAD")
    with firm.rt.uow() as work:
        bills = sync_bills.Bills().complete(firm.rt, firm.rt.practice(Urgency.MONEY), ())
        Payments().apply(firm.rt, work, Reading([foreign], bills))
    assert firm.exceptions() == {"payment_amount_differs": 1}


def test_F69_a_bill_of_nothing_asks_for_nothing(firm):
    firm.issued_bill(dollars=0)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert posts(firm) == 0
    assert firm.mails() == []
    firm.check()


def test_F69_a_bill_credited_down_to_nothing_is_asked_for_no_longer(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("credit_bill", id=bill["id"], amount=600)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert posts(firm) == 1
    assert len(firm.effects("link.expired")) == 1
    assert len(firm.mails()) == 1
    firm.check()


@pytest.mark.parametrize("hidden", ["redacted", "price_hidden"])
def test_F41_hours_or_rates_that_are_hidden_hold_the_bill_back_and_tell_a_person(firm, hidden):
    firm.log_time(dollars=900, **{hidden: True})
    firm.later(minutes=16)
    firm.later(hours=1)
    assert firm.effects("task.created") == []
    assert firm.exceptions() == {"values_redacted": 1}
    with firm.rt.read() as work:
        [decision] = work.billing.decisions()
    assert (decision["verdict"], decision["reason"]) == ("filtered", "values_redacted")
    assert firm.mails() == []
    firm.check()


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"redacted": True}, "client_redacted"), ({"email": ""}, "client_email_blank")],
    ids=["redacted", "blank"],
)
def test_F41_a_client_who_became_unreachable_after_the_link_was_made_gets_no_mail(firm, change, kind):
    firm.later(seconds=20)
    bill = firm.issued_bill()
    with firm.rt.uow() as work:
        work.jobs.add("sweep", "now", kind="bill")
    firm.work()
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], **change)
    firm.later(minutes=2)
    firm.later(minutes=16)
    assert firm.mails() == []
    assert kind in firm.exceptions()
    with firm.rt.read() as work:
        [message] = work.messages.of_bill(bill["id"])
    assert (message["state"], message["reason"]) == ("withheld", kind)
    firm.check()
