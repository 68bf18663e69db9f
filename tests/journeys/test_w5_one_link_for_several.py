"""W5, `[links] several = "contact"`: one link for all that a client owes, made anew whenever that changes."""

import pytest

from orchestrator.domain.links import FOR_REMINDER
from orchestrator.domain.silence import HoldKind, Subject
from orchestrator.usecases.hold_reminders import hold
from orchestrator.usecases.show_links import show_budget
from tests.databases import either_url
from tests.firm import open_firm
from tests.journeys.test_w8_reminders import DUE, FIRST, at, letters
from tests.recovery.past import Past, look_in_the_relay_s_log, to_its_end
from tests.usecases.test_renew_link import wish

__all__ = ["either_url"]


@pytest.fixture
def together(opened):
    return opened(links={"several": "contact"})


def seen(firm):
    firm.later(minutes=16)
    firm.later(minutes=2)


def two_bills(firm):
    bills = [firm.issued_bill(dollars=300), firm.issued_bill(dollars=500)]
    seen(firm)
    return bills


def live(firm):
    return list(firm.rt.practice(1).active_links())


def test_two_open_bills_of_a_client_share_one_link_one_place_of_the_quota_and_one_message(together):
    firm = together
    bills = two_bills(firm)
    [made] = firm.links()
    assert (made["bill_id"], made["amount"]) == (None, 800)
    [asked] = [
        one for one in firm.sandbox.requests() if one["method"] == "POST" and one["path"] == "/clio_payments/links"
    ]
    assert '"type":"Contact"' in asked["body"]
    [mail] = firm.mails()
    assert made["url"] in mail["text"]
    assert all(str(bill["number"]) in mail["text"] for bill in bills)
    assert "$800.00" in mail["text"]
    with firm.rt.read() as work:
        assert work.links.budget().active == 1
        alive = work.links.alive([bill["id"] for bill in bills])
        assert {link["id"] for link in alive.values()} == {alive[bills[0]["id"]]["id"]}
    firm.check()
    assert firm.sandbox.oracle()["missing"] == []


def test_one_open_bill_has_a_link_of_its_own(together):
    bill = together.issued_bill(dollars=300)
    seen(together)
    assert [link["bill_id"] for link in together.links()] == [bill["id"]]
    together.check()


def test_a_second_bill_ends_the_first_one_s_link_before_they_share_one(together):
    firm = together
    first = firm.mailed_bill(dollars=300)
    firm.issued_bill(dollars=500)
    seen(firm)
    assert [(link["bill_id"], link["amount"]) for link in firm.links()] == [(first["id"], 300), (None, 800)]
    assert [link.contact_id is not None for link in live(firm)] == [True]
    assert len(firm.mails()) == 2
    firm.check()


def test_a_payment_on_it_is_divided_as_clio_divided_it(together):
    firm = together
    bills = two_bills(firm)
    [made] = firm.links()
    firm.sandbox.act("pay_link", link_id=made["id"], settle_after_seconds=0)
    seen(firm)
    with firm.rt.read() as work:
        assert work.journal.held() == 80_000
        known = work.mirror.bills([bill["id"] for bill in bills])
        assert {bill.state for bill in known.values()} == {"paid"}
        assert [row["state"] for row in work.links.of_bill(bills[1]["id"])] == ["used"]
    assert firm.exceptions() == {}
    assert len(firm.links()) == 1
    firm.check()


def test_when_one_of_them_is_paid_otherwise_the_link_is_replaced_by_one_for_the_rest(together):
    firm = together
    first, second = two_bills(firm)
    firm.sandbox.act("record_payment", bill_id=first["id"])
    seen(firm)
    [shared, alone] = firm.links()
    assert (shared["amount"], alone["bill_id"], alone["amount"]) == (800, second["id"], 500)
    assert [link.id for link in live(firm)] == [alone["id"]]
    firm.check()


def test_a_bill_that_should_not_be_paid_now_keeps_all_from_sharing_one(together):
    """What is paid on a client's link goes to the oldest bill first, whichever was meant."""
    firm = together
    disputed = firm.mailed_bill(dollars=300)
    with firm.rt.uow() as work:
        work.exceptions.open(
            "payment_reversed", f"bill:{disputed['id']}", "A chargeback.", subject=("bill", disputed["id"])
        )
    other = firm.issued_bill(dollars=500)
    seen(firm)
    assert [link["bill_id"] for link in firm.links()] == [disputed["id"], other["id"]]
    assert [link.bill_id for link in live(firm)] == [other["id"]]
    firm.check()


def test_a_payment_on_it_that_falls_through_leads_to_one_link_again(together):
    firm = together
    bills = two_bills(firm)
    [made] = firm.links()
    firm.sandbox.act("pay_link", link_id=made["id"], settle_after_seconds=0, final_state="failed")
    seen(firm)
    assert [link["amount"] for link in firm.links()] == [800, 800]
    assert len(live(firm)) == 1
    with firm.rt.read() as work:
        assert [row["state"] for row in work.links.of_bill(bills[0]["id"])] == ["used", "live"]
    firm.check()


