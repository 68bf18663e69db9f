"""Every reason for silence as it really comes about: at Clio, at LawPay, in trust, by a person; read anew, in batches."""

import math
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from orchestrator.domain.bounces import Bounced, Report
from orchestrator.domain.ids import address_key
from orchestrator.domain.silence import REASON_OF, HoldKind, Quiet, Subject, quiet
from orchestrator.usecases.hold_trust import dispute
from orchestrator.usecases.read_standings import read_standings, rules_of, standings
from orchestrator.usecases.resolve_exception import resolve_exception
from tests.firm import open_firm
from tests.trust import deposit, trust_settings

FIELDS = {"payment_plan": "Payment Plan", "do_not_contact": "Do not contact"}


def read(firm, *bill_ids, minutes=16):
    """Read everything anew, as a job does that falls due now; the lists that are kept have been read long ago."""
    firm.sandbox.clock_advance(minutes * 60)
    firm.rt.clock.ask_again()
    with firm.rt.uow() as work:
        work.jobs.add("links.allot", "judging", len(work.jobs.listed(topic="links.allot", limit=1000)))
        due = work.jobs.listed(topic="links.allot", limit=1)[0]["id"]
    with firm.rt.uow() as work:
        job = work.jobs.claim(due, holder="judge", lease_seconds=30)
    read_standings(firm.rt, job, bill_ids)


def told(firm, bill_id):
    """What silences this bill, by what our database says now, besides that its message left today."""
    with firm.rt.read() as work:
        standing = standings(firm.rt, work, [bill_id])[bill_id]
    said = quiet(standing, today=firm.rt.local_date(firm.rt.clock()), rules=rules_of(firm.rt))
    return tuple(one for one in said if one.reason != "client_written_today")


def judged(firm, bill):
    """Every reason that silences a bill after everything was read anew."""
    read(firm, bill["id"])
    return [one.reason for one in told(firm, bill["id"])]


def overdue(firm, **facts):
    """A bill that Clio sent and nobody paid."""
    bill = firm.issued_bill(**{"issued_at": "2026-01-05", "due_at": "2026-02-04"} | facts)
    firm.sandbox.act("send_bill", id=bill["id"])
    return bill


def holding(firm, subject, ident, kind, until=None):
    with firm.rt.uow() as work:
        return work.holds.add(subject, ident, kind, until=until, why="she called", by="iris")


# ── what people do at Clio ──


def paying(firm, bill, **facts):
    link = firm.sandbox.act("create_link_by_hand", id=bill["id"])
    return firm.sandbox.act("pay_link", link_id=link["id"], **facts)


def contact(**facts):
    return lambda firm, _bill: firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], **facts)


def act(verb, **facts):
    return lambda firm, bill: firm.sandbox.act(verb, id=bill["id"], **facts)


def with_matter(verb, **facts):
    return lambda firm, _bill: firm.sandbox.act(verb, **{"matter_id": firm.matter()} | facts)


def with_client(verb, **facts):
    return lambda firm, _bill: firm.sandbox.act(verb, client_id=firm.ids["contacts"]["bo"], **facts)


AT_CLIO = {
    "a cheque paid it": (act("record_payment"), "bill_paid"),
    "the bill was voided": (act("void_bill"), "bill_gone"),
    "the bill was written off": (act("credit_bill", amount=600), "bill_written_off"),
    "the bill went back to its author": (act("reopen_bill"), "bill_not_issued"),
    "a card payment is pending": (paying, "payment_under_way"),
    "four dollars are left": (act("record_payment", amount=596), "below_minimum"),
    "the matter was closed": (with_matter("close_matter"), "matter_closed"),
    "the matter is pending again": (with_matter("pend_matter"), "matter_pending"),
    "the client has credit": (with_client("give_credit", amount=1), "credit_unapplied"),
    "the address was taken out": (contact(email=""), "client_email_blank"),
    "the address is no address": (contact(email="bo at clients"), "client_email_invalid"),
    "the client was hidden": (contact(redacted=True), "client_redacted"),
    "Clio reminds the client": (contact(reminders_enabled=True), "clio_reminders_on"),
}


@pytest.mark.parametrize("cause", AT_CLIO)
def test_F62_nothing_is_sent_when_just_before(firm, cause):
    bill = overdue(firm)
    assert judged(firm, bill) == []
    happens, reason = AT_CLIO[cause]
    happens(firm, bill)
    assert judged(firm, bill) == [reason]


