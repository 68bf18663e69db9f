"""W4: a bill answers the request whose entries it carries, and is followed and, where wanted, moved along."""

import pytest


def requested(firm):
    firm.later(minutes=16)
    firm.later(hours=1)
    assert len(firm.effects("task.created")) == 1


def request(firm):
    with firm.rt.read() as work:
        return work.connection.exec_driver_sql("SELECT state, bill_id FROM billing_requests").one()


def moves(firm):
    return [effect["state"] for effect in firm.effects("bill.patched")]


def test_a_bill_is_matched_to_its_request_through_the_entries_on_it(firm):
    requested(firm)
    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=15)
    assert tuple(request(firm)) == ("billed", bill["id"])
    firm.check()


def test_a_bill_of_other_entries_does_not_answer_the_request(firm):
    requested(firm)
    other = firm.log_time(dollars=50)
    firm.sandbox.act("generate_bill", entry_ids=[other["id"]], matter_id=firm.matter())
    firm.later(minutes=15)
    assert tuple(request(firm)) == ("asked", None)


def test_an_issued_bill_leaves_one_note_on_its_matter(firm):
    firm.mailed_bill()
    [note] = [note for note in firm.effects("note.created") if "issued" in note["subject"]]
    assert note["matter_id"] == firm.matter()
    assert "600.00 USD" in note["detail"]
    firm.later(hours=2)
    assert len([note for note in firm.effects("note.created") if "issued" in note["subject"]]) == 1
    firm.check()


def test_by_default_the_worker_moves_no_bill(firm):
    requested(firm)
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(hours=1)
    assert moves(firm) == []


def test_where_switched_on_a_matched_draft_is_submitted(opened):
    firm = opened(billing={"submit_drafts": True})
    requested(firm)
    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=15)
    assert moves(firm) == ["awaiting_approval"]
    firm.later(hours=1)
    assert moves(firm) == ["awaiting_approval"]
    assert firm.links() == []
    firm.sandbox.act("approve_bill", id=bill["id"])
    firm.later(minutes=16)
    assert len(firm.links()) == 1
    firm.check()


def test_where_switched_on_a_matched_draft_is_issued_and_its_link_follows(opened):
    firm = opened(billing={"issue_approved": True})
    requested(firm)
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=15)
    assert moves(firm) == ["awaiting_payment"]
    firm.later(minutes=15)
    firm.later(minutes=2)
    assert len(firm.links()) == 1
    assert len(firm.mails()) == 1
    firm.check()


def test_a_draft_with_unapproved_entries_is_left_to_people(opened):
    firm = opened(approval={"signal": "automatic"}, billing={"issue_approved": True, "submit_drafts": True})
    requested(firm)
    firm.log_time(dollars=75)  # slips onto the bill without an approval
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=15)
    assert request(firm).state == "billed"
    assert moves(firm) == []


def test_a_draft_nobody_asked_for_is_left_to_people(opened):
    firm = opened(billing={"issue_approved": True, "submit_drafts": True})
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=15)
    firm.later(minutes=15)
    assert moves(firm) == []


def test_what_clio_does_not_offer_is_not_asked_of_it(opened, tiny):
    tiny["account"] = {"api_may_approve": False}
    firm = opened(tiny, billing={"issue_approved": True})
    requested(firm)
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=15)
    assert moves(firm) == []
    firm.check()


def test_F39_a_bill_that_changed_under_the_move_is_read_and_judged_again(opened):
    firm = opened(billing={"issue_approved": True})
    requested(firm)
    firm.sandbox.fault("PATCH /bills/{id}", "stale_etag")
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=15)
    assert moves(firm) == ["awaiting_payment"]
    assert firm.sandbox.counts()["calls"]["PATCH /bills/{id}"] == 2
    firm.check()


def test_a_move_that_clio_refuses_becomes_a_person_s(opened):
    firm = opened(billing={"issue_approved": True})
    requested(firm)
    firm.sandbox.fault("PATCH /bills/{id}", "status", code=422, times=None)
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=15)
    assert firm.sandbox.counts()["calls"]["PATCH /bills/{id}"] == 1
    assert sum(firm.exceptions().values()) == 1
    firm.check()


@pytest.mark.parametrize("end", ["delete_bill", "void_bill"])
def test_a_bill_thrown_away_frees_its_work_for_another_request(firm, end):
    requested(firm)
    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    if end == "void_bill":
        firm.sandbox.act("approve_bill", id=bill["id"])
    firm.later(minutes=16)
    firm.sandbox.act(end, id=bill["id"])
    # A deleted draft is in no list of changes: the reading before the next request finds it gone.
    firm.later(days=1)
    firm.later(days=1)
    assert len(firm.effects("task.created")) == 2
    firm.check()


def test_an_entry_on_a_bill_needs_no_approval_any_more(firm):
    firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.later(minutes=16)
    with firm.rt.read() as work:
        assert work.approvals.listed() == []


def test_bills_from_before_the_first_look_are_asked_for_but_not_annotated(opened, tiny):
    tiny["matters"][0]["bills"] = [{"amount": 750, "issued_days_ago": 20}]
    firm = opened(tiny)
    firm.later(minutes=2)
    assert len(firm.links()) == 1
    assert firm.effects("note.created") == []
    firm.check()


def test_bills_issued_before_the_firm_s_start_are_left_alone(opened, tiny):
    tiny["matters"][0]["bills"] = [{"amount": 750, "issued_days_ago": 20}, {"amount": 80}]
    firm = opened(tiny, links={"issued_from": "2026-03-01"})
    firm.later(minutes=2)
    [link] = firm.links()
    assert link["amount"] == 80
    with firm.rt.read() as work:
        silences = {row["total_cents"]: row["silence"] for row in work.mirror.listed_bills()}
    assert silences == {75_000: "issued_before_start", 8_000: None}
    firm.check()
