"""W5, W9: a retainer that fell below its level is asked for once, into trust, and never called overdue."""

import json

import pytest
import sqlalchemy as sa

from orchestrator.domain.evergreen import RetainerState
from orchestrator.storage.tables import journal
from orchestrator.usecases.hold_trust import dispute, release
from tests.trust import deposit, trust_settings

EVERGREEN = {"threshold_field": "Evergreen Threshold", "target_field": "Evergreen Target"}


@pytest.fixture
def fields(tiny):
    tiny["custom_fields"] += [
        {"key": name.lower().replace(" ", "_"), "name": name, "field_type": "text_line"} for name in EVERGREEN.values()
    ]
    tiny["matters"][0]["entries"] = []
    return tiny


@pytest.fixture
def kept(opened, fields, sandbox):
    """A firm whose one matter has a level of 1,000, to be filled up to 2,500, and 3,000 in trust."""
    sandbox.reset(fields, seed=1, now="2026-03-02T15:00:00Z", frozen=True, rate_limit=100_000)
    firm = opened(trust=trust_settings(sandbox, evergreen=EVERGREEN, trust_first=False))
    deposit(firm, 3000)
    level(firm, threshold="1,000", target="2500")
    return firm


def level(firm, *, threshold, target=None):
    for name, value in (("Evergreen Threshold", threshold), ("Evergreen Target", target)):
        firm.sandbox.act("set_custom_field", matter_id=firm.matter(), name=name, value=value)
    firm.later(minutes=16)


def spend(firm, dollars):
    """The lawyer uses trust money in Clio, and we look."""
    firm.sandbox.act("disburse_trust", matter_id=firm.matter(), amount=dollars)
    look(firm)


def look(firm):
    firm.later(minutes=16)
    firm.later(minutes=16)
    firm.later(minutes=2)


def requests(firm):
    return firm.effects("trust_request.created")


def retainers(firm):
    with firm.rt.read() as work:
        return [(row["state"], row["reason"]) for row in work.retainers.listed()]


def test_a_matter_below_its_level_gets_one_request_and_one_link_into_trust(kept):
    assert requests(kept) == []
    spend(kept, 2200)
    [asked] = requests(kept)
    assert asked["amount"] == 1700
    [link] = kept.links()
    assert (link["bill_id"], link["amount"]) == (asked["id"], 1700)
    [mail] = kept.mails()
    assert mail["subject"].startswith("Replenishing the funds")
    kept.later(minutes=30)
    assert len(requests(kept)) == len(kept.links()) == len(kept.mails()) == 1
    kept.check()


def test_a_request_is_followed_up_twice_in_words_of_its_own_and_is_never_overdue(kept):
    spend(kept, 2200)
    days, day = [], 0
    for span in (4, 1, 1, 1, 4, 1, 1, 1, 20):
        before, day = len(kept.mails()), day + span
        kept.later(days=span)
        kept.later(minutes=2)
        days += [day] * (len(kept.mails()) - before)
    # Five and twelve days after it was made, or on the business day that follows.
    assert [5 <= day <= 7 for day in days] == [True, False]
    assert 12 <= days[1] <= 14
    first, second, third = kept.mails()
    assert first["subject"].startswith("Replenishing")
    assert second["subject"].startswith("About replenishing")
    assert third["subject"].startswith("About replenishing")
    assert not any("overdue" in str(mail).lower() for mail in kept.mails())
    kept.check()


def test_a_request_never_stands_in_one_letter_with_an_overdue_bill(kept):
    bill = kept.issued_bill(dollars=100, issued_at="2026-02-01", due_at="2026-03-06")
    spend(kept, 2200)
    for span in (5, 1, 1, 1, 1, 1):
        kept.later(days=span)
        kept.later(minutes=2)
    trust = str(requests(kept)[0]["id"])
    about = [mail["headers"]["X-Orchestrator-Bill"].split(",") for mail in kept.mails()]
    assert [str(bill["id"])] in about
    assert [trust] in about
    assert not any(len(set(ids)) > 1 for ids in about)
    kept.check()


