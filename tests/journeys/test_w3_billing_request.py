"""W3: approved work becomes one billing request, and one task, when its trigger comes; or a stored reason why not."""

import pytest


def matter(key, **facts):
    given = {"key": key, "client": "bo", "attorney": "ada", "area": "general", "stage": "Active", "description": key}
    return given | {"entries": [{"hours": 2, "price": 300, "days_ago": 1}]} | facts


def with_matters(tiny, *matters):
    tiny["matters"] = list(matters)
    return tiny


def reasons(firm):
    """For each matter by key: why it was asked a bill for, or not."""
    keys = {ident: key for key, ident in firm.ids["matters"].items()}
    with firm.rt.read() as work:
        return {keys[row["matter_id"]]: row["reason"] for row in work.billing.decisions()}


def plan(firm):
    """Let everything rest, and the hourly decision come."""
    firm.later(minutes=16)
    firm.later(hours=1)


SMALL = [{"hours": 1, "price": 100, "days_ago": 1}]
OLD = [{"hours": 1, "price": 100, "days_ago": 4}]
FEE = [{"price": 900, "flat_rate": True, "days_ago": 1}]


def test_every_matter_with_work_has_a_stored_reason(opened, tiny):
    tiny["contacts"] += [
        {"key": "blank", "name": "No Address"},
        {"key": "wrong", "name": "Wrong Address", "email": "nobody at all"},
        {"key": "hidden", "name": "Hidden Person", "email": "hidden@clients.test", "redacted": True},
    ]
    expected = {
        "plenty": "threshold",
        "little": "below_threshold",
        "before-the-billing-day": "calendar",
        "fee-due": "flat_fee_date",
        "fee-later": "flat_fee_not_due",
        "fee-stage": "flat_fee_stage",
        "fee-undated": "flat_fee_not_due",
        "closed": "matter_closed",
        "contingency": "contingency",
        "goodwill": "non_billable",
        "pending": "matter_pending",
        "free": "zero_amount",
        "hidden-hours": "values_redacted",
        "hidden-price": "values_redacted",
        "no-address": "client_email_blank",
        "wrong-address": "client_email_invalid",
        "hidden-client": "client_redacted",
    }
    cases = {
        "little": {"entries": SMALL},
        "before-the-billing-day": {"entries": OLD},
        "fee-due": {"entries": FEE, "billing_method": "flat", "custom": {"Billing Date": "2026-03-02"}},
        "fee-later": {"entries": FEE, "billing_method": "flat", "custom": {"Billing Date": "2026-03-03"}},
        "fee-stage": {"entries": FEE, "billing_method": "flat", "stage": "Closing"},
        "fee-undated": {"entries": FEE, "billing_method": "flat"},
        "closed": {"entries": SMALL, "status": "Closed"},
        "contingency": {"billing_method": "contingency"},
        "goodwill": {"billable": False},
        "pending": {"status": "Pending"},
        "free": {"entries": [{"hours": 2, "price": 0, "days_ago": 1}]},
        "hidden-hours": {"entries": [{"hours": 2, "price": 300, "redacted": True}]},
        "hidden-price": {"entries": [{"hours": 2, "price": 300, "price_hidden": True}, {"hours": 9, "price": 300}]},
        "no-address": {"client": "blank"},
        "wrong-address": {"client": "wrong"},
        "hidden-client": {"client": "hidden"},
    }
    scenario = with_matters(tiny, *(matter(key, **cases.get(key, {})) for key in expected))
    firm = opened(scenario, billing={"flat_fee_stages": ("Closing",)})
    plan(firm)
    assert reasons(firm) == expected
    asked = {"plenty", "before-the-billing-day", "fee-due", "fee-stage", "closed"}
    ids = {firm.ids["matters"][key] for key in asked}
    assert {task["matter_id"] for task in firm.effects("task.created")} == ids
    assert len(firm.effects("task.created")) == len(asked)
    # What data holds back is a person's; what the calendar holds back is nobody's.
    assert (
        firm.exceptions()
        == {
            "zero_amount": 1,
            "values_redacted": 2,
            "client_email_blank": 1,
            "client_email_invalid": 1,
            "client_redacted": 1,
            "webhook_unconfirmed": firm.exceptions().get("webhook_unconfirmed", 0),
        }
        or "webhook_unconfirmed" not in firm.exceptions()
    )
    firm.check()


