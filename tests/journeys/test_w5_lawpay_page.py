"""W5 on the rail `lawpay_page`: an issued bill becomes one page address under our reference, made without a call."""

from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.domain.lawpay_pages import parse_reference
from orchestrator.usecases.expire_by_hand import expire_by_hand
from tests.journeys.test_connection_lost import heartbeat
from tests.lawpay import questions


@pytest.fixture
def firm(at_lawpay):
    return at_lawpay()


def pages(firm, bill):
    with firm.rt.read() as work:
        return work.links.of_bill(bill["id"])


def said(firm, bill):
    with firm.rt.read() as work:
        return work.mirror.bill_rows([bill["id"]])[bill["id"]]["silence"]


def test_an_issued_bill_gets_one_page_and_one_message_that_leads_to_it(firm):
    bill = firm.mailed_bill()
    [page] = pages(firm, bill)
    assert (page["state"], page["rail"], page["account"], page["amount_cents"]) == (
        "live",
        "lawpay_page",
        "operating",
        60_000,
    )
    assert page["url"] in firm.mails()[0]["text"]
    assert firm.links() == []
    firm.check()


def test_the_address_asks_for_cents_under_our_reference_and_locks_both(firm):
    bill = firm.mailed_bill(dollars=600.01)
    [page] = pages(firm, bill)
    asked = parse_qs(urlsplit(page["url"]).query)
    assert asked == {"amount": ["60001"], "reference": [page["reference"]], "readOnlyFields": ["amount,reference"]}
    found = parse_reference(page["reference"])
    with firm.rt.read() as work:
        number = work.mirror.matters([firm.matter()])[firm.matter()].display_number
    assert found.bill_number == bill["number"].upper()
    assert found.matter_number.split(".")[0] == number.upper().split("-")[0]
    assert found.key == page["reference_key"]


def test_no_name_and_no_address_of_the_client_is_in_it(firm):
    [page] = pages(firm, firm.mailed_bill())
    assert "clients.test" not in page["url"]
    assert "name=" not in page["url"]


def test_a_page_costs_nothing_of_clio_s_link_quota(firm):
    firm.mailed_bill()
    with firm.rt.read() as work:
        assert (work.links.budget().active, work.links.budget().created) == (0, 0)


def test_a_bill_that_changed_gets_a_new_page_and_the_old_one_is_over_in_our_books(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("record_payment", id=bill["id"], amount=100)
    firm.later(minutes=16)
    firm.later(minutes=2)
    old, new = pages(firm, bill)
    assert (old["state"], old["reason"]) == ("expired", "link_replaced")
    assert (new["state"], new["amount_cents"]) == ("live", 50_000)
    assert old["reference"] != new["reference"]
    assert len(firm.mails()) == 2
    firm.check()


def test_a_bill_paid_by_cheque_closes_its_page(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("record_payment", id=bill["id"])
    firm.later(minutes=16)
    assert [page["state"] for page in pages(firm, bill)] == ["expired"]
    firm.check()


@pytest.mark.slow
def test_a_page_whose_days_are_over_closes_and_the_bill_keeps_silent(firm):
    bill = firm.mailed_bill()
    firm.later(days=91)
    assert [(page["state"], page["reason"]) for page in pages(firm, bill)] == [("expired", "time")]
    assert len(firm.mails()) == 1
    firm.check()


def test_T1_an_account_whose_flag_lawpay_leaves_out_is_refused_and_a_person_told(at_lawpay):
    firm = at_lawpay(flags=("unknown", "true"))
    bill = firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert said(firm, bill) == "no_page_account"
    assert firm.mails() == []
    assert questions(firm) == {"lawpay_trust_unknown": 2, "no_page_account": 1}


def test_T1_an_account_that_lawpay_calls_trust_takes_no_bill(at_lawpay):
    firm = at_lawpay(flags=("true", "true"))
    bill = firm.issued_bill()
    firm.later(minutes=16)
    assert said(firm, bill) == "no_page_account"
    assert questions(firm)["account_class_disagrees"] == 2
    assert firm.mails() == []


def test_T2_a_bill_is_never_asked_for_on_the_trust_page_even_when_a_rule_names_it(at_lawpay):
    firm = at_lawpay(links={"page_account": "trust"})
    bill = firm.issued_bill()
    firm.later(minutes=16)
    assert said(firm, bill) == "no_page_account"
    assert firm.mails() == []


def test_a_practice_area_chooses_its_rail(at_lawpay):
    rules = [{"rail": "lawpay_page", "practice_area": "General Practice", "account": "operating"}]
    firm = at_lawpay(links={"rail": "clio_payments", "rules": rules})
    assert [page["rail"] for page in pages(firm, firm.mailed_bill())] == ["lawpay_page"]


def test_other_practice_areas_stay_on_the_firm_s_own_rail(at_lawpay):
    firm = at_lawpay(links={"rail": "clio_payments", "rules": [{"rail": "lawpay_page", "practice_area": "Estates"}]})
    assert [page["rail"] for page in pages(firm, firm.mailed_bill())] == ["clio_payments"]


def test_an_office_chooses_its_rail(at_lawpay, tiny):
    tiny["custom_fields"].append({"key": "office", "name": "Office", "field_type": "text_line"})
    tiny["matters"][0].setdefault("custom", {})["Office"] = "Austin"
    firm = at_lawpay(
        scenario=tiny, links={"rail": "clio_payments", "rules": [{"rail": "lawpay_page", "office": "austin"}]}
    )
    assert [page["rail"] for page in pages(firm, firm.mailed_bill())] == ["lawpay_page"]


def test_a_person_closes_a_page_and_the_bill_keeps_silent(firm):
    bill = firm.mailed_bill()
    [page] = pages(firm, bill)
    tried = expire_by_hand(firm.rt, page["id"], by="nora", dry_run=True)
    assert (tried["job"], pages(firm, bill)[0]["state"]) == (None, "live")
    expire_by_hand(firm.rt, page["id"], by="nora", dry_run=False)
    firm.later(hours=1)
    assert [(one["state"], one["reason"]) for one in pages(firm, bill)] == [("expired", "link_expired_by_hand")]
    assert len(firm.mails()) == 1
    firm.check()


def test_F62_a_client_who_has_paid_is_sent_nothing_even_when_nobody_has_looked_since(firm):
    """The page was known from elsewhere, say: LawPay's events are read just before the message leaves."""
    bill = firm.issued_bill()
    firm.sandbox.clock_advance(16 * 60)
    firm.tick()
    while not (found := pages(firm, bill)) or found[0]["state"] != "live":
        for job_id in firm.bells():
            firm.work_only(job_id)
    firm.sandbox.act("lawpay_pay", page=found[0]["url"])
    firm.sandbox.clock_advance(61)
    firm.work()
    assert firm.mails() == []
    assert said(firm, bill) == "payment_under_way"
    firm.check()


def test_F47_a_refused_key_is_one_notice_that_ends_by_itself(firm):
    body = {"messages": [{"code": "not_authorized", "level": "error"}]}
    firm.sandbox.fault("GET /lawpay/v1/events", "status", code=401, body=body, times=2)
    firm.later(minutes=6)
    firm.later(minutes=6)
    assert questions(firm) == {"lawpay_key_refused": 1}
    heartbeat(firm)
    assert questions(firm) == {}


def test_links_and_messages_go_on_while_lawpay_is_away(firm):
    firm.sandbox.fault("GET /lawpay/v1/events", "status", code=503, times=4)
    bill = firm.mailed_bill()
    assert pages(firm, bill)[0]["state"] == "live"
    firm.check()
