"""W8: what follows an unpaid bill, from the day it falls due to the attorney's task."""

import json
import sqlite3
import time
from datetime import UTC, date, datetime, timedelta
from shutil import copytree

import pytest

from orchestrator.domain.silence import Subject
from orchestrator.engine import lineage
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import JobState
from orchestrator.storage.lineage import Cause
from orchestrator.usecases.approve_reminders import approve_reminders
from orchestrator.usecases.explain_silence import explain_silence
from orchestrator.usecases.hold_reminders import hold, release
from orchestrator.usecases.preview_reminders import preview_reminders
from orchestrator.usecases.settle_job import settle_job
from orchestrator.usecases.show_reminders import show_reminders
from orchestrator.usecases.skip_reminder import skip_reminder
from tests.firm import CONFIG

DUE = "2026-03-12"
"""A Thursday, ten days after the first day of every test; the first step falls due on Thursday the 19th."""

FIRST, SECOND, FLAG = "2026-03-19", "2026-04-02", "2026-04-13"
"""The days of the standard sequence; the 30th is a Saturday, so the flag waits for Monday."""


def owed(firm, matter_id=None, *, due_at=DUE, **facts):
    """A bill whose invoice the client has, due on this day."""
    return firm.mailed_bill(matter_id=matter_id, due_at=due_at, **facts)


def to(firm, day, hour=15, minute=0):
    """Let time pass up to this moment (UTC; from March 8 on 15:00 is 11 o'clock in New York)."""
    moment = datetime.fromisoformat(day).replace(hour=hour, minute=minute, second=20, tzinfo=UTC)
    firm.later(seconds=(moment - firm.rt.clock()).total_seconds())


def at(firm, day, **when):
    """The same, and the day's letters leave: all of one minute's together."""
    to(firm, day, **when)
    firm.later(seconds=45)


def letters(firm, day=""):
    """Every reminder that reached the mailbox (that day), as {bill: step}."""
    told = [
        dict(
            zip(
                map(int, headers["X-Orchestrator-Bill"].split(",")),
                headers["X-Orchestrator-Step"].split(","),
                strict=True,
            )
        )
        for headers in (mail["headers"] for mail in firm.mails() if mail["at"].startswith(day))
    ]
    return [one for one in told if not set(one.values()) & {"invoice", "invoice_revised"}]


def rows(firm, bill):
    with firm.rt.read() as work:
        found = work.reminders.of_bills([bill["id"]]).get(bill["id"], {})
    return {step: (row["state"], row["reason"]) for step, row in found.items()}


def flags(firm):
    posted = [one for one in firm.sandbox.requests() if (one["method"], one["path"]) == ("POST", "/tasks")]
    tasks = [json.loads(one["body"])["data"] for one in posted]
    return [task for task in tasks if task["priority"] == "High"]


def plan_again(firm, name):
    with firm.rt.uow() as work:
        work.jobs.add("reminders.plan", name)
    firm.work()


# ── the sequence ──


def test_an_unpaid_bill_is_followed_by_two_messages_and_a_task(firm):
    bill = owed(firm)
    at(firm, "2026-03-18")
    assert letters(firm) == []
    at(firm, FIRST)
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    at(firm, SECOND)
    assert letters(firm) == [{bill["id"]: "overdue-7"}, {bill["id"]: "overdue-21"}]
    at(firm, FLAG)
    assert rows(firm, bill) == dict.fromkeys(("overdue-7", "overdue-21", "overdue-30"), ("sent", None))
    [flag] = flags(firm)
    assert bill["number"] in flag["name"]
    assert flag["assignee"]["id"] == firm.ids["users"]["ada"]
    at(firm, "2026-05-20")
    assert len(letters(firm)) == 2
    assert len(flags(firm)) == 1
    firm.check()