def test_T1_a_deposit_s_link_names_the_trust_account_and_a_bill_s_the_operating_one(kept):
    spend(kept, 2200)
    bill = kept.issued_bill(dollars=100)
    look(kept)
    sent = [one for one in kept.sandbox.requests() if (one["method"], one["path"]) == ("POST", "/clio_payments/links")]
    bodies = [json.loads(one["body"])["data"] if isinstance(one["body"], str) else one["body"]["data"] for one in sent]
    asked = {body["subject"]["id"]: body["destination_account"]["id"] for body in bodies}
    accounts = kept.ids["bank_accounts"]
    assert asked == {requests(kept)[0]["id"]: accounts["trust"], bill["id"]: accounts["operating"]}


def test_what_comes_in_is_the_client_s_and_ends_the_request(kept):
    spend(kept, 2200)
    kept.sandbox.act("pay_link", link_id=kept.links()[0]["id"], settle_after_seconds=0)
    look(kept)
    assert retainers(kept) == [("over", "evergreen_whole")]
    with kept.rt.read() as work:
        [row] = work.trust.ledgers(matter_id=kept.matter())
        assert row["balance_cents"] == 250_000
        against = set(work.connection.execute(sa.select(journal.c.account)).scalars())
    assert "held_for_clients" in against
    assert "receivable" not in against
    kept.check()
    spend(kept, 2000)
    assert len(requests(kept)) == 2


def test_F66_a_deposit_that_is_charged_back_leaves_the_books_again(kept):
    spend(kept, 2200)
    payment = kept.sandbox.act("pay_link", link_id=kept.links()[0]["id"], settle_after_seconds=0)
    look(kept)
    kept.sandbox.act("chargeback_payment", id=payment["id"])
    look(kept)
    with kept.rt.read() as work:
        assert work.journal.held() == 0
        [told] = work.exceptions.listed(kind="payment_reversed")
    assert told["money_cents"] == 170_000
    kept.check()


def test_a_request_is_taken_back_when_the_balance_is_back(kept):
    spend(kept, 2200)
    kept.sandbox.act("deposit_trust", matter_id=kept.matter(), amount=1000)
    look(kept)
    assert retainers(kept) == [("over", "evergreen_whole")]
    assert [one["why"] for one in kept.effects("link.expired")] == ["request"]
    [task] = kept.effects("task.created")
    assert task["name"].startswith("Void trust request")


def test_nobody_is_asked_while_a_dispute_or_a_freeze_holds_the_matter_s_money(kept):
    bill = kept.issued_bill(dollars=100)
    look(kept)
    dispute(kept.rt, bill["id"], amount_cents=None, why="hours", by="iris", dry_run=False)
    spend(kept, 2200)
    assert requests(kept) == []
    release(kept.rt, "dispute:1", why="settled", by="iris", dry_run=False)
    kept.later(days=1)
    look(kept)
    assert len(requests(kept)) == 1


def test_a_dispute_that_comes_later_ends_the_link_and_its_end_brings_another(kept):
    spend(kept, 2200)
    bill = kept.issued_bill(dollars=100)
    look(kept)
    dispute(kept.rt, bill["id"], amount_cents=None, why="hours", by="iris", dry_run=False)
    kept.sandbox.act("deposit_trust", matter_id=kept.matter(), amount=1)
    look(kept)
    trust = requests(kept)[0]["id"]
    assert [one["bill_id"] for one in kept.effects("link.expired")] == [trust]


def test_a_request_whose_answer_was_lost_is_found_by_our_key(kept):
    kept.sandbox.fault("POST /trust_requests", "lose_answer")
    spend(kept, 2200)
    look(kept)
    assert len(requests(kept)) == 1
    assert len(kept.links()) == 1
    kept.check()


def test_a_request_that_never_arrived_is_made_once(kept):
    kept.sandbox.fault("POST /trust_requests", "status", code=503)
    spend(kept, 2200)
    look(kept)
    assert len(requests(kept)) == 1
    assert len(kept.links()) == 1


def test_an_equal_request_without_our_key_is_a_person_s_to_judge(kept):
    kept.sandbox.fault("POST /trust_requests", "status", code=503)
    kept.sandbox.act("disburse_trust", matter_id=kept.matter(), amount=2200)
    kept.later(minutes=16)
    kept.sandbox.act("request_trust", matter_id=kept.matter(), amount=1700)
    kept.later(minutes=2)
    assert requests(kept) == []
    [job] = kept.jobs("trust.request")
    assert (job["state"], job["reason"]) == ("parked", "search_ambiguous")


