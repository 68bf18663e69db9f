"""W5, W12: what happens to a bill in the very moment in which its link is made, mailed or replaced."""


def rows(firm, bill):
    with firm.rt.read() as work:
        return [(row["state"], row["reason"]) for row in work.links.of_bill(bill["id"])]


def live(firm):
    return [link.bill_id for link in firm.rt.practice(1).active_links()]


def only(firm, *topics):
    firm.tick()
    while todo := [job for job in firm.jobs(None, "ready") if job["topic"] in topics]:
        if not sum(firm.work_only(job["id"]) for job in todo):
            break


def test_a_bill_that_is_voided_while_nobody_knows_whether_its_link_was_made_leaves_none_and_no_mail(firm):
    bill = firm.issued_bill()
    firm.sandbox.fault("POST /clio_payments/links", "lose_answer")
    firm.sandbox.clock_advance(16 * 60)
    only(firm, "sweep", "sync.bill", "link.create")
    assert [job["state"] for job in firm.jobs("link.create")] == ["sent"]
    firm.sandbox.act("void_bill", id=bill["id"])
    for _ in range(4):
        firm.later(minutes=16)
    assert live(firm) == []
    assert firm.mails() == []
    assert rows(firm, bill) == [("expired", "bill_gone")]
    assert firm.exceptions() == {}
    firm.check()


def test_a_balance_that_changes_while_the_mail_waits_for_its_minute_is_mailed_once_and_as_it_is(firm):
    bill = firm.issued_bill(dollars=600)
    firm.sandbox.clock_advance(16 * 60)
    only(firm, "sweep", "sync.bill", "link.create")
    assert len(firm.links()) == 1
    firm.sandbox.act("credit_bill", id=bill["id"], amount=100)
    for _ in range(3):
        firm.later(minutes=16)
    assert len(live(firm)) == 1
    [mail] = firm.mails()
    assert "$500.00" in mail["text"]
    assert firm.links()[-1]["url"] in mail["text"]
    firm.check()


def test_a_cheque_that_arrives_between_two_links_leaves_none(firm):
    bill = firm.mailed_bill(dollars=600)
    firm.sandbox.act("credit_bill", id=bill["id"], amount=100)
    firm.sandbox.clock_advance(16 * 60)
    only(firm, "sweep", "sync.bill", "link.expire")
    assert live(firm) == []
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    for _ in range(2):
        firm.later(minutes=16)
    assert live(firm) == []
    assert len(firm.links()) == len(firm.mails()) == 1
    firm.check()


def test_a_link_that_is_paid_in_the_moment_in_which_the_balance_changes_is_honoured(firm):
    bill = firm.mailed_bill(dollars=600)
    firm.sandbox.act("credit_bill", id=bill["id"], amount=100)
    firm.sandbox.clock_advance(16 * 60)
    only(firm, "sweep", "sync.bill")
    assert firm.jobs("link.expire", "ready")
    firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0)
    for _ in range(3):
        firm.later(minutes=16)
    assert [state for state, _ in rows(firm, bill)] == ["used"]
    assert len(firm.links()) == len(firm.mails()) == 1
    firm.check()


def test_what_one_link_held_of_the_quotas_comes_back_once_whatever_ends_it(firm):
    bill = firm.mailed_bill(dollars=600)
    firm.sandbox.act("void_bill", id=bill["id"])
    firm.later(minutes=16)
    with firm.rt.uow() as work:
        work.jobs.add("links.allot", "again")
        work.dirty.mark("link", [firm.links()[0]["id"]])
    firm.work()
    with firm.rt.read() as work:
        budget = work.links.budget()
    assert (budget.active, budget.created) == (0, 1)
    firm.later(days=1, minutes=1)
    with firm.rt.read() as work:
        assert work.links.budget().created == 0
    firm.check()
