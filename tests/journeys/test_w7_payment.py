"""W7: money that came in is carried back to bill, link, books, note and field; money that goes back reverses each of them."""

import pytest


def seen(firm):
    firm.later(minutes=15)
    firm.later(minutes=2)


def books(firm, payment):
    """What stands on each account for this payment."""
    with firm.rt.read() as work:
        totals: dict[str, int] = {}
        for row in work.journal.entries_of(payment["id"]):
            account = row["account"].partition(":")[0]
            totals[account] = totals.get(account, 0) + row["amount_cents"]
    return totals


def notes(firm, word):
    return [note for note in firm.effects("note.created") if word in note["subject"]]


def field(firm):
    """The last value that was written to the matter's own field."""
    bodies = [
        one["body"] for one in firm.sandbox.requests() if (one["method"], one["path"]) == ("PATCH", "/matters/{id}")
    ]
    return [body.split('"value":"')[1].split('"')[0] for body in bodies]


def link_states(firm, bill):
    with firm.rt.read() as work:
        return [row["state"] for row in work.links.of_bill(bill["id"])]


def bill_state(firm, bill):
    with firm.rt.read() as work:
        return work.mirror.bills([bill["id"]])[bill["id"]].state


def paid(firm, **facts):
    """A bill whose link was paid, and the worker has seen it."""
    bill = firm.mailed_bill()
    payment = firm.sandbox.act("pay_link", link_id=firm.links()[-1]["id"], settle_after_seconds=0, **facts)
    seen(firm)
    return bill, payment


def test_a_settled_payment_closes_the_link_and_reaches_books_note_and_field(firm):
    bill, payment = paid(firm)
    assert bill_state(firm, bill) == "paid"
    assert link_states(firm, bill) == ["used"]
    assert books(firm, payment) == {"bank": 60_000, "receivable": -60_000}
    [note] = notes(firm, "Payment received")
    assert note["matter_id"] == firm.matter()
    assert str(payment["id"]) in note["detail"]
    assert field(firm) == ["true"]
    firm.check()
    assert firm.sandbox.oracle()["missing"] == []


def test_a_payment_on_its_way_is_not_counted_as_paid(firm):
    bill = firm.mailed_bill()
    payment = firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], method="echeck")
    seen(firm)
    assert link_states(firm, bill) == ["used"]
    assert books(firm, payment) == {}
    assert notes(firm, "Payment") == []
    firm.later(days=5)
    seen(firm)
    assert books(firm, payment) == {"bank": 60_000, "receivable": -60_000}
    assert bill_state(firm, bill) == "paid"
    firm.check()


@pytest.mark.slow
def test_nothing_is_said_twice_however_often_a_payment_is_looked_at(firm):
    _, payment = paid(firm)
    for _ in range(4):
        firm.later(hours=6)
    assert len(notes(firm, "Payment received")) == 1
    assert field(firm) == ["true"]
    assert books(firm, payment) == {"bank": 60_000, "receivable": -60_000}
    assert len(firm.mails()) == 1
    firm.check()


@pytest.mark.parametrize("state", ["failed", "voided", "canceled"])
def test_a_payment_that_falls_through_leads_to_one_fresh_link_and_a_message_that_speaks_of_no_other_amount(firm, state):
    bill, payment = paid(firm, final_state=state)
    firm.later(minutes=2)
    assert books(firm, payment) == {}
    assert link_states(firm, bill) == ["used", "live"]
    assert len(firm.mails()) == 2
    assert firm.links()[1]["url"] in firm.mails()[1]["text"]
    assert "New payment link" in firm.mails()[1]["subject"]
    assert "Nothing else has changed" in firm.mails()[1]["text"]
    firm.later(days=1)
    assert len(firm.mails()) == 2
    firm.check()


@pytest.mark.slow
@pytest.mark.parametrize("state", ["voided", "failed", "canceled"])
def test_a_completed_payment_that_is_undone_later_is_reversed_everywhere(firm, state):
    """At Clio a void after completion voids the allocations as well."""
    bill, payment = paid(firm)
    firm.sandbox.act("return_payment", id=payment["id"])
    firm.sandbox.act("set_payment_state", id=payment["id"], state=state)
    seen(firm)
    assert books(firm, payment) == {"bank": 0, "receivable": 0}
    assert len(notes(firm, "Payment reversed")) == 1
    assert field(firm) == ["true", "false"]
    assert bill_state(firm, bill) == "awaiting_payment"
    firm.check()


