"""The article's table of failure modes, one test each, and its question about billing twice."""


def decided(firm):
    with firm.rt.read() as work:
        return {row["reason"] for row in work.billing.decisions()}


def test_failure_mode_1_no_invoice_of_nothing_because_time_was_not_approved_first(opened, tiny):
    tiny["matters"][0]["entries"] = [{"hours": 3, "price": 0}]
    firm = opened(tiny, approval={"signal": "task_completed"})
    firm.log_time(dollars=900)
    firm.later(minutes=16)
    firm.later(hours=2)
    # The work waits for its approval; nothing is asked for, least of all a bill of $0.
    assert [task["name"].split()[0] for task in firm.effects("task.created")] == ["Approve"]
    firm.sandbox.act("complete_task", id=firm.effects("task.created")[0]["id"])
    firm.later(minutes=15)
    firm.later(hours=1)
    assert "Generate the bill for 00001-Ferris: 900.00 USD" in firm.effects("task.created")[1]["name"]
    firm.check()


def test_failure_mode_2_a_client_without_an_address_is_found_before_anything_is_sent(opened, tiny):
    tiny["contacts"][0]["email"] = ""
    firm = opened(tiny)
    bill = firm.issued_bill()
    firm.later(minutes=15)
    assert firm.exceptions() == {"client_email_blank": 1}
    assert (firm.links(), firm.mails()) == ([], [])
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="bo@clients.test")
    firm.sandbox.act("set_due", id=bill["id"], due_at="2026-05-01")
    firm.later(minutes=15)
    firm.later(minutes=2)
    assert len(firm.mails()) == 1
    assert firm.exceptions() == {}
    firm.check()


def test_failure_mode_3_money_that_cannot_be_tied_to_its_matter_is_booked_and_asked_about(firm):
    """On this rail the ids come from Clio; a payment that names no bill is the mismatch that is left."""
    firm.mailed_bill()
    payment = firm.sandbox.act(
        "pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0, final_state="completed_requiring_allocation"
    )
    firm.later(minutes=15)
    firm.later(minutes=2)
    assert firm.exceptions() == {"payment_unallocated": 1}
    with firm.rt.read() as work:
        assert work.journal.held() == 60_000
        assert work.journal.events_of(payment["id"]) > 0
    firm.check()


def test_failure_mode_4_a_closed_matter_gets_its_final_invoice_once_and_no_word_after(firm):
    firm.sandbox.act("close_matter", id=firm.matter())
    bill = firm.mailed_bill()
    for _ in range(3):
        firm.later(days=15)
    assert len(firm.mails()) == 1
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    firm.later(days=1)
    assert len(firm.mails()) == 1
    firm.check()


def test_failure_mode_5_partial_saves_lead_to_one_request_for_the_finished_time(opened, tiny):
    tiny["matters"][0]["entries"] = []
    firm = opened(tiny)
    entry = firm.log_time(dollars=600)
    for saves in range(1, 7):
        firm.later(minutes=7)
        firm.sandbox.act("edit_time", id=entry["id"], quantity_seconds=3600 + 600 * saves)
    firm.later(minutes=31)
    firm.later(hours=3)
    [task] = firm.effects("task.created")
    assert "1,200.00 USD" in task["name"]
    assert len(firm.jobs("task.create")) == 1
    firm.check()


def test_the_double_billing_question_a_trigger_that_fires_twice_is_logged_and_told_not_billed(firm):
    firm.later(minutes=16)
    draft = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.log_time(dollars=800)
    firm.later(minutes=31)
    for firing in range(3):
        with firm.rt.uow() as work:
            work.jobs.add("billing.plan", "again", firing)
        firm.work()
    assert firm.effects("task.created") == []
    assert firm.exceptions() == {"duplicate_bill_request": 1}
    with firm.rt.read() as work:
        assert "request.duplicate" in {row["action"] for row in work.audit.about("bill", draft["id"])}
    assert decided(firm) <= {"draft_open", "period_asked"}
    firm.check()
