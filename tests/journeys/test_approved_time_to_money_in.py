def test_approved_time_becomes_a_request_a_link_a_message_and_money(firm):
    firm.log_time(dollars=150)
    firm.later(minutes=15)
    firm.later(minutes=1)
    firm.later(hours=1)
    [task] = firm.effects("task.created")
    assert "750.00 USD" in task["name"]

    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.sandbox.act("approve_bill", id=bill["id"])
    firm.later(minutes=15)
    firm.later(minutes=1)
    [link] = firm.links()
    [mail] = firm.mails()
    assert link["url"] in mail["text"]
    assert link["url"] in mail["html"]
    assert len(firm.effects("communication.created")) == 1

    firm.sandbox.act("pay_link", link_id=link["id"], method="card", settle_after_seconds=0)
    firm.later(minutes=15)
    firm.later(minutes=1)
    with firm.rt.read() as work:
        assert work.journal.held() == 75_000
        assert work.billing.counts()["paid"] == 1
    assert [effect["kind"] for effect in firm.effects("matter.patched")] == ["matter.patched"]
    firm.check()
