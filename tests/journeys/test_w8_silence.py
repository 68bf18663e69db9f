"""W8: what silences a reminder, from its cause at Clio or here to the mailbox, and back again when the cause has passed."""

from datetime import date

import pytest

from orchestrator.domain.bounces import Bounced, Report
from orchestrator.domain.ids import address_key
from orchestrator.domain.silence import HoldKind, Subject
from orchestrator.usecases.hold_reminders import hold, release
from orchestrator.usecases.resolve_exception import resolve_exception
from tests.journeys.test_w8_reminders import FIRST, at, letters, owed, rows, to
from tests.trust import deposit, trust_settings

NEXT, THIRD = "2026-03-20", "2026-03-23"
FIELDS = {"payment_plan": "Payment Plan", "dispute": "In dispute"}


def bo(firm):
    return firm.ids["contacts"]["bo"]


def client(**facts):
    return lambda firm, _bill: firm.sandbox.act("edit_contact", id=bo(firm), **facts)


def field(name, value=None, **owner):
    def act(firm, _bill):
        whose = {"contact_id": bo(firm)} if owner else {"matter_id": firm.matter()}
        firm.sandbox.act("set_custom_field", name=name, value=value, **whose)

    return act


def says(kind, subject=Subject.BILL, until=None):
    def act(firm, bill):
        ident = {Subject.BILL: bill["id"], Subject.MATTER: firm.matter(), Subject.CLIENT: bo(firm)}[subject]
        hold(firm.rt, subject, ident, kind, until=until, why="she called", by="iris", dry_run=False)

    return act


def takes_back(firm, _bill):
    with firm.rt.read() as work:
        [standing] = work.holds.listed()
    release(firm.rt, standing["id"], why="settled", by="iris", dry_run=False)


def credited(firm, _bill):
    firm.credit = firm.sandbox.act("give_credit", client_id=bo(firm), amount=100)["id"]


def applied(firm, bill):
    firm.sandbox.act("apply_credit", id=firm.credit, bill_id=bill["id"])


def bounced(firm, _bill):
    with firm.rt.uow() as work:
        work.bounces.post("<k1@firm.test>", address=address_key("bo@clients.test"), kind="message", bill_ids=[])
        work.bounces.add(Report("k1", Bounced.HARD, "5.1.1"), source="mailbox")


def nothing(firm, bill):
    """It passes by itself."""


CAUSES = {
    "the client has credit until it is applied": (credited, applied, "credit_unapplied"),
    "Clio reminds the client until that is switched off": (
        client(reminders_enabled=True), client(reminders_enabled=False), "clio_reminders_on",
    ),
    "the address is blank until it is filled in": (client(email=""), client(email="b@clients.test"), "client_email_blank"),
    "the client is hidden until they are shared": (client(redacted=True), client(redacted=False), "client_redacted"),
    "the address bounces until the contact has another": (bounced, client(email="b@clients.test"), "address_bounced"),
    "a person disputes it until it is settled": (says(HoldKind.DISPUTE), takes_back, "fee_disputed"),
    "the matter is bankrupt until it is discharged": (
        says(HoldKind.BANKRUPTCY, Subject.MATTER), takes_back, "client_bankrupt",
    ),
    "the client is paused until they are not": (says(HoldKind.PAUSE, Subject.CLIENT), takes_back, "client_paused"),
    "it was promised for this very day": (
        says(HoldKind.PROMISE, until=date.fromisoformat(FIRST)), nothing, "payment_promised",
    ),
    "the matter has a plan until the field is emptied": (
        field("Payment Plan", "monthly"), field("Payment Plan"), "payment_plan",
    ),
    "the contact is in dispute until the box is cleared": (
        field("In dispute", value=True, on="contact"), field("In dispute", value=False, on="contact"), "fee_disputed",
    ),
}  # fmt: skip


@pytest.fixture
def listening(opened):
    """A firm that reads some custom fields, which its Clio has."""
    firm = opened(reminders={"fields": FIELDS})
    firm.sandbox.act("create_custom_field", name="Payment Plan")
    firm.sandbox.act("create_custom_field", name="In dispute", type="checkbox", parent="Contact")
    return firm


