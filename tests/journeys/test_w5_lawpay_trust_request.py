"""Requests for a deposit on the rail `lawpay_page`: asked for on a page of the trust account, and believed as little."""

import pytest

from orchestrator.domain.links import Rail
from orchestrator.domain.movements import MovementStatus, Source
from orchestrator.storage.tables import bills
from orchestrator.usecases.ask_for_payment import what_to_ask
from tests.lawpay import questions


@pytest.fixture
def firm(at_lawpay):
    return at_lawpay(links={"rail": "lawpay_page", "trust_requests": True})


def request(firm, dollars=1000):
    """A person's trust request, and the message that asks for it."""
    bill = firm.sandbox.act("request_trust", matter_id=firm.matter(), amount=dollars)
    firm.later(minutes=16)
    firm.later(minutes=2)
    return bill


def page_of(firm, bill):
    with firm.rt.read() as work:
        return work.links.of_bill(bill["id"])[-1]


def pay(firm, url, **facts):
    paid = firm.sandbox.act("lawpay_pay", page=url, **facts)
    firm.later(minutes=6)
    firm.later(days=1)
    return paid


def books(firm, payment):
    with firm.rt.read() as work:
        number = work.gateway.get(payment["id"])["number"]
        return {
            line["account"]: line["amount_cents"] for line in work.journal.entries_of(number, rail=Rail.LAWPAY_PAGE)
        }


def test_a_trust_request_is_asked_for_on_the_trust_account_s_page(firm):
    bill = request(firm)
    page = page_of(firm, bill)
    trust, operating = (firm.rt.settings.lawpay.pages[key] for key in ("trust", "operating"))
    assert page["account"] == "trust"
    assert page["url"].startswith(trust)
    assert not page["url"].startswith(operating)
    [mail] = firm.mails()
    assert "trust" in mail["subject"]
    assert "invoice" not in mail["subject"].lower()


def test_what_is_paid_there_is_the_client_s_and_resolves_to_the_matter_by_our_reference(firm):
    bill = request(firm)
    payment = pay(firm, page_of(firm, bill)["url"])
    assert books(firm, payment) == {"bank:trust": 100_000, "held_for_clients": -100_000}
    [task] = [task for task in firm.effects("task.created") if "Record the LawPay deposit" in task["name"]]
    assert bill["number"] in task["name"]
    with firm.rt.read() as work:
        [moved] = [one for one in work.movements.current(source=Source.LAWPAY) if one.external_id == payment["id"]]
        assert moved.account == "trust"
        assert work.references.resolve("lawpay", moved.reference).matter_id == firm.matter()
    assert questions(firm) == {}
    firm.check()


def test_F68_a_trust_request_paid_on_the_operating_page_is_a_question_and_nothing_is_booked(firm):
    bill = request(firm)
    page = page_of(firm, bill)
    pages = firm.rt.settings.lawpay.pages
    payment = pay(firm, page["url"].replace(pages["trust"], pages["operating"]))
    assert books(firm, payment) == {}
    assert questions(firm) == {"lawpay_wrong_account": 1}
    assert not [task for task in firm.effects("task.created") if "Record the LawPay" in task["name"]]
    firm.check()


def test_F69_a_request_in_another_currency_gets_no_page(firm):
    bill = firm.sandbox.act("request_trust", matter_id=firm.matter(), amount=1000)
    firm.later(minutes=16)
    with firm.rt.uow() as work:
        work.connection.execute(bills.update().where(bills.c.id == bill["id"]).values(currency="CAD"))
        known = work.mirror.bills([bill["id"]])[bill["id"]]
    with firm.rt.read() as work:
        assert what_to_ask(firm.rt, work, known).reason == "currency_mismatch"


@pytest.mark.parametrize("flags", [("false", "false"), ("false", "unknown")], ids=["operating", "not said"])
def test_T1_without_lawpay_s_word_that_it_is_a_trust_account_nothing_is_asked_for(at_lawpay, flags):
    firm = at_lawpay(flags=flags, links={"rail": "lawpay_page", "trust_requests": True})
    bill = request(firm)
    with firm.rt.read() as work:
        assert work.links.of_bill(bill["id"]) == []
    assert firm.mails() == []
    assert firm.exceptions().get("no_page_account") == 1


def test_a_firm_that_sends_its_requests_itself_gets_no_page_for_them(at_lawpay):
    firm = at_lawpay()
    bill = request(firm)
    with firm.rt.read() as work:
        assert work.links.of_bill(bill["id"]) == []
    assert firm.mails() == []


@pytest.mark.parametrize("cheque_first", [True, False], ids=["cheque first", "page first"])
def test_F63_a_cheque_and_a_page_payment_of_one_bill_within_the_hour_are_both_kept_and_none_is_refunded(
    firm, cheque_first
):
    bill = firm.mailed_bill()
    page = page_of(firm, bill)

    def cheque():
        firm.sandbox.act("record_payment", id=bill["id"])

    if cheque_first:
        cheque()
        firm.sandbox.clock_advance(1200)
    payment = firm.sandbox.act("lawpay_pay", page=page["url"])
    if not cheque_first:
        firm.sandbox.clock_advance(1200)
        cheque()
    firm.later(minutes=6)
    firm.later(days=1)
    with firm.rt.read() as work:
        known = work.mirror.bills([bill["id"]])[bill["id"]]
        [moved] = [one for one in work.movements.current(source=Source.LAWPAY) if one.external_id == payment["id"]]
        asked = work.exceptions.listed(limit=10)
    # The cheque stands in Clio and the charge in LawPay's movements; what is too much is one question, about all of it.
    assert (known.paid_cents, known.balance_cents) == (60_000, 0)
    assert (moved.amount_cents, moved.status) == (60_000, MovementStatus.SETTLED)
    if cheque_first:
        assert [(row["kind"], row["money_cents"]) for row in asked if row["kind"].startswith("lawpay_")] == [
            ("lawpay_bill_settled", 60_000)
        ]
        assert books(firm, payment) == {"bank:operating": 60_000, "unallocated": -60_000}
    else:
        assert books(firm, payment) == {"bank:operating": 60_000, "receivable": -60_000}
    assert len(firm.mails()) == 1
    assert [one for one in firm.sandbox.lawpay_requests() if one["method"] != "GET"] == []
    firm.check()
