"""F36, F38, F61, F70, F72, F77, F78: between deciding and doing, time passes and people change things."""

import re
import time

import pytest

from orchestrator.engine.run import run
from orchestrator.storage.jobs import JobState
from orchestrator.usecases.retry_job import retry_job
from workflows.book import BOOK


def look_now(firm, kind="bill"):
    with firm.rt.uow() as work:
        work.jobs.add("sweep", f"now:{work.now.isoformat()}:{kind}", kind=kind)
    firm.work()


def decided_on_friday(firm, **facts):
    """A live link whose message falls due within the minute, on a Friday afternoon; nobody works until told to."""
    firm.later(days=4)
    firm.later(seconds=20)
    bill = firm.issued_bill(**facts)
    look_now(firm)
    assert len(firm.links()) == 1
    assert firm.mails() == []
    return bill


# ── F36: the active quota is full of old links ──


def test_F36_a_full_account_first_lets_go_of_our_links_of_settled_bills_and_of_nobody_else_s(firm):
    ours = [firm.issued_bill(dollars=dollars) for dollars in (10, 20, 30)]
    other = firm.issued_bill(dollars=5, due_at="2026-04-01")
    firm.later(minutes=16)
    made = {link["bill_id"]: link["id"] for link in firm.links()}
    for _ in range(46):
        firm.sandbox.act("create_link_by_hand", bill_id=other["id"])
    firm.later(days=2)
    with firm.rt.read() as work:
        assert work.links.budget().room(work.now) == 0
    for dollars in (700, 900, 800):
        firm.issued_bill(dollars=dollars)
    firm.later(minutes=16)
    assert len(firm.links()) == 4, "no room: nothing is made"
    firm.sandbox.act("record_payment", bill_id=ours[0]["id"])
    firm.sandbox.act("void_bill", id=ours[1]["id"])
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert {effect["id"] for effect in firm.effects("link.expired")} == {made[ours[0]["id"]], made[ours[1]["id"]]}
    assert [link["amount"] for link in firm.links()[4:]] == [900, 800]
    assert firm.sandbox.oracle()["quota_breaches"] == 0


# ── F38: rows inserted or changed while a list is read ──


def test_F38_what_is_inserted_or_changed_between_two_pages_is_missed_by_nobody(firm, fresh_pages):
    before = firm.sandbox.act("bulk", bills=250, clients=5, amount="50.00")["bill_ids"]
    late = fresh_pages(firm, before)
    firm.later(minutes=16)
    with firm.rt.read() as work:
        known = work.mirror.bills([*before, *late])
    assert set(known) == {*before, *late}
    truth = {effect["id"]: effect["state"] for effect in firm.effects("bill.moved") if effect["id"] in known}
    assert {ident: bill.state for ident, bill in known.items()} == truth, "as the sandbox's own record has it"
    assert known[before[0]].state == "void"
    assert known[before[-1]].state == "void"


@pytest.fixture
def fresh_pages():
    """Read the list of bills page by page; between the first and the second a row of each is changed and others appear."""

    def read(firm, before):
        seen: list[int] = []
        late: list[int] = []
        practice = firm.rt.practice(3)
        for page in practice.bills.changed(firm.rt.clock().replace(year=2025)):
            seen += [bill.id for bill in page.rows]
            if not late:
                firm.sandbox.act("void_bill", id=before[0])
                firm.sandbox.act("void_bill", id=before[-1])
                late = firm.sandbox.act("bulk", bills=3, clients=1, amount="60.00")["bill_ids"]
        assert len(seen) == len(set(seen)), "each row once, although one changed on its way"
        assert set(before) <= set(seen)
        return late

    return read


# ── F61: decided on Friday, sent on Monday ──


def test_F61_a_message_that_waited_over_the_weekend_is_judged_by_monday_s_facts(firm):
    bill = decided_on_friday(firm)
    firm.sandbox.clock_advance(64 * 3600)
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="bo@monday.test")
    firm.work()
    assert [mail["to"] for mail in firm.mails()] == [["bo@monday.test"]]
    assert bill["number"] in firm.mails()[0]["subject"]
    firm.check()