def test_a_reminder_of_either_renews_the_one_they_share(together):
    firm = together
    bills = two_bills(firm)
    firm.later(days=80)
    assert wish(firm, bills[1], days=14).pending
    assert wish(firm, bills[0], days=14).why == FOR_REMINDER
    firm.work()
    assert wish(firm, bills[0], days=14).link["clio_id"] == wish(firm, bills[1], days=14).link["clio_id"]
    assert [link["amount"] for link in firm.links()] == [800, 800]
    assert len(firm.mails()) == 1
    firm.check()


def test_a_reminder_of_all_that_share_a_link_brings_it_once_with_the_sum(together):
    firm = together
    bills = [firm.issued_bill(dollars=dollars, due_at=DUE) for dollars in (300, 500)]
    seen(firm)
    at(firm, FIRST)
    assert letters(firm) == [{bill["id"]: "overdue-7" for bill in bills}]
    [link] = firm.links()
    text = firm.mails()[-1]["text"]
    assert text.count(link["url"]) == 1
    assert all(amount in text for amount in ("$300.00", "$500.00", "$800.00"))
    firm.check()


def test_a_reminder_of_one_of_them_brings_the_link_they_share_and_says_what_it_collects(together):
    firm = together
    late = firm.issued_bill(dollars=300, due_at=DUE)
    other = firm.issued_bill(dollars=500, due_at="2026-06-01")
    seen(firm)
    at(firm, FIRST)
    assert letters(firm) == [{late["id"]: "overdue-7"}]
    [mail] = firm.mails()[1:]
    for text in (mail["text"], mail["html"]):
        said = " ".join(text.split())
        assert f"invoices ({late['number']}, {other['number']}): $800.00 in all" in said
        assert "To pay only the $300.00 above, reply" in said
        assert firm.links()[0]["url"] in text
    assert "$300.00" in mail["subject"] + mail["text"]
    firm.check()


def test_a_reminder_does_not_ask_in_passing_for_a_bill_that_is_held(together):
    firm = together
    late = firm.issued_bill(dollars=300, due_at=DUE)
    held = firm.issued_bill(dollars=500, due_at="2026-06-01")
    seen(firm)
    hold(firm.rt, Subject.BILL, held["id"], HoldKind.HOLD, until=None, why="They talk.", by="ada", dry_run=False)
    at(firm, FIRST)
    assert letters(firm) == [{late["id"]: "overdue-7"}]
    text = firm.mails()[-1]["text"]
    assert "$300.00" in text
    assert firm.links()[0]["url"] not in text
    assert str(held["number"]) not in text
    firm.check()


def test_F09_after_a_lost_answer_it_is_found_again_by_its_key(together):
    firm = together
    firm.sandbox.fault("POST /clio_payments/links", "lose_answer", times=1)
    two_bills(firm)
    firm.later(minutes=5)
    assert len(firm.links()) == len(firm.mails()) == 1
    firm.check()


def test_F57_one_that_a_restored_database_forgot_is_replaced_and_never_lives_beside_another(
    sandbox, either_url, tmp_path
):
    past = Past(sandbox, either_url, tmp_path, links={"several": "contact"})
    with past.firm() as firm:
        firm.work()
        past.take()
        two_bills(firm)
        assert [link["amount"] for link in firm.links()] == [800]
    past.restore()
    with past.firm() as firm:
        to_its_end(firm, look_in_the_relay_s_log)
        assert [link["amount"] for link in firm.links()] == [800, 800]
        assert len(live(firm)) == 1
        assert sandbox.oracle()["missing"] == []
        firm.check()


def test_on_the_rail_of_pages_each_bill_keeps_its_own(at_lawpay):
    firm = at_lawpay(links={"several": "contact"})
    bills = [firm.issued_bill(dollars=dollars) for dollars in (300, 500)]
    seen(firm)
    with firm.rt.read() as work:
        found = [work.links.of_bill(bill["id"]) for bill in bills]
    assert [[(row["rail"], row["state"], row["client_id"]) for row in rows] for rows in found] == [
        [("lawpay_page", "live", None)]
    ] * 2
    assert len(firm.mails()) == 2
    firm.check()


def test_links_are_shared_reminded_of_and_foreseen_alike_on_either_database(sandbox, either_url):
    with open_firm(sandbox, either_url, environment={"links": {"several": "contact"}}) as firm:
        firm.work()
        bills = [firm.issued_bill(dollars=dollars, due_at=DUE) for dollars in (300, 500)]
        seen(firm)
        at(firm, FIRST)
        assert letters(firm) == [{bill["id"]: "overdue-7" for bill in bills}]
        with firm.rt.uow() as work:
            work.jobs.add("links.upkeep", "now")
        firm.work()
        assert firm.jobs("links.upkeep", "parked", "failed") == []
        ahead = show_budget(firm.rt)["forecast"]
        # The scenario's own unbilled hour has been asked for by now.
        assert (ahead["wanted_by_bills"], ahead["most_active"]) == (1, 2)
        firm.check()
