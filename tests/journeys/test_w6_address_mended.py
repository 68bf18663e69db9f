"""F71, F76: a bill's message reached nobody, and then the client's address is mended at Clio: it goes there, once."""

from datetime import date

import pytest

from orchestrator.domain.bounces import Bounced, Report
from orchestrator.domain.kinds import Kind
from orchestrator.storage.bounces import key_of
from orchestrator.usecases.note_bounce import note_bounce, release_address, show_bounces
from orchestrator.usecases.preview_reminders import preview_reminders
from orchestrator.usecases.show_bills import show_bill
from tests.databases import either_url
from tests.firm import open_firm

__all__ = ["either_url"]

OLD, NEW, NEWER = "bo@clients.test", "bo@new.test", "bo@newer.test"


def comes_back(firm, mail=None, how=Bounced.HARD):
    mail = mail or firm.mails()[-1]
    with firm.rt.uow() as work:
        assert note_bounce(work, Report(key_of(mail["message_id"]), how, "5.1.1"), source="imap")


def moves(firm, email=NEW, *, minutes=16):
    """Clio holds another address; no webhook tells us, the next sweep finds out."""
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email=email)
    firm.later(minutes=minutes)
    firm.later(minutes=2)


def hears_of_bo(firm):
    """What the contact's webhook does."""
    with firm.rt.uow() as work:
        work.dirty.mark(Kind.CONTACT, [firm.ids["contacts"]["bo"]])
    firm.later(minutes=2)


def sent_to(firm):
    return [mail["to"][0] for mail in firm.mails()]


def messages(firm, bill):
    return [(row["step"].partition("-")[0], row["state"]) for row in show_bill(firm.rt, bill["id"])["messages"]]


def test_F76_a_bill_that_came_back_goes_to_the_mended_address(firm):
    bill = firm.mailed_bill()
    comes_back(firm)
    assert firm.exceptions() == {"address_bounced": 1}
    moves(firm)
    assert sent_to(firm) == [OLD, NEW]
    first, second = firm.mails()
    assert first["message_id"] != second["message_id"]
    assert (first["subject"], first["text"]) == (second["subject"], second["text"])
    assert messages(firm, bill) == [("invoice", "bounced"), ("again", "sent")]
    assert firm.exceptions() == {}
    assert "message.readdressed" in {line["action"] for line in show_bill(firm.rt, bill["id"])["audit"]}
    firm.later(hours=3)
    assert len(firm.mails()) == 2
    firm.check()


def test_F76_it_is_so_on_either_database(sandbox, either_url):
    with open_firm(sandbox, either_url) as firm:
        firm.work()
        bill = firm.mailed_bill()
        comes_back(firm)
        moves(firm)
        comes_back(firm)
        moves(firm, OLD)
        moves(firm, NEWER)
        assert sent_to(firm) == [OLD, NEW, NEWER]
        assert messages(firm, bill)[-1] == ("again", "sent")
        firm.check()


def test_F76_one_message_about_several_bills_follows_the_client_as_one(opened):
    firm = opened(links={"several": "contact"})
    bills = [firm.issued_bill(dollars=dollars) for dollars in (600, 700)]
    firm.later(minutes=16)
    firm.later(minutes=2)
    before = firm.mails()
    assert len(before) == 1
    comes_back(firm)
    moves(firm)
    assert sent_to(firm) == [OLD, NEW]
    assert firm.mails()[1]["headers"]["X-Orchestrator-Bill"] == ",".join(str(bill["id"]) for bill in bills)
    assert firm.exceptions() == {}
    firm.check()


def test_F71_of_two_clients_at_one_address_the_other_is_still_told_of(firm):
    other = firm.sandbox.act("create_contact", name="Cy Ferris", email=OLD)["id"]
    matter = firm.sandbox.act("create_matter", client_id=other, attorney="ada", display_number="00002-Cy")["id"]
    firm.mailed_bill()
    firm.later(minutes=16)
    theirs = firm.mailed_bill(matter_id=matter)
    comes_back(firm)
    assert sent_to(firm) == [OLD, OLD]
    moves(firm)
    hears_of_bo(firm)
    assert sent_to(firm) == [OLD, OLD], "Bo's own message is not known to have come back"
    assert firm.exceptions() == {"address_bounced": 1}
    firm.sandbox.act("edit_contact", id=other, email=NEWER)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert sent_to(firm) == [OLD, OLD, NEWER]
    assert messages(firm, theirs)[-1] == ("again", "sent")
    assert firm.exceptions() == {}