WRITTEN = (
    "the client has credit until it is applied",
    "the address is blank until it is filled in",
    "the client is hidden until they are shared",
)
"""What ends with a message of its own: about another amount, or with the link that nobody could be sent before."""


@pytest.mark.parametrize("cause", [name for name in CAUSES if name not in WRITTEN])
def test_nobody_is_written_to_while(listening, cause):
    firm = listening
    happens, passes, reason = CAUSES[cause]
    bill = owed(firm)
    happens(firm, bill)
    at(firm, FIRST)
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("silent", reason)}
    passes(firm, bill)
    at(firm, NEXT)
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
    assert rows(firm, bill) == {"overdue-7": ("sent", None)}
    firm.check()


@pytest.mark.parametrize("cause", WRITTEN)
def test_F72_on_the_day_of_another_message_about_a_bill_there_is_no_reminder_beside_it(listening, cause):
    firm = listening
    happens, passes, reason = CAUSES[cause]
    bill = owed(firm)
    happens(firm, bill)
    at(firm, FIRST)
    assert rows(firm, bill) == {"overdue-7": ("silent", reason)}
    mails = len(firm.mails())
    passes(firm, bill)
    at(firm, NEXT)
    assert len(firm.mails()) == mails + 1
    assert rows(firm, bill)["overdue-7"] in (("silent", "message_on_its_way"), ("silent", "client_written_today"))
    at(firm, THIRD)
    assert len(firm.mails()) == mails + 2
    assert rows(firm, bill) == {"overdue-7": ("sent", None)}
    firm.check()


AT_ONCE = [name for name in CAUSES if name.startswith(("the address", "the client is", "a person", "the matter"))]


@pytest.mark.parametrize("cause", AT_ONCE)
def test_F62_nobody_is_written_to_when_it_happened_between_plan_and_letter(listening, cause):
    firm = listening
    bill = owed(firm)
    to(firm, FIRST)
    assert rows(firm, bill) == {"overdue-7": ("planned", None)}
    CAUSES[cause][0](firm, bill)
    firm.later(minutes=1)
    assert letters(firm) == []
    assert rows(firm, bill) == {"overdue-7": ("silent", CAUSES[cause][2])}


def test_F66_after_a_chargeback_reminders_rest_for_the_person_and_then_for_the_days_of_grace(firm):
    bill = owed(firm)
    payment = firm.sandbox.act("pay_link", link_id=firm.links()[0]["id"], settle_after_seconds=0)
    firm.later(minutes=16)
    firm.sandbox.act("chargeback_payment", id=payment["id"])
    at(firm, FIRST)
    assert rows(firm, bill) == {"overdue-7": ("silent", "payment_reversed")}
    with firm.rt.read() as work:
        [asked] = work.exceptions.listed(kind="payment_reversed")
    resolve_exception(firm.rt, asked["id"], note="they withdrew it", by="iris")
    at(firm, "2026-03-25")
    assert rows(firm, bill) == {"overdue-7": ("silent", "reversal_grace")}
    at(firm, "2026-03-30")
    assert rows(firm, bill) == {"overdue-7": ("sent", None)}
    firm.check()


def test_F71_two_clients_at_one_address_get_a_letter_each_about_their_own_bills(firm):
    other = firm.sandbox.act("create_contact", name="Ann Ferris", email="bo@clients.test")
    matter = firm.sandbox.act("create_matter", client_id=other["id"])
    mine, hers = owed(firm), owed(firm, matter["id"])
    at(firm, FIRST)
    assert sorted(letters(firm), key=str) == sorted([{mine["id"]: "overdue-7"}, {hers["id"]: "overdue-7"}], key=str)
    firm.check()


def test_the_client_of_a_firm_that_holds_their_money_is_not_asked_for_it(opened, sandbox):
    firm = opened(trust=trust_settings(sandbox, trust_first=False))
    deposit(firm, 1000)
    bill = owed(firm, due_at="2026-03-20")
    at(firm, "2026-03-27")
    assert rows(firm, bill) == {"overdue-7": ("silent", "trust_available")}
    firm.sandbox.act("disburse_trust", matter_id=firm.matter(), amount=900)
    at(firm, "2026-03-30")
    assert letters(firm) == [{bill["id"]: "overdue-7"}]
