"""W1: an entry must rest for its quiet period after its last change before anything is done with it."""

import pytest


@pytest.fixture
def idle(opened, tiny):
    """A firm without any work."""
    tiny["matters"][0]["entries"] = []
    return opened(tiny)


def approvals(firm):
    with firm.rt.read() as work:
        return {row["id"]: row["approved_by"] for row in work.approvals.listed() if row["approved_by"]}


def test_an_entry_is_mirrored_by_the_next_sweep(idle):
    entry = idle.log_time(dollars=120.40)
    idle.later(minutes=15)
    with idle.rt.read() as work:
        [row] = work.mirror.entries([entry["id"]])
    assert (row["total_cents"], row["quantity_seconds"], row["bill_id"]) == (12_040, "3600", None)
    idle.check()


def test_an_entry_is_approved_when_it_has_rested_for_fifteen_minutes_exactly(idle):
    idle.later(minutes=14)
    entry = idle.log_time()
    idle.later(minutes=1)
    assert approvals(idle) == {}
    idle.later(minutes=13, seconds=59)
    assert approvals(idle) == {}
    idle.later(seconds=1)
    assert approvals(idle) == {entry["id"]: "worker"}
    idle.check()


@pytest.mark.slow
def test_an_edit_restarts_the_quiet_period(idle):
    entry = idle.log_time()
    idle.later(minutes=10)
    idle.sandbox.act("edit_time", id=entry["id"], quantity_seconds=7200)
    idle.later(minutes=5)
    idle.later(minutes=9)
    assert approvals(idle) == {}
    idle.later(minutes=1)
    assert approvals(idle) == {entry["id"]: "worker"}
    idle.check()


def test_whatever_is_approved_between_two_sweeps_only_the_last_values_are_ever_asked_for(idle):
    """Without webhooks an edit is seen a sweep later; the reading before a bill is asked for sees it in time."""
    entry = idle.log_time(dollars=600)
    for minutes in range(1, 7):
        idle.later(minutes=10)
        idle.sandbox.act("edit_time", id=entry["id"], quantity_seconds=3600 + 900 * minutes)
    idle.later(minutes=31)
    idle.later(hours=1)
    [task] = idle.effects("task.created")
    assert "1,500.00 USD" in task["name"]
    idle.check()


def test_a_change_that_touches_no_value_does_not_restart_the_quiet_period(opened, tiny):
    tiny["matters"][0]["entries"] = []
    firm = opened(tiny, approval={"quiet_seconds": 3600})
    entry = firm.log_time()
    firm.later(minutes=30)
    firm.sandbox.act("edit_time", id=entry["id"], note="Reworded")
    firm.later(minutes=30)
    assert approvals(firm) == {entry["id"]: "worker"}


def test_the_quiet_period_is_the_firm_s_choice(opened, tiny):
    tiny["matters"][0]["entries"] = []
    firm = opened(tiny, approval={"quiet_seconds": 3600})
    entry = firm.log_time()
    firm.later(minutes=59)
    firm.work()
    assert approvals(firm) == {}
    firm.later(minutes=1)
    assert approvals(firm) == {entry["id"]: "worker"}


def test_a_deleted_entry_is_not_approved(idle):
    entry = idle.log_time()
    idle.later(minutes=5)
    idle.sandbox.act("delete_time", id=entry["id"])
    idle.later(minutes=30)
    assert approvals(idle) == {}
    idle.check()


def test_a_burst_of_entries_costs_one_look_a_minute(idle):
    for minute in range(5):
        idle.log_time(dollars=10 + minute)
    idle.later(minutes=16)
    assert len(approvals(idle)) == 5
    assert len(idle.jobs("time.approve")) <= 2
