"""W12: a link is made anew before it ends if a letter follows, and a quota that gets short is told once and in time."""

from datetime import timedelta

import pytest

from orchestrator.usecases.show_links import show_budget


def states(firm, bill):
    with firm.rt.read() as work:
        return [(row["state"], row["reason"], row["brought_by"]) for row in work.links.of_bill(bill["id"])]


def day(firm, **ahead):
    return (firm.rt.clock() + timedelta(**ahead)).date().isoformat()


def open_alert(firm):
    with firm.rt.read() as work:
        return work.exceptions.listed(kind="link_budget_tight")


@pytest.fixture
def short(opened):
    """Links that live for ten days."""
    return opened(links={"days": 10})


def test_a_link_that_ends_before_the_next_letter_is_made_anew_in_time_and_the_client_is_told(short):
    bill = short.mailed_bill(due_at=day(short, days=20))
    short.later(days=7, hours=12)
    short.later(minutes=2)
    assert states(short, bill) == [("expired", "link_renewed", "message"), ("live", None, "message")]
    assert "New payment link" in short.mails()[1]["subject"]
    assert short.links()[1]["url"] in short.mails()[1]["text"]
    short.check()


def test_a_link_that_no_letter_follows_ends_with_its_time(short):
    bill = short.mailed_bill(due_at=day(short, days=-60))
    with short.rt.read() as work:
        assert work.links.of_bill(bill["id"])[0]["state"] == "live"
    for _ in range(6):
        short.later(days=2)
    assert "link_renewed" not in [reason for _, reason, _ in states(short, bill)]


def test_a_link_that_works_is_not_given_up_for_want_of_room(short):
    bill = short.mailed_bill(due_at=day(short, days=20))
    short.later(days=6)
    short.sandbox.clock_advance(86_400)
    short.rt.clock.ask_again()
    with short.rt.uow() as work:
        work.links.counted(users=1, foreign_active=0, foreign_created=50)
        work.jobs.add("links.upkeep", "now")
        job = work.jobs.find("links.upkeep", "now")
    assert short.work_only(job["id"])
    assert short.jobs("link.expire") == []
    assert [state for state, _, _ in states(short, bill)] == ["live"]


def test_a_quota_that_will_be_short_is_told_once_with_the_day_and_what_to_do(firm):
    with firm.rt.uow() as work:
        work.links.counted(users=1, foreign_active=38, foreign_created=0)
    for number in range(3):
        firm.sandbox.act(
            "generate_bill", matter_id=firm.matter(), entry_ids=[firm.log_time(dollars=100 + number)["id"]]
        )
    firm.later(minutes=15)
    with firm.rt.uow() as work:
        work.links.counted(users=1, foreign_active=38, foreign_created=0)
        work.jobs.add("links.upkeep", "first")
    firm.work()
    [told] = open_alert(firm)
    assert "80 % or more of Clio's 50 links active at once will be used, up to 41 within 30 days" in told["summary"]
    assert "add users in Clio" in told["summary"]
    with firm.rt.uow() as work:
        work.jobs.add("links.upkeep", "second")
    firm.work()
    assert [row["id"] for row in open_alert(firm)] == [told["id"]]
    for others, still in ((36, [told["id"]]), (38, [told["id"]]), (34, [])):
        with firm.rt.uow() as work:
            work.links.counted(users=1, foreign_active=others, foreign_created=0)
            work.jobs.add("links.upkeep", f"with {others} of others")
        firm.work()
        assert [row["id"] for row in open_alert(firm)] == still, "at the brink nobody is told again and again"


def test_the_budget_foresees_bills_and_reminders_that_will_want_a_link(firm):
    firm.mailed_bill(due_at=day(firm, days=5))
    ended = firm.mailed_bill(due_at=day(firm, days=5))
    with firm.rt.uow() as work:
        [link] = work.links.of_bill(ended["id"])
        work.links.move(link, "expired", reason="time")
    firm.sandbox.act("generate_bill", matter_id=firm.matter(), entry_ids=[firm.log_time(dollars=700)["id"]])
    firm.later(minutes=15)
    found = show_budget(firm.rt)["forecast"]
    assert (found["wanted_by_bills"], found["wanted_by_reminders"]) == (1, 1)
    assert (found["most_active"], found["tight_at"], found["short_at"]) == (3, None, None)


def test_work_that_waits_for_the_billing_day_is_foreseen_until_it_is_billed(firm):
    entry = firm.log_time(dollars=100)
    firm.later(hours=2)
    assert show_budget(firm.rt)["forecast"]["wanted_by_bills"] == 1
    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter(), entry_ids=[entry["id"]])
    firm.sandbox.act("approve_bill", id=bill["id"])
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert show_budget(firm.rt)["forecast"]["wanted_by_bills"] == 0