def test_F61_a_bill_paid_over_the_weekend_is_not_asked_for_on_monday(firm):
    bill = decided_on_friday(firm)
    firm.sandbox.clock_advance(64 * 3600)
    firm.sandbox.act("record_payment", bill_id=bill["id"])
    firm.work()
    assert firm.mails() == []
    firm.later(hours=1)
    assert firm.mails() == []
    firm.check()


def test_F61_a_message_too_old_waits_for_a_person_whose_word_sends_it_today(firm):
    decided_on_friday(firm)
    firm.sandbox.clock_advance(97 * 3600)
    firm.work()
    assert firm.mails() == []
    assert firm.exceptions() == {"message_too_old": 1}
    [job] = firm.jobs("message.send")
    assert (job["state"], job["reason"]) == (JobState.PARKED, "message_too_old")
    retry_job(firm.rt, job["id"], by="ada", resend=False, dry_run=False)
    firm.work()
    assert len(firm.mails()) == 1
    assert firm.exceptions() == {}
    firm.check()


def test_F77_a_relay_that_is_down_for_hours_costs_no_attempt_and_tells_a_person_once(firm):
    firm.later(seconds=20)
    firm.issued_bill()
    look_now(firm)
    firm.sandbox.fault("smtp", "reply", code=421, times=12)
    for _ in range(12):
        firm.sandbox.clock_advance(600)
        time.sleep(0.03)  # the moved clock is asked at most every 20 ms
        firm.rest_pauses()
        [job] = firm.jobs("message.send")
        assert run(firm.rt, BOOK, job["id"])
    [job] = firm.jobs("message.send")
    assert (job["state"], job["attempts"], firm.mails()) == (JobState.READY, 0, [])
    assert firm.exceptions() == {"mail_relay_away": 1}
    firm.work()
    [mail] = firm.mails()
    [done] = firm.jobs("message.send")
    assert done["state"] == JobState.DONE
    assert done["intent"]["message_id"] == job["intent"]["message_id"] == mail["message_id"]
    assert firm.exceptions() == {}
    firm.check()


# ── F70: the matter changes between the steps ──


def test_F70_a_matter_renumbered_between_request_and_bill_is_still_the_same_matter(firm):
    firm.log_time(dollars=600)
    firm.later(minutes=16)
    firm.later(hours=1)
    assert len(firm.effects("task.created")) == 1
    firm.sandbox.act("edit_matter", id=firm.matter(), display_number="99999-Renumbered")
    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    firm.sandbox.act("approve_bill", id=bill["id"])
    firm.later(minutes=16)
    firm.later(minutes=2)
    with firm.rt.read() as work:
        [request] = work.billing.listed()
    assert (request["state"], request["bill_id"], request["matter_id"]) == ("billed", bill["id"], firm.matter())
    assert len(firm.links()) == len(firm.mails()) == 1
    assert [note["matter_id"] for note in firm.effects("note.created")] == [firm.matter()]
    firm.check()


def test_F70_a_client_changed_between_link_and_message_gets_it_instead_of_the_former(firm):
    firm.later(seconds=20)
    bill = firm.issued_bill()
    look_now(firm)
    assert firm.mails() == []
    new = firm.sandbox.act("create_contact", name="Cy Doe", email="cy@clients.test")
    firm.sandbox.act("edit_matter", id=firm.matter(), client_id=new["id"])
    firm.later(minutes=1)
    whose = firm.rt.practice(3).bill(bill["id"]).client
    assert [mail["to"] for mail in firm.mails()] == [[whose.email]]
    firm.check()