def test_F76_two_letters_that_come_back_in_a_row_are_followed_to_a_third_address(firm):
    bill = firm.mailed_bill()
    comes_back(firm)
    moves(firm)
    comes_back(firm)
    moves(firm, NEWER)
    assert sent_to(firm) == [OLD, NEW, NEWER]
    assert messages(firm, bill)[1:] == [("again", "bounced"), ("again", "sent")]
    assert firm.exceptions() == {}
    firm.check()


def test_F76_an_address_that_was_changed_back_gets_nothing_twice(firm):
    firm.mailed_bill()
    comes_back(firm)
    moves(firm)
    comes_back(firm)
    moves(firm, OLD)
    for bounce in show_bounces(firm.rt):
        release_address(firm.rt, bounce["id"], by="nora", dry_run=False)
    firm.later(minutes=20)
    moves(firm, NEW)
    assert sent_to(firm) == [OLD, NEW]
    firm.check()


def test_F76_another_amount_goes_back_to_an_address_that_only_knows_the_first(firm):
    bill = firm.mailed_bill()
    moves(firm)
    firm.sandbox.act("credit_bill", id=bill["id"], amount=100)
    firm.later(minutes=16)
    firm.later(minutes=16)
    assert sent_to(firm) == [OLD, NEW]
    comes_back(firm)
    moves(firm, OLD)
    assert sent_to(firm) == [OLD, NEW, OLD]
    assert messages(firm, bill) == [("invoice", "sent"), ("revised", "bounced"), ("again", "sent")]
    firm.check()


def test_F76_a_message_on_its_way_to_an_address_that_changes_again_goes_to_the_last_one_only(opened):
    firm = opened(mail={"batch_seconds": 3600})
    firm.issued_bill()
    firm.later(minutes=80)
    firm.later(minutes=60)
    comes_back(firm)
    firm.later(minutes=65)
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email=NEW)
    firm.later(minutes=16)
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email=NEWER)
    firm.later(hours=1)
    firm.later(hours=1)
    firm.later(hours=1)
    assert sent_to(firm) == [OLD, NEWER]
    firm.check()


def test_F75_F71_what_a_relay_may_have_taken_is_not_handed_over_again_for_another_address(opened):
    firm = opened(mail={"relay_knows_keys": True, "key_header": "X-Relay-Key"})
    firm.sandbox.fault("smtp", "drop_after_data", times=1)
    firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=1)
    assert sent_to(firm) == [OLD]
    moves(firm)
    assert sent_to(firm) == [OLD]
    assert firm.exceptions() == {"mail_outcome_unknown": 1}
    comes_back(firm)  # now it is known: it did leave, and reached nobody
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert sent_to(firm) == [OLD, NEW]
    assert firm.exceptions() == {}
    firm.check()


def test_F76_a_soft_bounce_may_still_deliver_so_a_new_address_gets_nothing(firm):
    firm.mailed_bill()
    comes_back(firm, how=Bounced.SOFT)
    moves(firm)
    assert sent_to(firm) == [OLD]


def test_F76_soft_bounces_in_a_row_count_as_one_for_good_and_all_of_them_follow_the_client(firm):
    bills = []
    for dollars in (600, 700, 800):
        bills.append(firm.mailed_bill(dollars=dollars))
        assert firm.exceptions() == {}
        comes_back(firm, how=Bounced.SOFT)
        firm.later(days=2)
    assert firm.exceptions() == {"address_failing": 1}
    assert [bounce["state"] for bounce in show_bounces(firm.rt)] == ["failing"]
    moves(firm)
    assert sent_to(firm) == [OLD] * 3 + [NEW] * 3
    assert firm.exceptions() == {}
    firm.check()


def test_F76_what_its_reader_calls_spam_did_arrive(firm):
    bill = firm.mailed_bill()
    comes_back(firm, how=Bounced.SPAM)
    assert (messages(firm, bill), firm.exceptions()) == ([("invoice", "sent")], {"address_bounced": 1})
    moves(firm)
    hears_of_bo(firm)
    assert sent_to(firm) == [OLD]
    assert firm.exceptions() == {}


