"""The steps that an unpaid bill came to, worked out from the record alone: business days, payments in time, answers."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sandbox.overdue import Office, unanswered

STEPS = [
    {"key": "overdue-7", "days": 7, "from": "due", "action": "message"},
    {"key": "overdue-30", "days": 30, "from": "due", "action": "task"},
]
OFFICE = Office()
UNTIL = datetime(2026, 12, 31, tzinfo=UTC)


def bill(at, *, state="awaiting_payment", balance=100.0, due="2026-06-01", **more):
    facts = {"issued_at": "2026-05-02", "bill_kind": "revenue_kind", "number": "1001", "pending": 0.0, **more}
    facts |= {"client_id": 3, "matter_ids": [5]}
    return {"kind": "bill.moved", "id": 7, "at": at, "state": state, "balance": balance, "due_at": due, **facts}


def told(*entries, office=OFFICE, until=UNTIL):
    return [(one["step"], one["on"]) for one in unanswered(entries, STEPS, office=office, until=until)]


ISSUED = bill("2026-05-02T15:00:00Z")


def test_a_step_that_nothing_answered_is_told_with_its_day():
    assert told(ISSUED) == [("overdue-7", "2026-06-08"), ("overdue-30", "2026-07-01")]


def test_a_message_answers_its_step_and_a_task_its_own():
    mail = {"kind": "mail.accepted", "id": "<a@b>", "at": "2026-06-10T13:00:00Z", "bill": "7", "step": "overdue-7"}
    task = {"kind": "task.created", "id": 1, "at": "2026-07-01T13:00:00Z", "by": "app"}
    words = {"name": "Bill 1001 is overdue", "description": "30 days"}
    assert told(ISSUED, mail) == [("overdue-30", "2026-07-01")]
    assert told(ISSUED, mail, {**task, **words}) == []
    assert told(ISSUED, mail, {**task, **words, "name": "Bill 10012 is overdue"}) != []


@pytest.mark.parametrize(
    "paid", [bill("2026-06-05T15:00:00Z", state="paid", balance=0.0), bill("2026-06-08T15:00:00Z", state="void")]
)
def test_what_is_settled_before_the_day_is_over_was_never_owed_a_message(paid):
    assert told(ISSUED, paid) == []


def test_a_bill_that_arrived_late_is_followed_up_from_the_day_on_which_it_did():
    brought = {"kind": "mail.accepted", "id": "<a@b>", "at": "2026-06-10T13:00:00Z", "bill": "7", "step": "invoice"}
    assert told(ISSUED, brought) == [("overdue-7", "2026-06-17"), ("overdue-30", "2026-07-10")]
    assert told(ISSUED, brought, {**brought, "kind": "mail.returned", "to": ["a@b"]})[0] == ("overdue-7", "2026-06-08")


def test_a_day_on_which_the_office_is_closed_is_no_day():
    fourth = bill("2026-05-02T15:00:00Z", due="2026-06-26")
    # 3 July 2026 is the observed holiday of a Saturday fourth.
    assert told(fourth)[0] == ("overdue-7", "2026-07-06")
    assert told(fourth, office=Office(closed=(date(2026, 7, 6),)))[0] == ("overdue-7", "2026-07-07")


def test_a_due_date_that_was_moved_counts_from_then_on():
    later = bill("2026-06-03T15:00:00Z", due="2026-08-03")
    assert told(ISSUED, later) == [("overdue-7", "2026-08-10"), ("overdue-30", "2026-09-02")]


def test_deposits_that_were_asked_for_and_days_to_come_are_left_out():
    assert told(bill("2026-05-02T15:00:00Z", bill_kind="trust_kind")) == []
    assert told(ISSUED, until=datetime(2026, 6, 8, 15, tzinfo=UTC)) == []


@given(st.dates(date(2026, 1, 1), date(2027, 6, 1)))
def test_a_business_day_is_never_earlier_and_rarely_five_days_later(day):
    assert 0 <= (OFFICE.business_day(day) - day).days <= 4
    assert OFFICE.business_day(day).weekday() < 5


def test_the_sandbox_answers_over_its_door(enter):
    clio = enter("tiny")
    issued = clio.issued_bill("ferris")
    assert clio.sandbox.unanswered(STEPS) == []
    clio.sandbox.clock_advance(61 * 86_400)
    [first, _] = clio.sandbox.unanswered(STEPS, region="US-NY", closed=["2026-04-08"])
    assert (first["bill_id"], first["step"], first["on"]) == (issued["id"], "overdue-7", "2026-04-09")
    assert first["stood"] == ["never_delivered"]
    clio.sandbox.act("record_payment", id=issued["id"])
    assert clio.sandbox.unanswered(STEPS, region="US-NY", closed=["2026-04-08"])[0] == first