def test_F70_a_matter_closed_before_its_bill_was_asked_for_is_held_or_not_as_the_firm_says(opened):
    held = opened(links={"hold_closed": True})
    bill = held.issued_bill()
    held.sandbox.act("close_matter", id=held.matter())
    held.later(minutes=16)
    held.later(minutes=2)
    assert held.links() == held.mails() == []
    with held.rt.read() as work:
        assert work.mirror.bill_rows([bill["id"]])[bill["id"]]["silence"] == "closed_matter_held"
    held.sandbox.act("open_matter", id=held.matter())
    held.later(minutes=16)
    held.later(minutes=2)
    assert len(held.links()) == len(held.mails()) == 1
    held.check()


def test_F70_a_matter_closed_between_link_and_message_is_held_too(opened):
    held = opened(links={"hold_closed": True})
    held.later(seconds=20)
    held.issued_bill()
    look_now(held)
    held.sandbox.act("close_matter", id=held.matter())
    held.later(minutes=1)
    held.later(minutes=16)
    assert held.mails() == []
    assert len(held.effects("link.expired")) == 1
    held.check()


def test_F70_without_that_policy_a_closed_matter_s_bill_is_asked_for(firm):
    firm.issued_bill()
    firm.sandbox.act("close_matter", id=firm.matter())
    firm.later(minutes=16)
    firm.later(minutes=2)
    assert len(firm.mails()) == 1
    firm.check()


# ── F72: many bills of one client on one day ──


def test_F72_twelve_bills_of_one_client_on_one_day_are_not_twelve_messages_at_once(opened):
    firm = opened(mail={"client_daily_limit": 5})
    for dollars in range(100, 112):
        firm.issued_bill(dollars=dollars, due_at="2026-04-01")
    firm.later(minutes=16)
    firm.later(minutes=2)
    counts = [len(firm.mails())]
    for _ in range(3):
        firm.later(days=1)
        counts.append(len(firm.mails()))
    assert counts == [5, 10, 12, 12]
    assert len({mail["subject"] for mail in firm.mails()}) == 12
    assert len(firm.links()) == 12
    firm.check()


def test_F72_a_bill_paid_while_its_message_was_put_off_is_not_asked_for(opened):
    firm = opened(mail={"client_daily_limit": 1})
    bills = [firm.issued_bill(dollars=dollars) for dollars in (200, 100)]
    firm.later(minutes=16)
    firm.later(minutes=2)
    [first] = firm.mails()
    left = next(bill for bill in bills if bill["number"] not in first["subject"])
    firm.sandbox.act("record_payment", bill_id=left["id"])
    firm.later(days=1)
    firm.later(days=1)
    assert len(firm.mails()) == 1
    firm.check()


# ── F78: a client's name that wants to be more than a name ──

EVIL = {
    "header": "Bo Ferris\r\nBcc: evil@else.test\r\nX-Evil: 1",
    "html": "<img src=x onerror=alert(1)><a href='https://else.test/pay'>Bo</a>",
    "direction": "Bo \u202egro.live//:sptth\u202c \u200fFerris",
    "long": "Bo " * 3_500,
    "emoji": "Bo 🧑‍⚖️ Ferris",
}


@pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)
def test_F78_a_client_s_name_is_never_more_than_a_name(firm, name):
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], name=name)
    firm.issued_bill()
    firm.later(minutes=16)
    firm.later(minutes=2)
    [mail] = firm.mails()
    [link] = firm.links()
    assert mail["to"] == ["bo@clients.test"], "the envelope names nobody else"
    assert not {"Bcc", "X-Evil"} & set(mail["headers"])
    assert all("\n" not in value.replace("\n ", "") and len(value) < 2_000 for value in mail["headers"].values())
    assert "<img" not in mail["html"]
    assert "https://else.test" not in mail["html"] + mail["text"]
    assert "\u202e" not in mail["html"] + mail["text"]
    led = re.findall(r'<a\b[^>]*\bhref="([^"]*)"', mail["html"])
    assert {address for address in led if not address.startswith("mailto:")} == {link["url"]}
    firm.check()