def test_F76_F62_a_bill_that_was_paid_meanwhile_goes_nowhere(firm):
    bill = firm.mailed_bill()
    comes_back(firm)
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    moves(firm)
    assert sent_to(firm) == [OLD]
    firm.check()


def test_F77_a_bill_whose_address_the_relay_refused_goes_to_the_mended_one(firm):
    firm.sandbox.fault("smtp", "reply", code=550, times=1)
    bill = firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert (firm.mails(), set(firm.exceptions())) == ([], {"mail_address_refused"})
    moves(firm)
    assert sent_to(firm) == [NEW]
    assert messages(firm, bill) == [("invoice", "withheld"), ("again", "sent")]
    assert firm.exceptions() == {}
    firm.check()


@pytest.mark.parametrize("blank", ["", "***"])
def test_F41_a_bill_that_never_had_an_address_goes_to_the_first_one_without_a_webhook(firm, blank):
    moves(firm, blank)
    bill = firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert len(firm.exceptions()) == 1
    moves(firm)
    firm.later(minutes=2)
    assert sent_to(firm) == [NEW]
    assert messages(firm, bill) == [("invoice", "sent")]
    assert firm.exceptions() == {}


def test_F76_several_bills_of_one_client_follow_each_by_its_own_message(firm):
    bills = [firm.mailed_bill(dollars=dollars) for dollars in (600, 700, 800)]
    comes_back(firm, firm.mails()[0])
    moves(firm)
    assert sent_to(firm) == [OLD, OLD, OLD, NEW]  # two of the three are not known to have come back
    for mail in firm.mails()[1:3]:
        comes_back(firm, mail)
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert sent_to(firm) == [OLD] * 3 + [NEW] * 3
    assert {messages(firm, bill)[-1] for bill in bills} == {("again", "sent")}
    firm.check()


def test_F72_with_a_daily_measure_they_follow_one_a_day(opened):
    firm = opened(mail={"client_daily_limit": 1})
    for dollars in (600, 700):
        firm.mailed_bill(dollars=dollars)
        firm.later(days=1)
    for mail in firm.mails():
        comes_back(firm, mail)
    moves(firm)
    assert sent_to(firm) == [OLD, OLD, NEW]
    firm.later(days=1, minutes=5)
    assert sent_to(firm) == [OLD, OLD, NEW, NEW]
    firm.check()


def test_F76_a_link_that_ran_out_in_nobody_s_hands_is_made_anew(firm):
    firm.mailed_bill()
    comes_back(firm)
    firm.later(days=95)
    moves(firm)
    firm.later(minutes=20)
    assert sent_to(firm)[-1] == NEW
    assert len(firm.links()) == 2
    firm.check()


# ── reminders ──


def steps(firm, bill):
    with firm.rt.read() as work:
        known = work.reminders.of_bills([bill["id"]]).get(bill["id"], {})
    return {step: (row["state"], row["reason"]) for step, row in known.items()}


def test_F76_reminders_of_a_bill_that_was_not_delivered_count_from_the_day_on_which_it_was(firm):
    bill = firm.mailed_bill(due_at="2026-03-12")
    comes_back(firm)
    firm.later(days=22)  # Tuesday, March 24: twelve days after it was due
    assert steps(firm, bill) == {"overdue-7": ("silent", "address_bounced")}
    firm.later(days=13)  # Monday, April 6
    assert steps(firm, bill)["overdue-7"] == ("silent", "never_delivered"), "it is not overtaken, it comes later"
    moves(firm)
    assert firm.exceptions() == {}
    firm.later(days=1)
    assert set(steps(firm, bill).values()) == {("silent", "delivered_late")}
    told = preview_reminders(firm.rt, date(2026, 4, 8))["silent"]
    assert {one["step"]: str(one["reasons"][0]["until"]) for one in told} == {
        "overdue-7": "2026-04-12",
        "overdue-21": "2026-04-26",
    }
    for _ in range(26):
        firm.later(days=1)
    chased = [(mail["at"][:10], mail["headers"]["X-Orchestrator-Step"]) for mail in firm.mails()][2:]
    assert chased == [("2026-04-13", "overdue-7"), ("2026-04-27", "overdue-21")]
    firm.check()