def test_a_draft_that_was_deleted_is_gone(firm):
    bill = firm.sandbox.act("generate_bill", matter_id=firm.matter())
    assert "bill_not_issued" in judged(firm, bill)
    firm.sandbox.act("delete_bill", id=bill["id"])
    assert "bill_gone" in judged(firm, bill)


def test_a_request_for_a_deposit_is_never_called_overdue(firm):
    request = firm.sandbox.act("request_trust", matter_id=firm.matter(), amount=500, due_at="2026-02-04")
    firm.sandbox.act("send_bill", id=request["id"])
    assert judged(firm, request) == ["trust_request"]


def test_a_bill_of_years_ago_is_left_to_a_person(firm):
    assert judged(firm, overdue(firm, issued_at="2024-12-01", due_at="2025-01-01")) == ["too_old"]


def test_a_bill_that_never_reached_the_client_is_not_chased(firm):
    bill = firm.issued_bill(due_at="2026-02-04")
    assert judged(firm, bill) == ["never_delivered"]
    firm.sandbox.act("send_bill", id=bill["id"])
    assert judged(firm, bill) == []


def test_a_bill_that_our_own_message_brought_has_reached_the_client(firm):
    bill = firm.mailed_bill(due_at="2026-03-03")
    assert judged(firm, bill) == []


def test_credit_that_a_bill_took_silences_nobody_any_more(firm):
    bill = overdue(firm)
    memo = firm.sandbox.act("give_credit", client_id=firm.ids["contacts"]["bo"], amount=100)
    assert judged(firm, bill) == ["credit_unapplied"]
    firm.sandbox.act("apply_credit", id=memo["id"], bill_id=bill["id"])
    assert judged(firm, bill) == []


def test_F40_credit_that_one_answer_leaves_out_is_still_there(firm):
    bill = overdue(firm)
    firm.sandbox.act("give_credit", client_id=firm.ids["contacts"]["bo"], amount=100)
    assert judged(firm, bill) == ["credit_unapplied"]
    # The list of what changed is empty anyway; the second answer is the one by id.
    firm.sandbox.fault("GET /credit_memos", "empty_data", skip=1)
    assert judged(firm, bill) == ["credit_unapplied"]


def test_credit_of_another_client_silences_nobody_else(firm):
    bill = overdue(firm)
    other = firm.sandbox.act("create_contact", name="Ann Other", email="bo@clients.test")
    firm.sandbox.act("give_credit", client_id=other["id"], amount=100)
    assert judged(firm, bill) == []


def test_money_that_no_bill_has_taken_silences_all_of_the_client_s_bills(firm):
    first, second = firm.mailed_bill(), overdue(firm)
    link = firm.links()[0]
    firm.sandbox.act(
        "pay_link", link_id=link["id"], settle_after_seconds=0, final_state="completed_requiring_allocation"
    )
    firm.later(minutes=16)
    assert "credit_unapplied" in judged(firm, first)
    assert "credit_unapplied" in judged(firm, second)


# ── addresses (F71) ──


def test_F71_the_address_is_what_the_contact_says_now_whatever_the_link_was_made_for(firm):
    bill = firm.mailed_bill(due_at="2026-03-03")
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="new@clients.test")
    assert judged(firm, bill) == []
    with firm.rt.read() as work:
        assert standings(firm.rt, work, [bill["id"]])[bill["id"]].bill.client.email == "new@clients.test"


def bounces(firm, address):
    with firm.rt.uow() as work:
        work.bounces.post("<k1@firm.test>", address=address_key(address), kind="message", bill_ids=[])
        assert work.bounces.add(Report("k1", Bounced.HARD, "5.1.1"), source="mailbox") is not None


def test_F76_an_address_that_bounced_is_silent_until_the_contact_has_another(firm):
    bill = overdue(firm)
    bounces(firm, "bo@clients.test")
    assert judged(firm, bill) == ["address_bounced"]
    firm.sandbox.act("edit_contact", id=firm.ids["contacts"]["bo"], email="new@clients.test")
    assert judged(firm, bill) == []


def two_clients_at_one_address(firm):
    other = firm.sandbox.act("create_contact", name="Ann Ferris", email="bo@clients.test")
    matter = firm.sandbox.act("create_matter", client_id=other["id"])
    return overdue(firm), overdue(firm, matter_id=matter["id"]), other