def test_the_task_names_the_amount_and_carries_a_key_that_a_search_finds(firm):
    plan(firm)
    [task] = firm.effects("task.created")
    with firm.rt.read() as work:
        [request] = work.billing.asked_of([firm.matter()])
    assert task["name"].startswith("Generate the bill for 00001-Ferris: 600.00 USD [OB-")
    assert task["assignee_id"] == firm.ids["users"]["ada"]
    assert request["task_id"] == task["id"]
    assert (request["kind"], request["amount_cents"], request["state"]) == ("hourly", 60_000, "asked")


@pytest.mark.slow
def test_no_second_bill_is_asked_for_while_the_first_has_not_appeared(firm):
    plan(firm)
    firm.log_time(dollars=5000)
    for _ in range(3):
        firm.later(days=1)
    assert len(firm.effects("task.created")) == 1
    assert reasons(firm) == {"ferris": "request_open"}
    firm.check()


def test_work_below_the_threshold_gathers_until_it_is_reached(opened, tiny):
    firm = opened(with_matters(tiny, matter("ferris", entries=SMALL)))
    plan(firm)
    assert reasons(firm) == {"ferris": "below_threshold"}
    firm.log_time(dollars=399.99)
    plan(firm)
    assert firm.effects("task.created") == []
    firm.log_time(dollars=0.01)
    plan(firm)
    [task] = firm.effects("task.created")
    assert "500.00 USD" in task["name"]


def test_the_calendar_day_asks_for_what_the_threshold_never_did(opened, tiny):
    firm = opened(with_matters(tiny, matter("ferris", entries=SMALL)))
    plan(firm)
    firm.later(days=25)
    assert reasons(firm) == {"ferris": "below_threshold"}
    firm.later(days=1)
    assert reasons(firm) == {"ferris": "calendar"}
    assert len(firm.effects("task.created")) == 1
    firm.check()


def test_a_flat_fee_is_asked_for_on_its_date_and_not_before(opened, tiny):
    case = matter("deed", entries=FEE, billing_method="flat", custom={"Billing Date": "2026-03-05"})
    firm = opened(with_matters(tiny, case))
    plan(firm)
    firm.later(days=2)
    assert firm.effects("task.created") == []
    firm.later(days=1)
    [task] = firm.effects("task.created")
    assert "900.00 USD" in task["name"]
    assert reasons(firm) == {"deed": "flat_fee_date"}


def test_a_flat_fee_is_asked_for_when_its_matter_reaches_the_stage(opened, tiny):
    firm = opened(
        with_matters(tiny, matter("deed", entries=FEE, billing_method="flat")),
        billing={"flat_fee_stages": ("Closing",)},
    )
    plan(firm)
    firm.sandbox.act("set_stage", matter_id=firm.ids["matters"]["deed"], stage="Closing")
    firm.later(minutes=15)
    assert len(firm.effects("task.created")) == 1
    assert reasons(firm) == {"deed": "flat_fee_stage"}


def test_a_matter_that_closes_gets_its_final_bill_whatever_it_comes_to(opened, tiny):
    firm = opened(with_matters(tiny, matter("ferris", entries=SMALL)))
    plan(firm)
    firm.sandbox.act("close_matter", id=firm.matter())
    firm.later(minutes=15)
    [task] = firm.effects("task.created")
    assert "100.00 USD" in task["name"]
    with firm.rt.read() as work:
        [request] = work.billing.asked_of([firm.matter()])
    assert request["kind"] == "final"
    firm.check()


