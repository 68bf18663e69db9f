"""W12: what a reminder may carry: a link that lives long enough, or another in its place, one at a time and within the quotas."""

from datetime import timedelta

from orchestrator.domain.links import FOR_REMINDER
from orchestrator.usecases.renew_link import link_until


def wish(firm, bill, **ahead):
    """What a reminder would be told now that needs a link for so long."""
    with firm.rt.uow() as work:
        return link_until(
            firm.rt, work, work.mirror.bills([bill["id"]])[bill["id"]], until=work.now + timedelta(**ahead)
        )


def states(firm, bill):
    with firm.rt.read() as work:
        return [(row["state"], row["reason"], row["brought_by"]) for row in work.links.of_bill(bill["id"])]


def test_a_link_that_lives_until_then_is_the_one(firm):
    bill = firm.mailed_bill()
    fresh = wish(firm, bill, days=20)
    assert (fresh.link["url"], fresh.pending, fresh.why) == (firm.links()[0]["url"], False, None)
    firm.work()
    assert len(firm.links()) == 1


def test_a_link_that_ends_before_is_replaced_and_the_reminder_alone_brings_the_new_one(firm):
    bill = firm.mailed_bill()
    firm.later(days=80)
    fresh = wish(firm, bill, days=14)
    assert (fresh.link, fresh.pending) == (None, True)
    assert wish(firm, bill, days=14).pending, "asked again, nothing more is done"
    firm.work()
    fresh = wish(firm, bill, days=14)
    old, new = firm.links()
    assert fresh.link["clio_id"] == new["id"] != old["id"]
    assert states(firm, bill) == [("expired", FOR_REMINDER, "message"), ("live", None, "reminder")]
    assert [link.id for link in firm.rt.practice(1).active_links()] == [new["id"]]
    assert len(firm.mails()) == 1
    firm.check()


def test_a_link_that_ran_out_is_made_again_for_a_reminder(opened):
    firm = opened(links={"days": 2})
    bill = firm.mailed_bill()
    firm.later(days=4)
    assert wish(firm, bill, hours=20).pending
    firm.work()
    assert wish(firm, bill, hours=20).link["clio_id"] == firm.links()[-1]["id"]
    assert len(firm.mails()) == 1
    firm.check()


def test_a_step_that_no_link_lives_to_see_costs_none_a_day(opened):
    firm = opened(links={"days": 2})
    bill = firm.mailed_bill()
    assert wish(firm, bill, days=300).link is not None
    assert len(firm.links()) == 1


def test_F12_a_link_that_was_paid_while_it_was_to_be_replaced_is_honoured(firm):
    bill = firm.mailed_bill()
    firm.later(days=80)
    assert wish(firm, bill, days=14).pending
    firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"])
    firm.later(minutes=15)
    assert states(firm, bill) == [("used", FOR_REMINDER, "message")]
    assert wish(firm, bill, days=14).why in ("payment_under_way", "nothing_open")
    assert len(firm.links()) == 1
    firm.check()


def test_what_a_person_expired_no_reminder_begins_again(firm):
    bill = firm.mailed_bill()
    with firm.rt.uow() as work:
        [link] = work.links.of_bill(bill["id"])
        work.links.note(link["id"], reason="link_expired_by_hand")
        work.jobs.add("link.expire", link["id"], link_id=link["id"], bill_id=bill["id"], reason="link_expired_by_hand")
    firm.work()
    assert wish(firm, bill, days=14).why == "link_expired_by_hand"
    assert len(firm.links()) == 1


def test_a_paid_bill_needs_none_and_says_so(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    firm.later(minutes=15)
    assert wish(firm, bill, days=14).why == "nothing_open"


def test_a_link_that_works_is_not_given_up_while_there_is_no_room_for_another(firm):
    bill = firm.mailed_bill()
    firm.later(days=80)
    with firm.rt.uow() as work:
        work.links.counted(users=1, foreign_active=0, foreign_created=50)
    fresh = wish(firm, bill, days=14)
    assert (fresh.link["url"], fresh.pending, fresh.why) == (firm.links()[0]["url"], False, "link_quota")
    assert firm.jobs("link.expire") == []


def test_a_reminder_s_link_waits_behind_a_new_bill_s_smaller_one(firm):
    bill = firm.mailed_bill(dollars=900)
    with firm.rt.uow() as work:
        [row] = work.links.of_bill(bill["id"])
        work.links.counted(users=1, foreign_active=0, foreign_created=50)
        work.links.move(row, "expired", reason="time")
    assert wish(firm, bill, days=14).why == "link_quota"
    firm.issued_bill(dollars=5)
    firm.later(minutes=15)
    with firm.rt.read() as work:
        assert [link["amount_cents"] for link in work.links.waiting()] == [500, 90_000]
