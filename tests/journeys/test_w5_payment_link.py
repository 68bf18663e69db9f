"""W5: an issued bill gets at most one live link, for what is open, into an operating account."""

from datetime import timedelta

import httpx
import pytest

from orchestrator.domain.links import LinkState
from orchestrator.domain.topics import Urgency
from orchestrator.storage.jobs import JobState


def seen(firm):
    """The next sweep, and what follows from it."""
    firm.later(minutes=15)
    firm.work()


def silence(firm, bill):
    with firm.rt.read() as work:
        return work.mirror.bill_rows([bill["id"]])[bill["id"]]["silence"]


def own_links(firm, bill):
    with firm.rt.read() as work:
        return [(row["state"], row["amount_cents"]) for row in work.links.of_bill(bill["id"])]


def test_an_issued_bill_gets_one_link_for_its_balance_into_the_operating_account(firm):
    bill = firm.issued_bill(dollars=1234.56)
    seen(firm)
    [link] = firm.links()
    assert (link["bill_id"], link["amount"]) == (bill["id"], 1234.56)
    [asked] = [
        one for one in firm.sandbox.requests() if one["method"] == "POST" and one["path"] == "/clio_payments/links"
    ]
    assert f'"destination_account":{{"id":{firm.ids["bank_accounts"]["operating"]}}}' in asked["body"]
    assert '"amount":1234.56' in asked["body"]
    assert '"description"' not in asked["body"]
    assert own_links(firm, bill) == [("live", 123_456)]
    firm.check()


def test_the_link_leads_back_to_an_address_that_carries_our_key(firm):
    bill = firm.issued_bill()
    seen(firm)
    with firm.rt.read() as work:
        [row] = work.links.of_bill(bill["id"])
    [asked] = [
        one for one in firm.sandbox.requests() if one["method"] == "POST" and one["path"] == "/clio_payments/links"
    ]
    assert f'/thanks/{row["key"]}"' in asked["body"]
    assert row["expires_at"] - firm.rt.clock() > timedelta(days=89)


def test_a_draft_gets_no_link(firm):
    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    seen(firm)
    assert firm.links() == []
    assert silence(firm, bill) == "bill_not_issued"


def test_a_trust_request_gets_no_link(firm):
    bill = firm.sandbox.act("request_trust", matter_id=firm.matter(), amount="500.00")
    seen(firm)
    assert firm.links() == []
    assert silence(firm, bill) == "trust_request"
    assert "no_link_account" not in firm.exceptions()


def test_the_link_asks_only_for_what_a_cheque_has_left_open(firm):
    bill = firm.issued_bill(dollars=600)
    firm.sandbox.act("record_payment", bill_id=bill["id"], amount="150.25")
    seen(firm)
    [link] = firm.links()
    assert link["amount"] == 449.75


def test_the_link_asks_only_for_balance_less_what_is_pending(firm):
    bill = firm.issued_bill(dollars=600)
    other = firm.sandbox.act("create_link_by_hand", bill_id=bill["id"], amount="200.00")
    firm.sandbox.act("pay_link", link_id=other["id"], method="echeck")
    seen(firm)
    [link] = firm.links()
    assert link["amount"] == 400
    firm.check()


def test_nothing_is_asked_for_while_all_of_it_is_on_its_way(firm):
    bill = firm.issued_bill(dollars=600)
    other = firm.sandbox.act("create_link_by_hand", bill_id=bill["id"])
    firm.sandbox.act("pay_link", link_id=other["id"], method="echeck")
    seen(firm)
    assert firm.links() == []
    assert silence(firm, bill) == "payment_under_way"
    firm.check()


def test_a_bill_settled_by_trust_money_gets_no_link(firm):
    firm.sandbox.act("deposit_trust", matter_id=firm.matter(), amount="600.00")
    bill = firm.issued_bill(dollars=600)
    firm.sandbox.act("apply_trust", bill_id=bill["id"])
    seen(firm)
    assert firm.links() == []
    assert silence(firm, bill) == "nothing_open"
    firm.check()


@pytest.mark.parametrize("trouble", ["none connected", "two connected", "a trust account chosen"])
def test_without_one_clear_operating_account_a_person_is_asked_and_no_link_is_made(opened, tiny, trouble):
    settings = {}
    operating = tiny["bank_accounts"][0]
    if trouble == "none connected":
        operating["clio_payments_enabled"] = False
    elif trouble == "two connected":
        operating["default"] = False
        tiny["bank_accounts"].append({"key": "second", "name": "Second", "clio_payments_enabled": True})
    firm = opened(tiny)
    if trouble == "a trust account chosen":
        trust = firm.ids["bank_accounts"]["trust"]
        settings = {"links": {"account_id": trust}}
        firm = opened(tiny, **settings)
    bill = firm.issued_bill()
    seen(firm)
    assert firm.links() == []
    assert silence(firm, bill) == "no_link_account"
    assert firm.exceptions()["no_link_account"] == 1
    firm.check()


