"""W12: with every sweep our list of links is Clio's, whatever no list of changes told."""

from datetime import timedelta

import httpx

from orchestrator.storage.tables import links
from orchestrator.usecases.compare_links import EVERY_SWEEP, want_comparison
from orchestrator.usecases.expire_by_hand import expire_by_hand

LINKS = "GET /clio_payments/links"


def row(firm, bill):
    with firm.rt.read() as work:
        return work.links.last_of(bill["id"])


def test_one_of_others_that_no_list_of_changes_told_is_counted_and_told_and_both_end_with_it(firm):
    bill = firm.mailed_bill()
    foreign = firm.sandbox.act("create_link_by_hand", bill_id=bill["id"], amount="1.00")
    firm.sandbox.fault(LINKS, "empty_data", times=1)  # the list of changes
    firm.later(minutes=15)
    with firm.rt.read() as work:
        assert work.links.budget().active == 2
    assert firm.exceptions() == {"foreign_link": 1}
    assert row(firm, bill)["state"] == "live"
    expire(firm, foreign["id"])
    firm.sandbox.fault(LINKS, "empty_data", times=1)
    firm.later(minutes=15)
    with firm.rt.read() as work:
        assert work.links.budget().active == 1
    assert firm.exceptions() == {}


def test_one_of_others_that_the_daily_count_sees_first_is_told_too(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("create_link_by_hand", bill_id=bill["id"], amount="1.00")
    with firm.rt.uow() as work:
        work.jobs.add("account.read", "now")
    firm.work()
    assert firm.exceptions() == {"foreign_link": 1}


def expire(firm, clio_id):
    """By a person, at Clio."""
    path = f"{firm.sandbox.clio_base_url}/api/v4/clio_payments/links/{clio_id}.json"
    bearer = {"Authorization": f"Bearer {firm.sandbox.access_token}"}
    assert httpx.patch(path, json={"data": {"expired": True}}, headers=bearer).status_code == 200


def test_one_that_clio_shows_no_more_is_told_and_stays_until_somebody_has_looked(firm):
    bill = firm.mailed_bill()
    firm.sandbox.fault(LINKS, "empty_data", times=None)
    firm.later(minutes=15)
    assert firm.exceptions() == {"link_missing": 1}
    assert row(firm, bill)["state"] == "live"
    firm.sandbox.clear_faults()
    firm.later(minutes=15)
    assert firm.exceptions() == {}
    assert len(firm.links()) == len(firm.mails()) == 1
    firm.check()


def test_a_missing_one_that_a_person_found_dead_gives_way_to_another_which_is_mailed_once(firm):
    bill = firm.mailed_bill()
    expire(firm, firm.links()[0]["id"])
    firm.sandbox.fault(LINKS, "empty_data", times=None)
    firm.later(minutes=15)
    mine = row(firm, bill)
    told = expire_by_hand(firm.rt, mine["id"], by="ada", dry_run=True)
    assert (told["job"], row(firm, bill)["state"]) == (None, "live")
    expire_by_hand(firm.rt, mine["id"], by="ada", dry_run=False)
    firm.sandbox.clear_faults()
    for _ in range(3):
        firm.later(minutes=16)
    assert [link["bill_id"] for link in firm.links()] == [bill["id"]] * 2
    assert [mail["urls"] for mail in firm.effects("mail.accepted")][1:] == [[firm.links()[1]["url"]]]
    assert firm.exceptions() == {}
    firm.check()


def test_a_missing_one_of_a_bill_that_is_paid_by_cheque_is_over_by_a_person_s_word_and_leaves_nothing_to_do(firm):
    bill = firm.mailed_bill()
    expire(firm, firm.links()[0]["id"])
    firm.sandbox.fault(LINKS, "empty_data", times=None)
    firm.sandbox.fault(f"{LINKS}/{{id}}", "not_found", times=None)
    firm.later(minutes=15)
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    firm.later(minutes=16)
    assert [job["state"] for job in firm.jobs("link.expire")] == ["failed"]
    assert set(firm.exceptions()) == {"link_missing", "clio_not_found"}
    expire_by_hand(firm.rt, row(firm, bill)["id"], by="ada", dry_run=False)
    assert firm.exceptions() == {}
    firm.later(minutes=16)
    assert firm.exceptions() == {}
    assert len(firm.links()) == len(firm.mails()) == 1
    firm.check()


def test_a_link_of_others_that_was_used_has_taken_its_place_among_those_of_a_day(firm):
    bill = firm.issued_bill()
    made = firm.sandbox.act("create_link_by_hand", bill_id=bill["id"], amount="1.00")
    expire(firm, made["id"])
    firm.later(hours=12)
    with firm.rt.read() as work:
        budget = work.links.budget()
    assert (budget.active, budget.created) == (1, 2)


def test_a_sweep_that_finds_no_live_link_of_ours_compares_nothing(firm):
    asked = len(compared(firm))
    firm.issued_bill()
    firm.later(minutes=15)
    assert len(compared(firm)) == asked
    firm.later(minutes=15)
    assert len(compared(firm)) == asked + 1


def compared(firm):
    return [job for job in firm.jobs("links.compare") if job["state"] == "done"]


def test_a_list_of_many_pages_is_compared_once_an_hour(firm):
    bill = firm.mailed_bill()
    like = dict(row(firm, bill))
    with firm.rt.uow() as work:
        many = [
            like | {"id": 1000 + n, "bill_id": 1000 + n, "clio_id": 1000 + n, "key": f"{n:064}"}
            for n in range(EVERY_SWEEP)
        ]
        work.connection.execute(links.insert(), many)
    before = len(firm.jobs("links.compare"))
    for minutes in range(0, 60, 15):
        with firm.rt.uow() as work:
            work.now = work.now.replace(minute=0) + timedelta(minutes=minutes)
            want_comparison(work)
    assert len(firm.jobs("links.compare")) == before + 1


def test_one_that_is_over_with_us_and_alive_at_clio_is_ended_there(firm):
    bill = firm.mailed_bill()
    with firm.rt.uow() as work:
        over = {"state": "expired", "reason": "link_expired_by_hand"}
        work.connection.execute(links.update().values(**over))
    another = firm.mailed_bill(dollars=50)  # without one of ours that is live, there is nothing to compare
    firm.later(minutes=15)
    assert [link.bill_id for link in firm.rt.practice(1).active_links()] == [another["id"]]
    assert [row["state"] for row in (row(firm, bill), row(firm, another))] == ["expired", "live"]
    firm.check()
