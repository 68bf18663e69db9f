"""W2: who approves time, of which values, and what withdraws it."""

import pytest

from orchestrator.usecases.approve_time import approve_entries


@pytest.fixture
def bare(tiny):
    tiny["matters"][0]["entries"] = []
    return tiny


def approvals(firm):
    with firm.rt.read() as work:
        return {row["id"]: row["approved_by"] for row in work.approvals.listed() if row["approved_by"]}


def lines(firm, kind, ident):
    with firm.rt.read() as work:
        return [(row["action"], row["actor"], row["facts"]) for row in work.audit.about(kind, ident)]


def test_an_approval_leaves_an_audit_line_with_the_digest_of_what_was_approved(opened, bare):
    firm = opened(bare)
    entry = firm.log_time(dollars=250)
    firm.later(minutes=16)
    [(action, actor, facts)] = lines(firm, "activity", entry["id"])
    assert (action, actor, facts["signal"], facts["cents"]) == ("approval.given", "worker", "automatic", 25_000)
    with firm.rt.read() as work:
        [row] = work.mirror.entries([entry["id"]])
    assert facts["digest"] == row["digest"]


@pytest.mark.parametrize(
    "hidden", [{"non_billable": True}, {"no_charge": True}, {"redacted": True}, {"price_hidden": True}], ids=str
)
def test_automatic_approval_leaves_alone_what_is_not_billable_or_not_visible(opened, bare, hidden):
    firm = opened(bare)
    firm.log_time(**hidden)
    firm.later(minutes=16)
    assert approvals(firm) == {}


@pytest.mark.parametrize("change", [{"quantity_seconds": 7200}, {"price": 999}, {"date": "2026-02-20"}], ids=str)
def test_an_edited_entry_loses_its_approval_and_rests_anew(opened, bare, change):
    firm = opened(bare)
    entry = firm.log_time(dollars=10)
    firm.later(minutes=16)
    assert approvals(firm)
    firm.sandbox.act("edit_time", id=entry["id"], **change)
    firm.later(minutes=14)
    assert approvals(firm) == {}
    assert [action for action, _, _ in lines(firm, "activity", entry["id"])] == ["approval.given", "approval.withdrawn"]
    firm.later(minutes=16)
    assert approvals(firm) == {entry["id"]: "worker"}
    firm.check()


def test_a_deleted_entry_loses_its_approval(opened, bare):
    firm = opened(bare)
    entry = firm.log_time(dollars=600)
    firm.later(minutes=15)
    assert approvals(firm)
    firm.sandbox.act("delete_time", id=entry["id"])
    # No webhook tells and no list shows it: the reading before a bill is asked for does.
    firm.later(hours=2)
    assert firm.effects("task.created") == []
    firm.check()


def test_under_operator_nothing_is_approved_until_a_person_does(opened, bare):
    firm = opened(bare, approval={"signal": "operator"})
    entry = firm.log_time()
    firm.later(hours=3)
    assert approvals(firm) == {}
    assert firm.effects("task.created") == []
    with firm.rt.uow() as work:
        assert approve_entries(work, firm.rt, [entry["id"]], by="iris", signal="operator") == {}
    assert approvals(firm) == {entry["id"]: "iris"}
    firm.later(hours=1)
    assert len(firm.effects("task.created")) == 1
    firm.check()


def test_an_operator_is_told_why_an_entry_cannot_be_approved(opened, bare):
    firm = opened(bare, approval={"signal": "operator"})
    rested, hidden = firm.log_time(), firm.log_time(redacted=True)
    firm.later(minutes=20)
    fresh = firm.log_time()
    firm.later(minutes=10)
    with firm.rt.uow() as work:
        ids = [rested["id"], fresh["id"], hidden["id"], 999]
        refused = approve_entries(work, firm.rt, ids, by="iris", signal="operator")
        again = approve_entries(work, firm.rt, [rested["id"]], by="iris", signal="operator")
    assert rested["id"] not in refused
    assert "less than 900 seconds" in refused[fresh["id"]]
    assert "not a billable" in refused[hidden["id"]]
    assert "not a billable" in refused[999]
    assert again == {rested["id"]: "it is approved already"}


# ── task_completed ──


@pytest.fixture
def asking(opened, bare):
    return opened(bare, approval={"signal": "task_completed"})


def test_rested_time_leads_to_one_approval_task_for_the_responsible_attorney(asking):
    asking.log_time(dollars=100)
    asking.log_time(dollars=150)
    asking.later(minutes=16)
    [task] = asking.effects("task.created")
    assert "Approve the time on" in task["name"]
    assert "250.00 USD" in task["name"]
    assert task["assignee_id"] == asking.ids["users"]["ada"]
    assert approvals(asking) == {}
    asking.check()


