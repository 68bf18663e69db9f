"""W8: which step of a sequence is due, for one bill on one day."""

from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.reminders import (
    OVER,
    REMINDER_TRANSITIONS,
    Action,
    Anchor,
    Audience,
    Channel,
    ReminderState,
    Sequence,
    Step,
    due_steps,
    too_soon,
)
from orchestrator.sequences import load
from tests.firm import CONFIG

STANDARD = load(CONFIG, "standard")
DUE = date(2026, 3, 2)
DAYS = st.integers(min_value=-40, max_value=400)


@dataclass(frozen=True)
class Bill:
    due_on: date | None = DUE
    issued_on: date | None = DUE - timedelta(days=30)


def due(days, *done, bill=None):
    found = due_steps(STANDARD, bill or Bill(), today=DUE + timedelta(days=days), done=done)
    return found.step.key if found.step else None, tuple(step.key for step in found.skipped)


def test_the_standard_sequence_is_that_of_the_article():
    assert [(step.days, step.action, step.audience) for step in STANDARD.steps] == [
        (7, Action.MESSAGE, Audience.CLIENT),
        (21, Action.MESSAGE_WITH_LINK, Audience.CLIENT),
        (30, Action.TASK, Audience.ATTORNEY),
    ]
    assert {step.anchor for step in STANDARD.steps} == {Anchor.DUE}


def test_each_step_is_due_on_its_day_and_until_it_is_done():
    assert due(6) == (None, ())
    assert due(7) == ("overdue-7", ())
    assert due(20) == ("overdue-7", ())
    assert due(20, "overdue-7") == (None, ())
    assert due(21, "overdue-7") == ("overdue-21", ())


def test_of_several_that_are_due_only_the_latest_is_done():
    assert due(45) == ("overdue-30", ("overdue-7", "overdue-21"))
    assert due(45, "overdue-7", "overdue-21", "overdue-30") == (None, ())


def test_an_earlier_step_never_follows_a_later_one():
    assert due(40, "overdue-30") == (None, ("overdue-7", "overdue-21"))


def test_a_bill_without_a_due_date_is_counted_from_its_issue():
    undated = Bill(due_on=None, issued_on=DUE - timedelta(days=30))
    assert due(6, bill=undated) == (None, ())
    assert due(7, bill=undated) == ("overdue-7", ())
    assert due(400, bill=Bill(due_on=None, issued_on=None)) == (None, ())


def test_a_reminder_is_counted_from_its_own_bill_never_from_the_oldest():
    old, young = Bill(), Bill(due_on=DUE + timedelta(days=14))
    assert due(21, "overdue-7", bill=old)[0] == "overdue-21"
    assert due(21, bill=young)[0] == "overdue-7"
    assert due(20, bill=young)[0] is None


def test_a_step_may_be_counted_from_the_issue_date():
    step = Step("heads-up", 3, Anchor.ISSUED, Action.MESSAGE, Channel.EMAIL, "reminder", Audience.CLIENT)
    early = Sequence("Early", (step, *STANDARD.steps))
    bill = Bill()
    assert early.on(step, bill) == date(2026, 2, 3)
    assert early.next_on(step, bill) == date(2026, 3, 9)
    assert early.next_on(early.steps[-1], bill) is None
    assert due_steps(early, bill, today=DUE, done=()).step is step


@given(DAYS, st.sets(st.sampled_from([step.key for step in STANDARD.steps])))
def test_a_day_never_has_two_steps_of_one_bill(days, done):
    today = DUE + timedelta(days=days)
    found = due_steps(STANDARD, Bill(), today=today, done=done)
    assert found.step is None or found.step.key not in done
    assert {step.key for step in found.skipped}.isdisjoint(done)
    if found.step is not None:
        last = STANDARD.on(found.step, Bill())
        assert all(STANDARD.on(step, Bill()) < last for step in found.skipped)
        over = {*done, found.step.key, *(step.key for step in found.skipped)}
        assert due_steps(STANDARD, Bill(), today=today, done=over).step is None


@given(st.lists(st.booleans(), min_size=60, max_size=60), st.integers(min_value=0, max_value=59))
def test_F58_a_machine_that_was_away_for_days_sends_one_message_and_no_storm(up, first):
    done: set[str] = set()
    sent: list[int] = []
    for day in range(60):
        if day >= first and up[day]:
            found = due_steps(STANDARD, Bill(), today=DUE + timedelta(days=day), done=done)
            if found.step is not None:
                sent.append(day)
                done |= {found.step.key, *(step.key for step in found.skipped)}
    assert len(sent) == len(set(sent)) <= 3
    if any(up[day] for day in range(max(first, 30), 60)):
        assert "overdue-30" in done


def test_what_is_over_stays_over():
    assert {ReminderState.SENT, ReminderState.SKIPPED, ReminderState.SUPERSEDED} == OVER
    assert set(REMINDER_TRANSITIONS) == set(ReminderState)


# ── a bill that arrived late, and steps that a hold pushed together ──


@given(late=st.integers(0, 60))
def test_a_bill_that_arrived_late_is_followed_by_every_step_counted_from_that_day(late):
    arrived, done, sent = DUE + timedelta(days=late), set(), []
    for day in range(late, late + 40):
        today = DUE + timedelta(days=day)
        found = due_steps(STANDARD, Bill(), today=today, done=done, delivered_on=arrived)
        assert found.skipped == ()
        assert {why.until for _, why in found.early} <= {
            arrived + timedelta(days=step.days - 1) for step in STANDARD.steps
        }
        if found.step is not None:
            sent.append((today - arrived).days)
            done.add(found.step.key)
    assert sent == [7, 21, 30]


def test_a_step_whose_day_came_too_early_says_until_when_it_waits():
    found = due_steps(STANDARD, Bill(), today=DUE + timedelta(days=9), done=(), delivered_on=DUE + timedelta(days=5))
    assert found.step is None
    [(step, why)] = found.early
    assert (step.key, why.reason, why.until) == ("overdue-7", "delivered_late", DUE + timedelta(days=11))


def test_a_bill_that_arrived_in_time_is_counted_from_its_own_dates():
    assert STANDARD.counted_from(Bill(), DUE - timedelta(days=20)).due_on == DUE


def test_two_steps_of_a_bill_lie_the_sequence_s_gap_apart():
    last = DUE + timedelta(days=20)
    waiting = [too_soon(STANDARD, today=last + timedelta(days=day), last_on=last) for day in range(7)]
    assert [len(one) for one in waiting] == [1, 1, 1, 1, 1, 0, 0]
    assert waiting[0][0].until == last + timedelta(days=4)
    assert too_soon(STANDARD, today=last, last_on=None) == ()