def test_a_letter_is_told_to_clio_and_to_the_audit(firm):
    bill = owed(firm)
    at(firm, FIRST)
    mail = firm.mails()[-1]
    posted = [one for one in firm.sandbox.requests() if (one["method"], one["path"]) == ("POST", "/communications")]
    logged = json.loads(posted[-1]["body"])["data"]
    assert logged["external_properties"][0]["value"] == mail["headers"]["X-Orchestrator-Key"]
    assert mail["message_id"] in logged["body"]
    assert mail["headers"]["In-Reply-To"] == firm.mails()[0]["message_id"]
    found = show_reminders(firm.rt, bill["id"])
    assert [line["action"] for line in found["audit"]] == ["reminder.sent"]
    assert found["steps"][0]["message_id"] == mail["message_id"]
    firm.check()


def test_a_step_due_on_a_weekend_or_a_holiday_waits_for_the_next_business_day(firm):
    bill = owed(firm, due_at="2026-05-16")  # the 23rd is a Saturday, Monday the 25th Memorial Day
    for day in ("2026-05-23", "2026-05-24", "2026-05-25"):
        at(firm, day)
        assert letters(firm) == []
    at(firm, "2026-05-26")
    firm.later(minutes=5)  # its link would have ended before the next step: another was made first
    assert letters(firm) == [{bill["id"]: "overdue-7"}]


def test_nothing_is_planned_or_sent_before_the_office_opens(firm):
    bill = owed(firm)
    at(firm, FIRST, hour=12, minute=20)  # 8:20 in New York
    assert letters(firm) == []
    assert rows(firm, bill) == {}
    at(firm, FIRST, hour=13)
    assert letters(firm) == [{bill["id"]: "overdue-7"}]


def test_a_link_that_would_end_before_the_next_step_is_replaced_by_one_that_does_not(opened):
    firm = opened(links={"days": 25})
    bill = owed(firm)
    at(firm, FIRST)
    assert letters(firm) == []
    firm.later(minutes=5)  # by then the new link is there
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    first, second = firm.links()
    assert second["url"] in firm.mails()[-1]["text"]
    assert first["url"] not in firm.mails()[-1]["text"]
    assert len(firm.effects("link.expired")) == 1
    firm.check()


# ── one message to a client and day ──


def test_F72_a_client_s_bills_of_one_day_are_one_message(firm):
    bills = [owed(firm, dollars=dollars) for dollars in (100, 200, 300)]
    at(firm, FIRST)
    assert letters(firm) == [{bill["id"]: "overdue-7" for bill in bills}]
    assert "$600.00" in firm.mails()[-1]["text"]
    assert len(firm.jobs("reminder.send")) == 1
    firm.check()


def test_F72_invoices_and_reminders_share_the_client_s_daily_measure(opened):
    firm = opened(mail={"client_daily_limit": 1})
    bill = owed(firm)
    to(firm, FIRST, hour=12)
    owed(firm, due_at="2026-05-01")  # its invoice is the day's one message
    at(firm, FIRST)
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("silent", "client_daily_limit")}
    at(firm, "2026-03-20")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]


def test_a_reminder_is_counted_from_its_own_bill_not_from_the_client_s_oldest(firm):
    old, young = owed(firm), owed(firm, due_at="2026-03-24")
    at(firm, FIRST)
    assert letters(firm) == [{old["id"]: "overdue-7"}]
    at(firm, "2026-03-31")
    assert letters(firm)[1:] == [{young["id"]: "overdue-7"}]
    at(firm, SECOND)
    assert letters(firm)[2:] == [{old["id"]: "overdue-21"}]


def test_a_bill_whose_invoice_never_reached_the_client_is_not_chased(firm):
    firm.sandbox.fault("smtp", "reply", code=550, times=1)
    bill = firm.issued_bill(due_at=DUE)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert firm.mails() == []
    at(firm, FIRST)
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("silent", "never_delivered")}
    assert firm.exceptions()["never_delivered"] == 1
    firm.sandbox.act("record_payment", id=bill["id"], amount=600)
    firm.later(minutes=16)
    assert "never_delivered" not in firm.exceptions(), "nobody is wanted for a bill that is paid"
    firm.check()