def test_completing_the_approval_task_approves_the_matter_s_rested_time_by_its_assignee(asking):
    first, second = asking.log_time(dollars=300), asking.log_time(dollars=300)
    asking.later(minutes=16)
    [task] = asking.effects("task.created")
    asking.sandbox.act("complete_task", id=task["id"])
    asking.later(minutes=15)
    by = f"clio-user:{asking.ids['users']['ada']}"
    assert approvals(asking) == {first["id"]: by, second["id"]: by}
    assert ("task.completed", by, {"purpose": "approve_time"}) in lines(asking, "task", task["id"])
    asking.later(hours=1)
    assert [effect["name"].split(" for ")[0] for effect in asking.effects("task.created")[1:]] == ["Generate the bill"]
    asking.check()


def test_an_entry_changed_just_before_the_task_was_completed_is_not_approved_by_it(asking):
    rested, touched = asking.log_time(dollars=300), asking.log_time(dollars=300)
    asking.later(minutes=20)
    [task] = asking.effects("task.created")
    asking.later(minutes=5)
    asking.sandbox.act("edit_time", id=touched["id"], quantity_seconds=7200)
    asking.sandbox.act("complete_task", id=task["id"])
    asking.later(minutes=5)
    assert approvals(asking).keys() == {rested["id"]}


@pytest.mark.slow
def test_more_time_on_the_same_day_makes_no_second_task(asking):
    for _ in range(4):
        asking.log_time(dollars=10)
        asking.later(minutes=30)
    assert len(asking.effects("task.created")) == 1
    [task] = asking.effects("task.created")
    asking.sandbox.act("complete_task", id=task["id"])
    asking.later(minutes=15)
    asking.log_time(dollars=10)
    asking.later(minutes=31)
    assert len(asking.effects("task.created")) == 1


def test_what_rested_after_the_task_was_completed_is_asked_for_the_next_day(asking):
    asking.log_time(dollars=10)
    asking.later(minutes=16)
    asking.sandbox.act("complete_task", id=asking.effects("task.created")[0]["id"])
    asking.later(minutes=15)
    asking.log_time(dollars=10)
    asking.later(minutes=31)
    assert len(asking.effects("task.created")) == 1
    asking.later(hours=14)
    assert len(asking.effects("task.created")) == 2
    asking.check()


@pytest.mark.slow
def test_an_open_approval_task_is_not_joined_by_another_until_a_week_has_passed(asking):
    asking.log_time(dollars=10)
    for _ in range(6):
        asking.later(days=1)
    assert len(asking.effects("task.created")) == 1
    for _ in range(3):
        asking.later(days=1)
    assert len(asking.effects("task.created")) == 2
    asking.check()


def test_no_approval_is_asked_for_where_it_could_lead_to_no_bill(opened, bare):
    bare["matters"][0]["billing_method"] = "contingency"
    bare["matters"].append(bare["matters"][0] | {"key": "goodwill", "billing_method": "hourly", "billable": False})
    firm = opened(bare, approval={"signal": "task_completed"})
    for matter in firm.ids["matters"].values():
        firm.log_time(matter)
    firm.later(hours=1)
    assert firm.effects("task.created") == []


def test_clio_s_tasks_are_asked_for_only_while_one_of_ours_is_open(asking):
    def questions():
        return asking.sandbox.counts()["calls"].get("GET /tasks", 0)

    asking.later(minutes=15)
    assert questions() == 0
    entry = asking.log_time(dollars=10)
    asking.later(minutes=16)
    [task] = asking.effects("task.created")
    asking.sandbox.act("complete_task", id=task["id"])
    asking.later(minutes=15)
    assert entry["id"] in approvals(asking)
    before = questions()
    asking.later(minutes=15)
    assert 1 <= before == questions()


def test_a_task_that_nobody_asked_for_approves_nothing(asking):
    asking.log_time(dollars=300)
    asking.later(minutes=16)
    [task] = asking.effects("task.created")
    body = {"name": "Approve the time", "description": "x", "assignee": {"id": task["assignee_id"], "type": "User"}}
    import httpx  # noqa: PLC0415

    answer = httpx.post(
        f"{asking.sandbox.clio_base_url}/api/v4/tasks.json",
        json={"data": body},
        headers={"Authorization": f"Bearer {asking.sandbox.access_token}"},
    )
    asking.sandbox.act("complete_task", id=answer.json()["data"]["id"])
    asking.later(minutes=15)
    assert approvals(asking) == {}