def test_F71_two_clients_at_one_address_are_silent_together_when_it_bounces(firm):
    mine, hers, _ = two_clients_at_one_address(firm)
    bounces(firm, "bo@clients.test")
    assert judged(firm, mine) == judged(firm, hers) == ["address_bounced"]


def test_F71_of_two_clients_at_one_address_only_the_one_is_silent_who_wants_no_contact(firm):
    mine, hers, other = two_clients_at_one_address(firm)
    judged(firm, hers)
    holding(firm, Subject.CLIENT, other["id"], HoldKind.DO_NOT_CONTACT)
    assert judged(firm, mine) == []
    assert judged(firm, hers) == ["do_not_contact"]


# ── what people say ──


@pytest.mark.parametrize("kind", HoldKind)
@pytest.mark.parametrize("subject", Subject)
def test_a_person_s_word_on_a_bill_a_matter_or_a_client_holds_the_bill(firm, subject, kind):
    bill = overdue(firm)
    assert judged(firm, bill) == []
    ident = {Subject.BILL: bill["id"], Subject.MATTER: firm.matter(), Subject.CLIENT: firm.ids["contacts"]["bo"]}
    hold_id = holding(firm, subject, ident[subject], kind)
    assert told(firm, bill["id"]) == (Quiet(REASON_OF[kind]),)
    with firm.rt.uow() as work:
        assert work.holds.end(work.holds.get(hold_id), why="settled", by="iris")
        assert not work.holds.end(work.holds.get(hold_id), why="settled", by="iris")
    assert told(firm, bill["id"]) == ()


def test_a_hold_on_a_matter_holds_bills_that_come_later(firm):
    holding(firm, Subject.MATTER, firm.matter(), HoldKind.BANKRUPTCY)
    assert judged(firm, overdue(firm)) == ["client_bankrupt"]


def test_F70_holds_stay_with_their_matter_and_client_when_the_matter_is_renumbered(firm):
    bill = overdue(firm)
    judged(firm, bill)
    on_client = holding(firm, Subject.CLIENT, firm.ids["contacts"]["bo"], HoldKind.PAUSE)
    holding(firm, Subject.MATTER, firm.matter(), HoldKind.DISPUTE)
    firm.sandbox.act("edit_matter", id=firm.matter(), display_number="99999-Renamed")
    assert judged(firm, bill) == ["fee_disputed", "client_paused"]
    with firm.rt.read() as work:
        assert [row["id"] for row in work.holds.standing(Subject.CLIENT, [firm.ids["contacts"]["bo"]])] == [on_client]


def test_custom_fields_that_the_firm_named_hold_the_bills_of_a_matter_or_a_contact(opened):
    firm = opened(reminders={"fields": FIELDS})
    bill = overdue(firm)
    assert judged(firm, bill) == []
    firm.sandbox.act("create_custom_field", name="Payment Plan", type="date")
    firm.sandbox.act("create_custom_field", name="Do not contact", type="checkbox", parent="Contact")
    firm.sandbox.act("set_custom_field", matter_id=firm.matter(), name="Payment Plan", value="2026-06-30")
    firm.sandbox.act("set_custom_field", contact_id=firm.ids["contacts"]["bo"], name="Do not contact", value=True)
    read(firm, bill["id"])
    assert told(firm, bill["id"]) == (Quiet("do_not_contact"), Quiet("payment_plan", until=date(2026, 6, 30)))
    firm.sandbox.act("set_custom_field", contact_id=firm.ids["contacts"]["bo"], name="Do not contact", value=False)
    firm.sandbox.act("set_custom_field", matter_id=firm.matter(), name="Payment Plan")
    assert judged(firm, bill) == []


def test_a_field_that_the_firm_names_later_is_read_of_contacts_that_have_not_changed_since(firm, database_url):
    bill = overdue(firm)
    firm.sandbox.act("create_custom_field", name="Do not contact", type="checkbox", parent="Contact")
    firm.sandbox.act("set_custom_field", contact_id=firm.ids["contacts"]["bo"], name="Do not contact", value=True)
    assert judged(firm, bill) == []
    with open_firm(firm.sandbox, database_url, environment={"reminders": {"fields": FIELDS}}) as later:
        assert judged(later, bill) == ["do_not_contact"]
    with open_firm(firm.sandbox, database_url) as without:
        assert judged(without, bill) == []
        firm.sandbox.act("set_custom_field", contact_id=firm.ids["contacts"]["bo"], name="Do not contact", value=False)
        assert judged(without, bill) == []
    with open_firm(firm.sandbox, database_url, environment={"reminders": {"fields": FIELDS}}) as again:
        assert judged(again, bill) == []