def test_where_clio_takes_no_request_a_person_makes_it_and_its_link_follows(kept):
    kept.sandbox.fault("POST /trust_requests", "status", code=400, body="", times=None)
    spend(kept, 2200)
    assert retainers(kept) == [("tasked", None)]
    [task] = kept.effects("task.created")
    assert task["name"].startswith("Request 1,700.00 USD into trust")
    bill = kept.sandbox.act("request_trust", matter_id=kept.matter(), amount=1500)
    look(kept)
    assert [link["bill_id"] for link in kept.links()] == [bill["id"]]
    assert [link["amount"] for link in kept.links()] == [1500]


@pytest.mark.parametrize("status", [403, 404, 422])
def test_F46_where_clio_never_takes_requests_a_person_hears_once_and_all_the_rest_goes_on(kept, status):
    kept.sandbox.fault("POST /trust_requests", "status", code=status, body="", times=None)
    spend(kept, 2200)
    assert retainers(kept) == [("tasked", None)]
    assert [task["name"][:21] for task in kept.effects("task.created")] == ["Request 1,700.00 USD "]
    assert kept.exceptions() == {"trust_requests_unavailable": 1}
    kept.mailed_bill(dollars=100)
    with kept.rt.uow() as work:
        [row] = work.retainers.listed()
        work.retainers.move(row, RetainerState.OVER, reason="evergreen_over")
    asked = kept.sandbox.counts()["calls"]["POST /trust_requests"]
    spend(kept, 1)
    assert retainers(kept)[0] == ("tasked", None)
    assert kept.sandbox.counts()["calls"]["POST /trust_requests"] == asked
    assert kept.exceptions() == {"trust_requests_unavailable": 1}
    kept.check()


def test_F46_a_day_later_clio_is_asked_again_and_its_yes_ends_the_notice(kept):
    kept.sandbox.fault("POST /trust_requests", "status", code=403, body="")
    spend(kept, 2200)
    assert kept.exceptions() == {"trust_requests_unavailable": 1}
    with kept.rt.uow() as work:
        [row] = work.retainers.listed()
        work.retainers.move(row, RetainerState.OVER, reason="evergreen_over")
    kept.later(days=1)
    spend(kept, 1)
    assert len(requests(kept)) == 1
    assert kept.exceptions() == {}


def test_a_request_that_a_person_made_already_is_not_doubled(kept):
    kept.sandbox.act("request_trust", matter_id=kept.matter(), amount=800)
    kept.later(minutes=16)
    spend(kept, 2200)
    assert requests(kept) == []
    assert kept.links() == []


def test_a_request_that_a_person_voided_is_not_made_again_at_the_same_balance(kept):
    spend(kept, 2200)
    kept.sandbox.act("void_bill", id=requests(kept)[0]["id"])
    look(kept)
    kept.later(days=3)
    assert retainers(kept) == [("over", "bill_gone")]
    assert len(requests(kept)) == 1
    spend(kept, 100)
    assert len(requests(kept)) == 2


def test_a_level_that_is_no_amount_asks_a_person_and_nobody_else(kept):
    level(kept, threshold="about a thousand")
    spend(kept, 2900)
    assert requests(kept) == []
    assert kept.exceptions().get("evergreen_unreadable") == 1
    level(kept, threshold="1000")
    kept.later(days=1)
    look(kept)
    assert kept.exceptions().get("evergreen_unreadable") is None
    assert len(requests(kept)) == 1


def test_without_a_level_nothing_is_asked(opened, fields, sandbox):
    sandbox.reset(fields, seed=1, now="2026-03-02T15:00:00Z", frozen=True, rate_limit=100_000)
    firm = opened(trust=trust_settings(sandbox, trust_first=False))
    deposit(firm, 3000)
    spend(firm, 2999)
    assert requests(firm) == []


def test_a_default_of_the_practice_area_goes_before_one_for_all(opened, fields, sandbox):
    sandbox.reset(fields, seed=1, now="2026-03-02T15:00:00Z", frozen=True, rate_limit=100_000)
    defaults = [
        {"threshold_cents": 900_000, "target_cents": 900_000},
        {"threshold_cents": 100_000, "target_cents": 120_000, "practice_area": "General Practice"},
    ]
    firm = opened(trust=trust_settings(sandbox, trust_first=False, evergreen={"defaults": defaults}))
    deposit(firm, 3000)
    assert requests(firm) == []
    spend(firm, 2500)
    assert [one["amount"] for one in requests(firm)] == [700]