def test_naming_the_account_afterwards_lets_the_bills_it_held_back_be_asked_for(opened, tiny):
    tiny["bank_accounts"][0]["default"] = False
    tiny["bank_accounts"].append({"key": "second", "name": "Second", "clio_payments_enabled": True})
    firm = opened(tiny)
    firm.issued_bill()
    seen(firm)
    assert firm.exceptions() == {"no_link_account": 1}
    again = opened(links={"account_id": firm.ids["bank_accounts"]["second"]})
    again.later(hours=12)
    again.later(minutes=2)
    assert len(again.mails()) == 1
    assert "no_link_account" not in again.exceptions()
    again.check()


def test_a_link_that_clio_refuses_becomes_a_person_s_and_is_not_tried_again(firm):
    firm.sandbox.fault(
        "POST /clio_payments/links", "status", code=422, body={"error": {"type": "X", "message": "No."}}, times=None
    )
    bill = firm.issued_bill()
    seen(firm)
    seen(firm)
    assert own_links(firm, bill) == [("refused", 60_000)]
    assert firm.exceptions()["link_refused"] == 1
    assert firm.sandbox.counts()["calls"]["POST /clio_payments/links"] == 1
    firm.check()


def test_a_region_that_wants_a_description_gets_one_at_the_second_attempt(opened, tiny):
    tiny["account"] = {"description_required": True}
    firm = opened(tiny)
    firm.issued_bill(dollars=600)
    firm.issued_bill(dollars=700)
    seen(firm)
    assert len(firm.links()) == 2
    assert firm.sandbox.counts()["calls"]["POST /clio_payments/links"] == 3
    firm.check()


def test_F62_a_bill_voided_just_before_its_link_is_made_gets_none(firm):
    bill = firm.issued_bill()
    firm.sandbox.clock_advance(16 * 60)
    firm.tick()
    while not (waiting := firm.jobs("link.create")):
        for job_id in firm.bells():
            firm.work_only(job_id)
    # Decided, and then the queue is long: what was read is old when the link's turn comes.
    firm.sandbox.clock_advance(180)
    firm.sandbox.act("void_bill", id=bill["id"])
    firm.tick()
    assert firm.work_only(waiting[0]["id"])
    assert firm.effects("link.created") == []
    assert firm.jobs("link.create", JobState.REVOKED)
    seen(firm)
    firm.check()