def test_what_was_mended_between_two_steps_asks_for_nobody_any_more(firm):
    bill = owed(firm)
    credit = firm.sandbox.act("give_credit", client_id=firm.ids["contacts"]["bo"], amount=100)
    at(firm, FIRST)
    assert firm.exceptions() == {"credit_unapplied": 1}
    firm.sandbox.act("apply_credit", id=credit["id"], bill_id=bill["id"])
    at(firm, SECOND)
    assert rows(firm, bill)["overdue-7"] == ("superseded", "credit_unapplied")
    assert firm.exceptions() == {}


def test_a_closed_matter_is_not_chased_and_is_again_once_it_is_open(firm):
    bill = owed(firm)
    firm.sandbox.act("close_matter", id=firm.matter())
    at(firm, FIRST)
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("silent", "matter_closed")}
    firm.sandbox.act("open_matter", id=firm.matter())
    at(firm, "2026-03-20")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    firm.check()


def test_after_a_long_hold_two_steps_keep_their_distance(firm):
    bill = owed(firm)
    held = hold(firm.rt, Subject.BILL, bill["id"], "hold", until=None, why="she called", by="iris", dry_run=False)
    at(firm, "2026-03-31")
    assert letters(firm) == []
    release(firm.rt, held["hold"], why="settled", by="iris", dry_run=False)
    at(firm, "2026-04-01")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    at(firm, SECOND)
    [now] = explain_silence(firm.rt, bill["id"])["silent_because"]
    assert (now["reason"], str(now["until"])) == ("step_too_soon", "2026-04-05")
    assert rows(firm, bill)["overdue-21"] == ("silent", "step_too_soon")
    at(firm, "2026-04-06")
    assert letters(firm)[1:] == [{bill["id"]: "overdue-21"}]
    firm.check()


# ── time that was lost ──


def test_a_missed_day_is_caught_up(firm):
    bill = owed(firm)
    to(firm, "2026-03-18")
    at(firm, "2026-03-24")  # nothing ran in between
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    at(firm, SECOND)
    assert len(letters(firm)) == 2


def test_a_list_that_is_changed_while_it_is_read_page_by_page_leaves_no_bill_out(opened):
    firm = opened(links={"issued_from": date(2030, 1, 1)})
    ids = firm.sandbox.act("bulk", bills=450, clients=3, due_at=DUE)["bill_ids"]
    firm.later(minutes=16)
    at(firm, FIRST)
    with firm.rt.read() as work:
        found = work.reminders.of_bills(ids)
    assert {bill: [*steps] for bill, steps in found.items()} == {bill: ["overdue-7"] for bill in ids}


def test_F58_an_outage_of_weeks_ends_in_one_message_and_no_storm(firm):
    bill = owed(firm)
    to(firm, "2026-03-18")
    at(firm, "2026-04-06")
    assert letters(firm) == [{bill["id"]: "overdue-21"}]
    assert rows(firm, bill) == {"overdue-7": ("skipped", "reminder_overtaken"), "overdue-21": ("sent", None)}
    firm.check()


def test_F58_planned_twice_in_one_slot_it_is_sent_once(firm):
    bill = owed(firm)
    to(firm, FIRST)
    for name in ("another beat", "a third"):
        plan_again(firm, name)
    at(firm, FIRST, minute=30)
    plan_again(firm, "the hour after")
    at(firm, FIRST, hour=18)
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    firm.check()


def put_off(firm, **span):
    """The letter's job is in somebody's hands, who gives it back for so long: a long queue."""
    time.sleep(0.03)  # the moved clock is asked at most every 20 ms
    with firm.rt.uow() as work:
        [row] = work.jobs.listed(topic="reminder.send", states=["ready"])
        job = work.jobs.claim(row["id"], holder="a long queue", lease_seconds=30)
        work.jobs.hand_back(job, not_before=work.now + timedelta(**span))