@pytest.mark.parametrize(("why", "after_days"), [("refund", 1), ("chargeback", 119), ("return", 3)])
def test_F66_money_that_goes_back_reverses_books_note_and_field_and_waits_for_a_person(firm, why, after_days):
    bill, payment = paid(firm, method="echeck" if why == "return" else "card")
    firm.later(days=after_days)
    firm.sandbox.act(f"{why}_payment", id=payment["id"])
    seen(firm)
    assert books(firm, payment) == {"bank": 0, "receivable": 0}
    [note] = notes(firm, "Payment reversed")
    assert "600.00 USD" in note["detail"]
    assert field(firm) == ["true", "false"]
    assert bill_state(firm, bill) == "awaiting_payment"
    assert firm.exceptions()["payment_reversed"] == 1
    # Nobody is asked again before a person has decided (T28).
    firm.later(days=1)
    assert len(firm.mails()) == 1
    assert link_states(firm, bill) == ["used"]
    firm.check()


def test_F66_a_refund_that_a_cheque_made_good_before_we_looked_is_booked_all_the_same(firm):
    """The bill's paid figure is what it was; only the payment itself can tell."""
    bill, payment = paid(firm)
    firm.sandbox.act("refund_payment", id=payment["id"])
    firm.sandbox.act("record_payment", id=bill["id"], amount=600)
    seen(firm)
    assert bill_state(firm, bill) == "paid"
    assert books(firm, payment) == {"bank": 0, "receivable": 0}
    assert len(notes(firm, "Payment reversed")) == 1
    firm.check()


def test_after_a_person_decided_about_a_reversal_a_new_link_may_go_out(firm):
    bill, payment = paid(firm)
    firm.sandbox.act("refund_payment", id=payment["id"])
    seen(firm)
    with firm.rt.uow() as work:
        [reversal] = work.exceptions.listed(kind="payment_reversed")
        assert work.exceptions.resolve(reversal["id"])
    firm.sandbox.act("set_due", id=bill["id"], due_at="2026-05-01")
    seen(firm)
    firm.later(minutes=2)
    assert link_states(firm, bill)[0] == "used"
    assert len(firm.links()) <= 2
    firm.check()


def test_F66_a_partial_refund_reverses_just_that_much(firm):
    bill, payment = paid(firm)
    firm.sandbox.act("refund_payment", id=payment["id"], amount="100.01")
    seen(firm)
    assert books(firm, payment) == {"bank": 49_999, "receivable": -49_999}
    [note] = notes(firm, "Payment reversed")
    assert "100.01 USD" in note["detail"]
    assert bill_state(firm, bill) == "awaiting_payment"
    firm.check()


@pytest.mark.slow
def test_two_partial_refunds_are_two_reversals(firm):
    _, payment = paid(firm)
    for amount in ("100.00", "50.00"):
        firm.sandbox.act("refund_payment", id=payment["id"], amount=amount)
        seen(firm)
    assert books(firm, payment)["bank"] == 45_000
    assert books(firm, payment)["receivable"] == -45_000
    assert sorted(note["detail"].split()[0] for note in notes(firm, "Payment reversed")) == ["100.00", "50.00"]
    firm.check()


def test_a_payment_that_belongs_to_no_bill_is_kept_visible_until_a_person_ties_it(firm):
    firm.mailed_bill()
    payment = firm.sandbox.act(
        "pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0, final_state="completed_requiring_allocation"
    )
    seen(firm)
    assert books(firm, payment)["bank"] == 60_000
    assert sum(books(firm, payment).values()) == 0
    assert firm.exceptions()["payment_unallocated"] == 1
    firm.sandbox.act("set_payment_state", id=payment["id"], state="completed")
    seen(firm)
    assert "payment_unallocated" not in firm.exceptions()
    firm.check()


def test_the_field_stays_false_while_the_matter_owes_another_bill(firm):
    firm.mailed_bill(dollars=600)
    firm.mailed_bill(dollars=700)
    firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0)
    seen(firm)
    assert "true" not in field(firm)
    firm.sandbox.act("pay_link", link_id=firm.links()[1]["id"], settle_after_seconds=0)
    seen(firm)
    assert field(firm)[-1] == "true"
    firm.check()


def test_a_missing_custom_field_is_a_person_s_and_holds_nothing_else_up(opened, tiny):
    tiny["custom_fields"] = []
    tiny["matters"][0].pop("custom", None)
    firm = opened(tiny)
    _, payment = paid(firm)
    assert firm.exceptions() == {"custom_field_missing": 1}
    assert books(firm, payment) == {"bank": 60_000, "receivable": -60_000}
    firm.check()


def test_a_cheque_that_a_person_takes_off_again_opens_the_bill_to_a_fresh_link(firm):
    bill = firm.mailed_bill()
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    seen(firm)
    assert field(firm) == ["true"]
    firm.sandbox.act("delete_payment", bill_id=bill["id"])
    seen(firm)
    assert field(firm) == ["true", "false"]
    firm.check()


def test_notes_that_the_firm_does_not_want_are_not_written(opened):
    firm = opened(notes={"events": ("payment_reversed",), "paid_field": None})
    _, payment = paid(firm)
    assert firm.effects("note.created") == []
    assert field(firm) == []
    firm.sandbox.act("refund_payment", id=payment["id"])
    seen(firm)
    assert len(notes(firm, "Payment reversed")) == 1