# ── trust money (T8, T26) ──


def test_the_firm_asks_for_nothing_that_it_holds_in_trust(opened, sandbox):
    firm = opened(trust=trust_settings(sandbox, trust_first=False))
    deposit(firm, 1000)
    bill = overdue(firm)
    assert judged(firm, bill) == ["trust_available"]
    with firm.rt.uow() as work:
        assert work.draws.of_bill(bill["id"]) == []


def test_a_bill_that_trust_money_pays_only_in_part_is_reminded_of(opened, sandbox):
    firm = opened(trust=trust_settings(sandbox, trust_first=False))
    deposit(firm, 599)
    assert judged(firm, overdue(firm)) == []


def test_T28_a_bill_whose_trust_money_is_in_dispute_is_not_asked_for(opened, sandbox):
    firm = opened(trust=trust_settings(sandbox))
    bill = overdue(firm)
    judged(firm, bill)
    dispute(firm.rt, bill["id"], amount_cents=10_000, why="she objects", by="iris", dry_run=False)
    assert judged(firm, bill) == ["fee_disputed"]


# ── money that came back (T28, F64, F66) ──


def test_T28_a_chargeback_silences_the_bill_until_a_person_clears_it_and_grace_is_over(firm):
    bill = firm.mailed_bill(due_at="2026-03-03")
    payment = firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0)
    firm.later(minutes=16)
    assert judged(firm, bill) == ["bill_paid"]
    firm.sandbox.act("chargeback_payment", id=payment["id"])
    for _ in range(2):
        firm.later(minutes=16)
    assert judged(firm, bill) == ["payment_reversed", "reversal_grace"]
    with firm.rt.read() as work:
        [open_] = work.exceptions.listed(kind="payment_reversed")
    resolve_exception(firm.rt, open_["id"], note="they withdrew it", by="iris")
    assert judged(firm, bill) == ["reversal_grace"]
    firm.sandbox.clock_advance(11 * 86_400)
    assert judged(firm, bill) == []


def test_F64_a_client_who_paid_both_links_of_a_bill_is_never_dunned(firm):
    bill = overdue(firm)
    links = [firm.sandbox.act("create_link_by_hand", id=bill["id"], amount="600.00") for _ in range(2)]
    for link in links:
        firm.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    assert "bill_paid" in judged(firm, bill)


def test_F63_a_cheque_that_came_while_the_link_was_live_ends_reminders(firm):
    bill = firm.mailed_bill(due_at="2026-03-03")
    firm.sandbox.act("record_payment", id=bill["id"])
    assert judged(firm, bill) == ["bill_paid"]


def test_a_payment_that_hangs_for_days_is_told_to_a_person(firm):
    bill = firm.mailed_bill(due_at="2026-03-03")
    firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=86_400 * 60)
    firm.later(minutes=16)
    assert judged(firm, bill) == ["payment_under_way"]
    assert not told(firm, bill["id"])[0].loud
    firm.sandbox.clock_advance(86_400 * 11)
    assert judged(firm, bill) == ["payment_under_way"]
    assert told(firm, bill["id"])[0].loud


# ── LawPay ──


def on_a_page(firm):
    bill = firm.mailed_bill(due_at="2026-03-03")
    with firm.rt.read() as work:
        return bill, work.links.of_bill(bill["id"])[-1]["url"]


def test_F66_an_echeck_made_at_lawpay_settles_for_days_and_nobody_is_reminded(at_lawpay):
    firm = at_lawpay()
    bill, page = on_a_page(firm)
    firm.sandbox.act("lawpay_pay", page=page, method="echeck")
    assert judged(firm, bill) == ["payment_under_way", "echeck_settling"]


def test_what_was_paid_at_lawpay_is_asked_for_by_nobody_before_clio_knows(at_lawpay):
    firm = at_lawpay()
    bill, page = on_a_page(firm)
    firm.sandbox.act("lawpay_pay", page=page)
    firm.later(days=2)
    assert judged(firm, bill) == ["payment_to_record"]


