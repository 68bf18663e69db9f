"""With webhooks that arrive, what a person does is known before anything is decided about it."""


def approved(door):
    with door.firm.rt.read() as work:
        return {row["id"]: row["total_cents"] for row in work.approvals.listed() if row["approved_by"]}


def test_partial_saves_keep_postponing_the_approval(door):
    entry = door.firm.log_time(dollars=600)
    for minutes in range(1, 5):
        door.firm.later(minutes=10)
        door.hear()
        assert entry["id"] not in approved(door)
        door.firm.sandbox.act("edit_time", id=entry["id"], quantity_seconds=3600 + 900 * minutes)
        door.hear()
    door.firm.later(minutes=15)
    assert approved(door)[entry["id"]] == 120_000
    door.firm.check()


def test_a_deleted_entry_loses_its_approval_at_once(door):
    entry = door.firm.log_time()
    door.firm.later(minutes=16)
    assert entry["id"] in approved(door)
    door.firm.sandbox.act("delete_time", id=entry["id"])
    door.hear()
    assert entry["id"] not in approved(door)
    door.firm.check()


def test_a_corrected_address_brings_the_message_without_waiting_for_a_sweep(door):
    door.firm.sandbox.act("edit_contact", id=door.firm.ids["contacts"]["bo"], email="")
    bill = door.firm.issued_bill()
    door.hear()
    assert door.firm.exceptions() == {"client_email_blank": 1}
    door.firm.sandbox.act("edit_contact", id=door.firm.ids["contacts"]["bo"], email="bo@elsewhere.test")
    door.hear()
    door.firm.later(minutes=1)
    assert door.firm.exceptions() == {}
    [mail] = door.firm.mails()
    assert mail["to"] == ["bo@elsewhere.test"]
    assert mail["headers"]["X-Orchestrator-Bill"] == str(bill["id"])
    door.firm.check()


def test_a_completed_task_approves_its_matter_s_time_at_once(sandbox, database_url, opening):
    with opening(sandbox, database_url, approval={"signal": "task_completed"}) as door:
        door.settle()
        door.firm.later(minutes=16)
        [task] = door.firm.effects("task.created")
        sandbox.act("complete_task", id=task["id"])
        door.hear()
        assert approved(door)
        door.firm.check()