def test_F61_a_letter_that_waited_over_its_day_is_never_sent_late_and_never_twice(firm):
    bill = owed(firm)
    to(firm, FIRST)
    firm.sandbox.clock_advance(45)
    put_off(firm, days=4)  # from Thursday to Monday
    at(firm, "2026-03-20")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    at(firm, "2026-03-23")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    assert [job["state"] for job in firm.jobs("reminder.send")] == [JobState.REVOKED, JobState.DONE]
    firm.check()


def test_F61_a_letter_that_waited_past_the_window_is_the_next_day_s(firm):
    bill = owed(firm)
    to(firm, FIRST)
    firm.sandbox.clock_advance(45)
    put_off(firm, hours=8)
    to(firm, FIRST, hour=23, minute=30)  # half past seven in New York
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("silent", "reminder_day_passed")}
    at(firm, "2026-03-20")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]


def test_a_step_counts_once_it_was_sent_and_not_before(firm):
    bill = owed(firm)
    firm.sandbox.fault("smtp", "reply", code=451, times=3)
    to(firm, FIRST)
    assert rows(firm, bill) == {"overdue-7": ("planned", None)}
    firm.later(minutes=1)
    assert rows(firm, bill) == {"overdue-7": ("sent", None)}
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    firm.check()


# ── facts that moved ──


@pytest.mark.parametrize(("act", "reason"), [("record_payment", "bill_paid"), ("void_bill", "bill_gone")])
def test_F62_a_bill_settled_between_plan_and_message_is_not_written_about(firm, act, reason):
    bill = owed(firm)
    to(firm, FIRST)
    assert rows(firm, bill) == {"overdue-7": ("planned", None)}
    firm.sandbox.act(act, id=bill["id"], bill_id=bill["id"])
    firm.later(minutes=1)
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("silent", reason)}
    at(firm, "2026-03-20")
    assert rows(firm, bill) == {"overdue-7": ("skipped", reason)}
    firm.check()


def test_a_step_that_was_silent_on_its_day_keeps_the_reason_when_the_bill_is_paid(firm):
    bill = owed(firm)
    firm.sandbox.act("close_matter", matter_id=firm.matter())
    to(firm, FIRST)
    assert rows(firm, bill) == {"overdue-7": ("silent", "matter_closed")}
    firm.sandbox.act("record_payment", id=bill["id"])
    at(firm, "2026-03-20")
    assert rows(firm, bill) == {"overdue-7": ("skipped", "matter_closed")}


def test_F62_of_several_bills_the_one_that_was_just_paid_leaves_the_letter(firm):
    paid, other = owed(firm, dollars=100), owed(firm, dollars=200)
    to(firm, FIRST)
    firm.sandbox.act("record_payment", id=paid["id"])
    firm.later(minutes=1)
    assert letters(firm) == [{other["id"]: "overdue-7"}]
    assert "$200.00" in firm.mails()[-1]["text"]
    assert "$300.00" not in firm.mails()[-1]["text"]
    assert rows(firm, paid) == {"overdue-7": ("silent", "bill_paid")}
    firm.check()


def test_F62_a_bill_partly_paid_is_asked_for_what_is_left_by_one_message_a_day(firm):
    bill = owed(firm, dollars=500)
    to(firm, FIRST)
    firm.sandbox.act("record_payment", id=bill["id"], amount=200)
    firm.later(minutes=1)
    firm.later(minutes=5)
    assert letters(firm) == []
    assert "$300.00" in firm.mails()[-1]["text"]
    at(firm, "2026-03-20")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    assert "$300.00" in firm.mails()[-1]["text"]
    firm.check()