def test_a_payment_on_a_page_that_is_in_question_silences_its_bill(at_lawpay):
    firm = at_lawpay()
    bill, page = on_a_page(firm)
    firm.sandbox.act("lawpay_pay", page=page, amount_cents=59_999)
    firm.later(days=2)
    assert judged(firm, bill) == ["payment_in_question"]


# ── what it costs ──


def calls(firm):
    return sum(firm.sandbox.counts()["calls"].values())


@pytest.mark.parametrize("count", [200, 401])
def test_judging_many_bills_costs_a_call_for_each_two_hundred_of_them_and_a_handful(firm, count):
    ids = firm.sandbox.act("bulk", bills=count, clients=20, due_at="2026-02-04")["bill_ids"]
    before = calls(firm)
    read(firm, *ids)
    assert calls(firm) - before <= math.ceil(count / 200) + 4
    with firm.rt.read() as work:
        assert len(standings(firm.rt, work, ids)) == count


def test_what_was_read_just_now_is_not_read_again(firm):
    bill = overdue(firm)
    read(firm, bill["id"])
    before = calls(firm)
    read(firm, bill["id"], minutes=0)
    assert calls(firm) == before
    read(firm, bill["id"], minutes=1)
    assert calls(firm) - before == 2


def test_before_clio_was_asked_about_the_client_nothing_is_sent(firm):
    bill = overdue(firm)
    firm.later(minutes=16)
    assert [one.reason for one in told(firm, bill["id"])] == ["client_not_read"]


def test_the_same_is_judged_on_either_database(sandbox, either_url):
    with open_firm(sandbox, either_url, environment={"reminders": {"fields": FIELDS}}) as firm:
        firm.work()
        bill = overdue(firm)
        for happens in (with_client("give_credit", amount=1), contact(reminders_enabled=True)):
            happens(firm, bill)
        assert judged(firm, bill) == ["credit_unapplied", "clio_reminders_on"]
        contact(reminders_enabled=False)(firm, bill)
        hold_id = holding(firm, Subject.MATTER, firm.matter(), HoldKind.PROMISE, date(2026, 3, 9))
        assert judged(firm, bill) == ["payment_promised", "credit_unapplied"]
        with firm.rt.uow() as work:
            assert work.holds.end(work.holds.get(hold_id), why="paid", by="iris")
            assert work.holds.listed() == []
        assert judged(firm, bill) == ["credit_unapplied"]


@contextmanager
def statements(firm):
    """Every statement that goes to the firm's database while the block runs."""
    told = []

    def note(_connection, _cursor, statement, *_rest):
        told.append(statement)

    engine = firm.rt.uow.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield told
    sa.event.remove(engine, "before_cursor_execute", note)


def test_judging_many_bills_of_a_firm_with_trust_money_takes_as_many_statements_as_judging_one_of_each(at_lawpay):
    firm = at_lawpay(links={"trust_requests": True}, mail={"client_daily_limit": None})
    deposit(firm, 100, clear=False)
    bills, deposits = [], []
    for place in range(6):
        client = firm.sandbox.act("create_contact", name=f"Client {place}", email=f"client{place}@clients.test")
        matter = firm.sandbox.act("create_matter", client_id=client["id"])
        bills.append(firm.issued_bill(matter_id=matter["id"], due_at="2026-03-03"))
        deposits.append(firm.sandbox.act("request_trust", matter_id=matter["id"], amount=500, due_at="2026-02-04"))
    firm.later(minutes=16)
    firm.later(minutes=2)
    with firm.rt.read() as work:
        pages = [work.links.of_bill(bill["id"])[-1]["url"] for bill in bills]
    for page in pages[::2]:
        firm.sandbox.act("lawpay_pay", page=page, method="echeck")
    for page in pages[1::2]:
        firm.sandbox.act("lawpay_pay", page=page)
    firm.later(days=2)
    spent = []
    for many in (1, 6):
        with firm.rt.read() as work, statements(firm) as told:
            found = standings(firm.rt, work, [one["id"] for one in bills[:many] + deposits[:many]])
        assert len(found) == 2 * many
        spent.append(len(told))
    assert found[bills[0]["id"]].echeck_since == firm.rt.local_date(firm.rt.clock() - timedelta(days=2))
    assert found[bills[1]["id"]].elsewhere == "payment_to_record"
    assert spent[0] == spent[1]
