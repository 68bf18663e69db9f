"""The due table on both databases: what is chosen, what is kept, and what never changes again."""

from datetime import date, timedelta

import pytest

from orchestrator.domain.bills import BillState
from orchestrator.domain.reminders import LETTER_TRANSITIONS, Anchor, LetterState, ReminderState
from orchestrator.domain.silence import Quiet
from orchestrator.errors import Stale
from orchestrator.storage.reminders import Reach, told_of
from tests.firm import START
from tests.storage.rows import a_bill

TODAY = date(2026, 4, 7)
"""A week after the due date of `a_bill()`."""


def reach(step="overdue-7", days=7, anchor=Anchor.DUE):
    back = TODAY - timedelta(days=days)
    return Reach(step, anchor, back, back - timedelta(days=30))


def put_bills(uow, *bills):
    with uow() as work:
        work.mirror.put_bills(bills, read_at=START)


def row(bill_id=5, step="overdue-7", state=ReminderState.PLANNED, letter_id=None, quiets=()):
    return {
        "bill_id": bill_id, "step": step, "state": state, "due_on": TODAY, "looked_on": TODAY, "letter_id": letter_id,
        **told_of(quiets, since=None, today=TODAY),
    }  # fmt: skip


def chosen(uow, *reaches, on=TODAY, after=0, limit=50):
    with uow.read() as work:
        found = work.reminders.candidates(reaches or (reach(),), judged_on=on, after=after, limit=limit)
        return [one["id"] for one in found]


def states(uow, bill_id=5):
    with uow.read() as work:
        known = work.reminders.of_bills([bill_id]).get(bill_id, {})
    return {step: (one["state"], one["reason"]) for step, one in known.items()}


def test_only_issued_bills_with_a_step_due_are_chosen(uow):
    day = timedelta(days=1)
    put_bills(
        uow, a_bill(id=1), a_bill(id=2, due_on=date(2026, 3, 31) + day), a_bill(id=3, state=BillState.PAID),
        a_bill(id=4, due_on=None), a_bill(id=5, due_on=None, issued_on=date(2026, 3, 1) + day),
        a_bill(id=6, due_on=None, issued_on=None), a_bill(id=7, due_on=TODAY),
    )  # fmt: skip
    assert chosen(uow) == [1, 4]
    assert chosen(uow, reach(days=31, anchor=Anchor.ISSUED)) == [1, 2, 4, 5, 7]
    assert chosen(uow, reach(), reach("soon", days=0)) == [1, 2, 4, 5, 7]


def test_a_long_list_is_read_page_by_page(uow):
    put_bills(uow, *(a_bill(id=number) for number in range(1, 8)))
    assert chosen(uow, limit=3) == [1, 2, 3]
    assert chosen(uow, limit=3, after=3) == [4, 5, 6]
    assert chosen(uow, limit=3, after=6) == [7]


def test_a_bill_is_judged_once_a_day_until_its_step_is_over(uow):
    put_bills(uow, a_bill())
    with uow() as work:
        work.reminders.put([row(state=ReminderState.SILENT, quiets=(Quiet("matter_closed"),))])
    assert chosen(uow) == []
    assert chosen(uow, on=TODAY + timedelta(days=1)) == [5]
    assert chosen(uow, on=None) == [5]
    with uow() as work:
        work.reminders.put([row(state=ReminderState.SKIPPED, quiets=(Quiet("reminder_overtaken"),))])
    assert chosen(uow, on=None) == []


def test_what_is_over_is_never_written_again(uow):
    with uow() as work:
        work.reminders.put([row(state=ReminderState.SKIPPED), row(step="overdue-21")])
        work.reminders.put([row(), row(step="overdue-21", state=ReminderState.SILENT, quiets=(Quiet("too_old"),))])
    assert states(uow) == {"overdue-7": ("skipped", None), "overdue-21": ("silent", "too_old")}


def test_F72_a_client_has_one_letter_a_day(uow):
    with uow() as work:
        first = work.reminders.open_letters([3, 4], TODAY, LetterState.PLANNED)
        again = work.reminders.open_letters([3], TODAY, LetterState.HELD)
        later = work.reminders.open_letters([3], TODAY + timedelta(days=1), LetterState.PLANNED)
    assert again[3] == first[3]
    assert later[3]["id"] not in {letter["id"] for letter in first.values()}


@pytest.fixture
def letter(uow):
    put_bills(uow, a_bill())
    with uow() as work:
        found = work.reminders.open_letters([3], TODAY, LetterState.PLANNED)[3]
        work.reminders.put([row(letter_id=found["id"])])
    return found


def test_F75_nothing_is_decided_about_the_bills_of_a_letter_in_doubt(uow, letter):
    with uow() as work:
        work.reminders.leaving(letter, key="k" * 64, message_id="<m@x>", reason="mail_outcome_unknown")
        work.reminders.put([row(state=ReminderState.SILENT, quiets=(Quiet("too_old"),))])
        assert work.reminders.end_days_before(TODAY + timedelta(days=1), reason="reminder_day_passed") == []
    assert states(uow) == {"overdue-7": ("planned", None)}


def test_F61_a_letter_of_another_day_is_given_up_and_its_bills_are_judged_anew(uow, letter):
    with uow() as work:
        ended = work.reminders.end_days_before(TODAY + timedelta(days=1), reason="reminder_day_passed")
    assert ended == [letter["id"]]
    assert states(uow) == {"overdue-7": ("silent", "reminder_day_passed")}
    assert chosen(uow, on=TODAY + timedelta(days=1)) == [5]
    with uow.read() as work:
        assert work.reminders.letter(letter["id"])["state"] == LetterState.SUPERSEDED


@pytest.mark.parametrize(("state", "reason"), [(BillState.PAID, "bill_paid"), (BillState.VOID, "bill_gone")])
def test_nothing_more_follows_a_bill_that_is_settled(uow, letter, state, reason):
    put_bills(uow, a_bill(state=state, updated_at=START + timedelta(days=1)))
    with uow() as work:
        work.reminders.end_settled_bills()
    assert states(uow) == {"overdue-7": ("skipped", reason)}


def test_a_letter_moves_along_its_life_only(uow, letter):
    with uow() as work:
        work.reminders.move_letter(letter, LetterState.SUPERSEDED)
    for state in set(LetterState) - {LetterState.SUPERSEDED}:
        with uow() as work, pytest.raises(Stale):
            work.reminders.move_letter(letter, state)
    assert LETTER_TRANSITIONS[LetterState.SUPERSEDED] == set()


def test_a_thread_is_of_the_same_bills_oldest_first(uow, letter):
    with uow() as work:
        sent = {"key": "k" * 64, "message_id": "<first@x>", "sent_at": START}
        work.reminders.move_letter(letter, LetterState.SENT, **sent)
        later = work.reminders.open_letters([3], TODAY + timedelta(days=14), LetterState.PLANNED)[3]
        work.reminders.put([row(step="overdue-21", letter_id=later["id"])])
        moved = {"key": "l" * 64, "message_id": "<second@x>", "sent_at": START + timedelta(days=14)}
        work.reminders.move_letter(later, LetterState.SENT, **moved)
    with uow.read() as work:
        assert work.reminders.thread_of([5]) == ["<first@x>", "<second@x>"]
        assert work.reminders.thread_of([6]) == []
        assert work.reminders.sent_to_client(3, since=START) == 2
        assert work.reminders.sent_to_client(3, since=START + timedelta(seconds=1)) == 1