def test_F70_a_matter_renumbered_between_two_steps_is_the_same_matter(firm):
    bill = owed(firm)
    at(firm, FIRST)
    firm.sandbox.act("edit_matter", id=firm.matter(), display_number="00099-Ferris")
    at(firm, SECOND)
    assert letters(firm) == [{bill["id"]: "overdue-7"}, {bill["id"]: "overdue-21"}]
    assert "00099-Ferris" in firm.mails()[-1]["text"]
    firm.check()


def test_F71_the_address_of_the_present_moment_is_the_one_written_to(firm):
    owed(firm)
    to(firm, FIRST)
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="bo@new.test")
    firm.later(minutes=1)
    assert firm.mails()[-1]["to"] == ["bo@new.test"]


def test_F71_without_a_usable_address_the_attorney_still_hears_of_the_bill(firm):
    bill = owed(firm)
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="")
    for day in (FIRST, SECOND, FLAG):
        at(firm, day)
    assert letters(firm) == []
    assert rows(firm, bill) == {
        "overdue-7": ("superseded", "client_email_blank"), "overdue-21": ("superseded", "client_email_blank"),
        "overdue-30": ("sent", None),
    }  # fmt: skip
    assert len(flags(firm)) == 1


def test_a_bill_paid_before_its_flag_is_nobody_s_task(firm):
    bill = owed(firm)
    at(firm, FIRST)
    at(firm, SECOND)
    firm.sandbox.act("record_payment", id=bill["id"])
    at(firm, FLAG)
    assert flags(firm) == []


# ── in doubt ──


def in_doubt(firm):
    bill = owed(firm)
    to(firm, FIRST)
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.later(minutes=1)
    firm.later(minutes=2)
    [job] = firm.jobs("reminder.send")
    assert (job["state"], job["reason"]) == (JobState.PARKED, "mail_outcome_unknown")
    return bill, job


def test_F75_a_letter_that_may_have_arrived_is_not_sent_again_whatever_day_it_is(firm):
    bill, _ = in_doubt(firm)
    at(firm, "2026-03-20")
    assert len(letters(firm)) == 1
    assert rows(firm, bill) == {"overdue-7": ("planned", None)}
    at(firm, SECOND)
    assert letters(firm) == [{bill["id"]: "overdue-7"}, {bill["id"]: "overdue-21"}]
    firm.check()


def test_F75_a_person_who_knows_that_it_arrived_says_so(firm):
    bill, job = in_doubt(firm)
    assert settle_job(firm.rt, job["id"], by="nora", dry_run=False) == firm.mails()[-1]["message_id"]
    firm.work()
    assert rows(firm, bill) == {"overdue-7": ("sent", None)}
    assert firm.exceptions() == {}
    assert len(firm.effects("communication.created")) == 2
    firm.check()


def test_F75_a_person_s_word_sends_it_once_more_under_the_same_message_id(firm):
    bill, job = in_doubt(firm)
    [*_, first] = firm.mails()
    firm.sandbox.clear_effects()
    with firm.rt.uow() as work:
        assert work.jobs.retry(job["id"], resend=True)
        work.exceptions.close_job(job["id"])
    firm.work()
    firm.later(minutes=2)
    assert [mail["message_id"] for mail in firm.mails()] == [first["message_id"]]
    assert rows(firm, bill) == {"overdue-7": ("sent", None)}


def test_F75_a_relay_that_knows_our_keys_is_given_the_very_same_or_nothing(opened):
    """One of two bills was paid since: another letter would be a second one, so a person is asked."""
    firm = opened(mail={"relay_knows_keys": True, "key_header": "X-Relay-Key"})
    bills = [owed(firm, dollars=dollars) for dollars in (100, 200)]
    to(firm, FIRST)
    firm.sandbox.fault("smtp", "drop_after_data")
    firm.later(minutes=1)
    firm.sandbox.act("record_payment", id=bills[0]["id"])
    firm.later(minutes=2)
    [job] = firm.jobs("reminder.send")
    assert (job["state"], job["reason"]) == (JobState.PARKED, "mail_outcome_unknown")
    assert letters(firm) == [{bill["id"]: "overdue-7" for bill in bills}]
    at(firm, "2026-03-20")
    assert len(letters(firm)) == 1