@pytest.mark.parametrize("mend", ["email", "price"])
def test_corrected_data_closes_its_exception_and_lets_the_bill_be_asked_for(opened, tiny, mend):
    if mend == "email":
        tiny["contacts"][0]["email"] = ""
    else:
        tiny["matters"][0]["entries"][0]["price"] = 0
    firm = opened(tiny)
    plan(firm)
    kind = {"email": "client_email_blank", "price": "zero_amount"}[mend]
    assert firm.exceptions() == {kind: 1}
    if mend == "email":
        firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="bo@clients.test")
    else:
        firm.log_time(dollars=600)
    plan(firm)
    assert len(firm.effects("task.created")) == 1
    assert firm.exceptions() == {}
    firm.check()


def test_F41_a_client_whom_we_may_see_by_now_is_billed_without_any_change_in_clio(opened, tiny):
    firm = opened(tiny)
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], redacted=True)
    plan(firm)
    assert firm.exceptions() == {"client_redacted": 1}
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], redacted=False)
    firm.later(hours=1)
    assert len(firm.effects("task.created")) == 1
    assert firm.exceptions() == {}


def test_a_matter_whose_work_is_gone_asks_for_nobody_any_more(opened, tiny):
    tiny["contacts"][0]["email"] = ""
    firm = opened(tiny)
    plan(firm)
    assert firm.exceptions() == {"client_email_blank": 1}
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    plan(firm)
    assert reasons(firm) == {"ferris": "no_approved_time"}
    assert firm.exceptions() == {}


def test_an_open_draft_is_adopted_instead_of_asking_for_a_second_bill(firm):
    """The article's double-billing question."""
    draft = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.log_time(dollars=900)
    plan(firm)
    assert firm.effects("task.created") == []
    assert reasons(firm) == {"ferris": "draft_open"}
    firm.later(hours=1)
    assert reasons(firm) == {"ferris": "draft_open"}, "the reason is the same an hour later"
    assert firm.exceptions() == {"duplicate_bill_request": 1}
    with firm.rt.read() as work:
        attempts = [row["action"] for row in work.audit.about("bill", draft["id"])]
        assert work.mirror.bill_rows([draft["id"]])[draft["id"]]["request_id"] is not None
    assert attempts.count("request.duplicate") >= 1
    firm.check()


@pytest.mark.slow
def test_after_an_adopted_draft_was_issued_the_newer_work_gets_its_own_bill(firm):
    draft = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.log_time(dollars=900)
    plan(firm)
    firm.sandbox.act("approve_bill", id=draft["id"])
    plan(firm)
    firm.later(days=1)
    [task] = firm.effects("task.created")
    assert "900.00 USD" in task["name"]
    firm.check()


def test_a_draft_that_was_thrown_away_does_not_hold_a_bill_back(firm):
    draft = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    plan(firm)
    firm.sandbox.act("delete_bill", id=draft["id"])
    plan(firm)
    assert len(firm.effects("task.created")) <= 1
    firm.later(days=1)
    assert len(firm.effects("task.created")) == 1
    firm.check()


def test_two_decisions_at_the_same_time_ask_for_one_bill(firm):
    firm.later(minutes=16)
    with firm.rt.uow() as work:
        for twin in range(5):
            work.jobs.add("billing.plan", "twin", twin)
    firm.work()
    assert len(firm.effects("task.created")) == 1
    firm.check()


@pytest.mark.slow
def test_the_office_s_date_counts_not_utc_s(opened, tiny):
    """At 01:30 UTC on the 28th it is still the 27th in New York."""
    firm = opened(with_matters(tiny, matter("ferris", entries=SMALL)), billing={"calendar_day": 3})
    firm.later(minutes=16)
    firm.later(hours=10)  # 3 March, 01:16 UTC
    assert reasons(firm) == {"ferris": "below_threshold"}
    firm.later(hours=4)  # 3 March, 00:16 in New York
    assert reasons(firm) == {"ferris": "calendar"}