def test_F63_a_cheque_recorded_in_clio_ends_the_live_link(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    seen(firm)
    [ended] = firm.effects("link.expired")
    assert (ended["bill_id"], ended["why"]) == (bill["id"], "request")
    assert own_links(firm, bill) == [("expired", 60_000)]
    firm.later(days=1)
    assert len(firm.mails()) == 1
    firm.check()


def test_F63_a_payment_that_was_quicker_than_the_expiry_is_booked_and_becomes_a_person_s(firm):
    bill = firm.mailed_bill()
    [link] = firm.links()
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    payment = firm.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    seen(firm)
    assert own_links(firm, bill) == [("used", 60_000)]
    assert firm.exceptions()["payment_unallocated"] == 1
    with firm.rt.read() as work:
        accounts = {row["account"]: row["amount_cents"] for row in work.journal.entries_of(payment["id"])}
    assert accounts["unallocated"] == -60_000
    firm.check()


def test_F64_two_payments_for_one_bill_are_both_booked_and_nobody_is_dunned(firm):
    bill = firm.mailed_bill()
    [ours] = firm.links()
    other = firm.sandbox.act("create_link_by_hand", bill_id=bill["id"], amount="600.00")
    for link in (ours, other):
        firm.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    seen(firm)
    with firm.rt.read() as work:
        assert work.journal.held() == 120_000
    assert firm.exceptions() == {"payment_unallocated": 1}
    firm.later(days=2)
    assert len(firm.mails()) == 1
    firm.check()


@pytest.mark.parametrize("change", ["credit", "part payment"])
def test_a_bill_whose_balance_changed_gets_one_new_link_and_a_revised_message(firm, change):
    bill = firm.mailed_bill(dollars=600)
    if change == "credit":
        firm.sandbox.act("credit_bill", id=bill["id"], amount="100.00")
    else:
        firm.sandbox.act("record_payment", bill_id=bill["id"], amount="100.00")
    seen(firm)
    firm.later(minutes=2)
    assert own_links(firm, bill) == [("expired", 60_000), ("live", 50_000)]
    first, second = firm.mails()
    assert second["subject"].startswith("Updated invoice")
    assert firm.links()[1]["url"] in second["text"]
    assert firm.links()[0]["url"] not in second["text"]
    assert first["message_id"] != second["message_id"]
    firm.check()


def test_a_voided_bill_s_link_is_ended_and_no_word_follows(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("void_bill", id=bill["id"])
    seen(firm)
    assert len(firm.effects("link.expired")) == 1
    assert silence(firm, bill) == "bill_gone"
    firm.later(days=1)
    assert len(firm.mails()) == 1
    firm.check()


@pytest.mark.slow
def test_a_bill_reopened_as_a_draft_loses_its_link_and_gets_another_when_issued_again(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("reopen_bill", id=bill["id"])
    seen(firm)
    assert len(firm.effects("link.expired")) == 1
    firm.sandbox.act("approve_bill", id=bill["id"])
    seen(firm)
    firm.later(minutes=2)
    assert [state for state, _ in own_links(firm, bill)] == ["expired", "live"]
    assert len(firm.mails()) == 2
    firm.check()


def test_F09_a_live_link_that_a_person_made_is_left_alone_and_reported(firm):
    bill = firm.mailed_bill()
    made = firm.sandbox.act("create_link_by_hand", bill_id=bill["id"])
    seen(firm)
    assert firm.exceptions() == {"foreign_link": 1}
    bearer = {"Authorization": f"Bearer {firm.sandbox.access_token}"}
    path = f"{firm.sandbox.clio_base_url}/api/v4/clio_payments/links/{made['id']}.json?fields=id,active"
    assert httpx.get(path, headers=bearer).json()["data"]["active"] is True
    practice = firm.rt.practice(Urgency.MONEY)
    practice.expire_link(made["id"], practice.link(made["id"]).etag)
    seen(firm)
    assert firm.exceptions() == {}, "nobody is asked to expire what is expired"
    firm.check()


def test_F41_a_bill_whose_client_we_may_see_by_now_gets_its_link_without_any_change_in_clio(firm):
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], redacted=True)
    firm.issued_bill()
    seen(firm)
    assert (firm.links(), firm.exceptions()) == ([], {"client_redacted": 1})
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], redacted=False)
    firm.later(hours=12)
    firm.later(minutes=2)
    assert (len(firm.links()), firm.exceptions()) == (1, {})


def test_F35_when_clio_says_the_quota_is_reached_the_rest_waits_in_order_and_a_person_is_told_once(opened, tiny):
    tiny["account"] = {"links_per_user": 3}
    firm = opened(tiny)
    amounts = [100, 600, 200, 500, 300, 400]
    for dollars in amounts:
        firm.issued_bill(dollars=dollars)
    seen(firm)
    assert [link["amount"] for link in firm.links()] == [600, 500, 400]
    refused = firm.sandbox.counts()["calls"]["POST /clio_payments/links"] - 3
    assert refused <= 3
    assert firm.exceptions() == {"link_quota": 1}
    with firm.rt.read() as work:
        assert [row["amount_cents"] for row in work.links.waiting()] == [30_000, 20_000, 10_000]
    # An hour without an attempt, then one more try, not one for each that waits.
    seen(firm)
    assert firm.sandbox.counts()["calls"]["POST /clio_payments/links"] == 3 + refused
    for link in firm.links():
        firm.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    firm.later(days=1)
    firm.later(hours=1)
    firm.later(hours=1)
    assert sorted(link["amount"] for link in firm.links()) == sorted(amounts)
    assert "link_quota" not in firm.exceptions()
    firm.check()


@pytest.mark.slow
def test_the_budget_never_promises_more_links_than_the_account_allows(opened, tiny):
    """One user: 50 links; the other ten wait, the highest balances having gone first."""
    firm = opened(tiny)
    firm.sandbox.act("bulk", bills=60, matter_ids=[firm.matter()], amount="100.00", webhooks=False)
    big = firm.issued_bill(dollars=9000)
    firm.later(minutes=15)
    assert len(firm.links()) == 50
    assert firm.links()[0]["bill_id"] == big["id"]
    assert firm.exceptions() == {"link_quota": 1}
    assert firm.sandbox.oracle()["quota_breaches"] == 0
    with firm.rt.read() as work:
        assert work.links.counts() == {LinkState.LIVE: 50, LinkState.WAITING: 11}
    firm.check()
