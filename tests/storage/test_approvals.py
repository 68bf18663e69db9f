from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.firm import START
from tests.storage.rows import an_entry


def put(uow, *readings):
    with uow() as work:
        work.mirror.put_entries(readings)


def approve_all(uow, by="ada"):
    with uow() as work:
        return [
            entry["id"]
            for entry in work.approvals.resting(changed_before=work.now)
            if work.approvals.approve(entry, by=by, signal="operator")
        ]


@pytest.mark.parametrize(
    "hidden",
    [
        {"non_billable": True}, {"no_charge": True}, {"matter_id": None}, {"total_cents": None}, {"quantity_seconds": None},
        {"on_bill": True}, {"billed": True}, {"bill_id": 5},
    ],
    ids=lambda facts: next(iter(facts)),
)  # fmt: skip
def test_only_billable_unbilled_visible_work_of_a_matter_can_be_approved(uow, hidden):
    put(uow, an_entry(), an_entry(id=2, **hidden))
    with uow.read() as work:
        assert [entry["id"] for entry in work.approvals.resting(changed_before=work.now)] == [1]


def test_an_expense_needs_no_hours(uow):
    put(uow, an_entry(type="ExpenseEntry", quantity_seconds=None))
    assert approve_all(uow) == [1]


def test_work_rests_before_it_is_approved(uow, clock):
    put(uow, an_entry(updated_at=START - timedelta(minutes=10)))
    with uow.read() as work:
        assert work.approvals.resting(changed_before=work.now - timedelta(minutes=15)) == []
        assert work.approvals.next_rest(changed_after=work.now - timedelta(minutes=15)) == START - timedelta(minutes=10)
    clock.advance(minutes=5)
    with uow.read() as work:
        assert len(work.approvals.resting(changed_before=work.now - timedelta(minutes=15))) == 1


def test_an_entry_is_approved_once(uow):
    put(uow, an_entry())
    with uow() as work:
        [entry] = work.approvals.resting(changed_before=work.now)
        assert work.approvals.approve(entry, by="ada", signal="operator")
        assert not work.approvals.approve(entry, by="worker", signal="automatic")
        assert work.approvals.standing([1]) == {1}
        assert work.approvals.resting(changed_before=work.now) == []


@pytest.mark.parametrize(
    "edit",
    [
        {"price_cents": 1},
        {"quantity_seconds": Decimal(1)},
        {"total_cents": None},
        {"non_billable": True},
        {"matter_id": 10},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_an_edit_of_what_was_approved_withdraws_it(uow, edit):
    put(uow, an_entry())
    approve_all(uow)
    put(uow, replace(an_entry(updated_at=START + timedelta(seconds=1)), **edit))
    with uow() as work:
        assert work.approvals.withdraw_changed([1]) == [1]
        assert work.approvals.withdraw_changed([1]) == []
        assert work.approvals.standing([1]) == set()
        assert work.approvals.approved_unbilled() == []


def test_an_edit_of_anything_else_leaves_it_standing(uow):
    put(uow, an_entry())
    approve_all(uow)
    put(uow, an_entry(etag="e2", updated_at=START + timedelta(seconds=1)))
    with uow() as work:
        assert work.approvals.withdraw_changed([1]) == []


def test_once_on_a_bill_the_values_are_the_bills_business(uow):
    put(uow, an_entry())
    approve_all(uow)
    put(uow, an_entry(updated_at=START + timedelta(seconds=1), bill_id=5, total_cents=1))
    with uow() as work:
        assert work.approvals.withdraw_changed([1]) == []
        assert work.approvals.standing([1]) == {1}
        assert work.approvals.approved_unbilled() == []


def test_a_deleted_entry_is_approved_no_longer(uow):
    put(uow, an_entry())
    approve_all(uow)
    with uow() as work:
        work.mirror.entry_gone([1])
        assert work.approvals.withdraw_changed([1]) == [1]


def test_what_is_approved_adds_up_by_matter(uow):
    put(uow, an_entry(), an_entry(id=2, total_cents=500), an_entry(id=3, matter_id=10))
    approve_all(uow)
    with uow.read() as work:
        mine = work.approvals.approved_unbilled([9])
    assert [(entry.entry_id, entry.total_cents) for entry in mine] == [(1, 30_000), (2, 500)]


def test_F41_a_matter_with_hidden_figures_is_known(uow):
    put(
        uow,
        an_entry(),
        an_entry(id=2, matter_id=10, total_cents=None),
        an_entry(id=3, matter_id=11, quantity_seconds=None),
    )
    put(uow, an_entry(id=4, matter_id=12, total_cents=None, non_billable=True))
    with uow.read() as work:
        assert [(row["id"], row["matter_id"]) for row in work.approvals.redacted()] == [(2, 10), (3, 11)]