def test_F72_a_letter_refused_for_now_does_not_count_against_itself(opened):
    firm = opened(mail={"client_daily_limit": 1})
    bill = owed(firm)
    firm.sandbox.fault("smtp", "reply", code=451, times=2)
    at(firm, FIRST)
    assert letters(firm) == [{bill["id"]: "overdue-7"}]


def test_F77_a_relay_that_is_away_for_an_hour_asks_for_a_person_until_it_takes_a_letter(firm):
    bill = owed(firm)
    to(firm, FIRST)
    [job] = firm.jobs("reminder.send")
    firm.sandbox.fault("smtp", "reply", code=421)
    firm.sandbox.clock_advance(3700)
    firm.tick()
    assert firm.work_only(job["id"])
    assert firm.exceptions() == {"mail_relay_away": 1}
    firm.work()
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    assert firm.exceptions() == {}
    firm.check()


def test_F76_an_address_no_relay_takes_is_not_tried_every_day(firm):
    bill = owed(firm)
    firm.sandbox.fault("smtp", "reply", code=550, times=1)
    at(firm, FIRST)
    assert letters(firm) == []
    [(state, reason)] = rows(firm, bill).values()
    assert (state, reason) == ("skipped", "mail_address_refused")
    at(firm, "2026-03-20")
    assert letters(firm) == []
    assert len(firm.jobs("reminder.send")) == 1


# ── people ──


def test_a_firm_may_want_a_person_to_approve_each_day_s_batch(opened):
    firm = opened(reminders={"approve_batches": True})
    bill = owed(firm)
    at(firm, FIRST)
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("held", None)}
    with pytest.raises(Rejected, match="Only today's batch"):
        approve_reminders(firm.rt, date(2026, 3, 20), by="nora", dry_run=False)
    assert approve_reminders(firm.rt, date(2026, 3, 19), by="nora", dry_run=True)["letters"] == 1
    assert approve_reminders(firm.rt, date(2026, 3, 19), by="nora", dry_run=False)["bills"] == 1
    firm.later(minutes=1)
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    firm.check()


def test_a_batch_that_nobody_approved_is_in_the_next_day_s(opened):
    firm = opened(reminders={"approve_batches": True})
    bill = owed(firm)
    at(firm, FIRST)
    at(firm, "2026-03-20")
    assert rows(firm, bill) == {"overdue-7": ("held", None)}
    approve_reminders(firm.rt, date(2026, 3, 20), by="nora", dry_run=False)
    firm.later(minutes=1)
    assert letters(firm) == [{bill["id"]: "overdue-7"}]


def test_a_person_skips_a_step_and_the_next_follows(firm):
    bill = owed(firm)
    skip_reminder(firm.rt, bill["id"], "overdue-7", by="nora", dry_run=False)
    at(firm, FIRST)
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("skipped", "reminder_skipped_by_hand")}
    at(firm, SECOND)
    assert letters(firm) == [{bill["id"]: "overdue-21"}]
    with pytest.raises(Rejected, match="is sent already"):
        skip_reminder(firm.rt, bill["id"], "overdue-21", by="nora", dry_run=False)


@pytest.mark.parametrize("day", [FIRST, SECOND, FLAG])
def test_what_was_previewed_is_what_goes_out(firm, day):
    """Seen from the first day, with nothing written by looking."""
    bill, other = owed(firm), owed(firm, due_at="2026-03-26", dollars=90)
    on = date.fromisoformat(day)
    told = preview_reminders(firm.rt, on)
    assert told["closed"] is None
    assert rows(firm, bill) == rows(firm, other) == {}
    for step in (FIRST, SECOND, FLAG):
        at(firm, step)
        if step == day:
            break
    expected = [{one["bill_id"]: one["step"] for one in letter["bills"]} for letter in told["letters"]]
    assert letters(firm, day) == expected
    assert len(flags(firm)) == len(told["tasks"])


def test_a_preview_says_why_a_day_is_silent(firm):
    bill = owed(firm)
    firm.sandbox.act("close_matter", id=firm.matter())
    firm.later(minutes=16)
    [silent] = preview_reminders(firm.rt, date(2026, 3, 19))["silent"]
    assert (silent["bill_id"], [one["reason"] for one in silent["reasons"]]) == (bill["id"], ["matter_closed"])
    assert preview_reminders(firm.rt, date(2026, 3, 21))["closed"] == "Saturday"
    assert preview_reminders(firm.rt, date(2026, 5, 25))["closed"] == "Memorial Day"
    with pytest.raises(Rejected, match="not a day that can be previewed"):
        preview_reminders(firm.rt, date(2026, 3, 1))


def test_bills_from_before_the_start_and_a_firm_that_wants_none_are_left_alone(opened):
    firm = opened(reminders={"issued_from": "2026-06-01"})
    bill = owed(firm)
    at(firm, FIRST)
    assert rows(firm, bill) == {"overdue-7": ("silent", "issued_before_start")}
    off = opened(reminders={"enabled": False})
    at(off, SECOND)
    assert letters(off) == []
    assert rows(off, bill) == {"overdue-7": ("silent", "issued_before_start")}


def test_a_matter_or_a_practice_area_may_have_a_sequence_of_its_own(opened, tiny, tmp_path):
    """One block is one step: a gentler firm writes after three days, and no Python knows."""
    config = tmp_path / "config"
    copytree(CONFIG, config)
    gentle = (
        (config / "reminders" / "standard.toml")
        .read_text("utf-8")
        .replace("overdue-7", "heads-up")
        .replace("days = 7\n", "days = 3\n")
    )
    (config / "reminders" / "gentle.toml").write_text(gentle, encoding="utf-8")
    tiny["practice_areas"].append(dict(tiny["practice_areas"][0], key="estates", name="Estates"))
    tiny["matters"].append(dict(tiny["matters"][0], key="second", area="estates"))
    firm = opened(tiny, config_dir=config, reminders={"rules": [{"practice_area": "Estates", "sequence": "gentle"}]})
    usual, other = firm.ids["matters"].values()
    bills = [owed(firm, matter_id=matter) for matter in (usual, other)]
    at(firm, "2026-03-16")  # the 15th is a Sunday
    assert letters(firm) == [{bills[1]["id"]: "heads-up"}]
    at(firm, FIRST)
    assert letters(firm)[1:] == [{bills[0]["id"]: "overdue-7"}]
    firm.check()


def test_F57_after_a_restore_a_step_of_the_lost_past_is_not_sent_again(firm, database_url, tmp_path):
    """The database of the day before is put back after the reminder left: the client hears of the next step only."""
    bill = owed(firm)
    to(firm, "2026-03-18")
    kept = tmp_path / "kept.sqlite3"
    path = database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as source, sqlite3.connect(kept) as copy:
        source.backup(copy)
    at(firm, FIRST)
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    firm.rt.uow.engine.dispose()
    with sqlite3.connect(kept) as source, sqlite3.connect(path) as copy:
        source.backup(copy)
    with firm.rt.uow() as work:
        lineage.begin(work, Cause.RESTORED, settle_seconds=0)
    for _ in range(4):
        firm.later(minutes=16)
    with firm.rt.read() as work:
        assert work.lineage.life().recovered_at is not None
    at(firm, "2026-03-20")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    assert rows(firm, bill) == {"overdue-7": ("skipped", "mail_before_restore")}
    at(firm, SECOND)
    assert letters(firm)[1:] == [{bill["id"]: "overdue-21"}]
