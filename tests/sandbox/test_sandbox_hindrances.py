"""What stood against asking for a bill on a day: each hindrance shown by the record on its own day, and on no other."""

from datetime import UTC, datetime

import pytest

from orchestrator.sandbox.hindrances import STOOD, Hindrances

DAY = "2026-06-08"
BEFORE, EARLIER, AFTER = "2026-06-05T15:00:00Z", "2026-05-02T15:00:00Z", "2026-06-09T15:00:00Z"


def bill(at=EARLIER, **more):
    facts = {"state": "awaiting_payment", "balance": 100.0, "pending": 0.0, "issued_at": "2026-05-02"}
    facts |= {"due_at": "2026-06-01", "bill_kind": "revenue_kind", "number": "1001", "client_id": 3, "matter_ids": [5]}
    return {"kind": "bill.moved", "id": 7, "at": at, **facts, **more}


def payment(state, at=BEFORE, **more):
    facts = {"bill_ids": [7], "method": "card", "amount": 100.0, "allocated": 100.0}
    return {"kind": f"payment.{state}", "id": 9, "at": at, **facts, **more}


def contact(at=EARLIER, **more):
    facts = {"email": "ana@clients.test", "redacted": False, "reminders_enabled": False}
    return {"kind": "contact.moved", "id": 3, "at": at, **facts, **more}


def mail(at, step="invoice", kind="accepted", ident="<a@b>"):
    return {"kind": f"mail.{kind}", "id": ident, "at": at, "to": ["ana@clients.test"], "bill": "7", "step": step}


def trust(cents, at=BEFORE):
    return {
        "kind": "ledger.posted", "id": 1, "at": at, "account_class": "Trust", "matter_id": 5, "amount_cents": cents
    }  # fmt: skip


def matter(status, at):
    return {"kind": "matter.moved", "id": 5, "at": at, "status": status}


def credit(unapplied, at=BEFORE):
    return {"kind": "credit.moved", "id": 8, "at": at, "client_id": 3, "unapplied": unapplied}


def link(what, at, **more):
    facts = {"bill_id": 7, "contact_id": None, "by": "app"}
    return {"kind": f"link.{what}", "id": 4, "at": at, **facts, **more}


def back(at):
    return {"kind": "payment.reversed", "id": 9, "at": at, "bills": {"7": 40.0}}


ARRIVED = mail(EARLIER)
PLAIN = (bill(), ARRIVED, contact())


def stood(*entries, day=DAY):
    record = Hindrances()
    for entry in sorted(entries, key=lambda entry: entry["at"]):
        record.hear(entry)
    first, last = (datetime.fromisoformat(f"{day}T{hour}:00:00").replace(tzinfo=UTC) for hour in ("12", "22"))
    return set(record.stood(7, first, last))


SHOWN = {
    "issued_before_start": (bill(issued_at="2026-05-01"),),
    "bill_paid": (bill(f"{DAY}T13:00:00Z", state="paid", balance=0.0), bill(f"{DAY}T14:00:00Z")),
    "bill_written_off": (bill(f"{DAY}T13:00:00Z", state="paid", balance=0.0), bill(f"{DAY}T14:00:00Z")),
    "payment_under_way": (payment("authorized"),),
    "echeck_settling": (payment("pending", method="echeck"),),
    "payment_reversed": (payment("completed"), back(BEFORE)),
    "reversal_grace": (payment("completed"), payment("voided", "2026-06-06T15:00:00Z")),
    "trust_available": (trust(4_000), trust(6_000)),
    "credit_unapplied": (credit(12.0),),
    "matter_closed": (matter("Closed", BEFORE),),
    "matter_pending": (matter("Pending", BEFORE),),
    "client_email_blank": (contact(BEFORE, email=""),),
    "client_email_invalid": (contact(BEFORE, email="ana"),),
    "client_redacted": (contact(BEFORE, redacted=True),),
    "clio_reminders_on": (contact(BEFORE, reminders_enabled=True),),
    "never_delivered": (mail(BEFORE, kind="returned"),),
    "address_bounced": (mail(BEFORE, kind="returned"),),
    "link_over": (link("created", EARLIER), link("expired", BEFORE, why="time", bill_id=None, contact_id=3)),
    "step_too_soon": (mail(BEFORE, "overdue-7", ident="<c@d>"),),
    "message_on_its_way": (mail(f"{DAY}T23:00:00Z", "invoice_link", ident="<c@d>"),),
    "client_written_today": (mail(f"{DAY}T13:00:00Z", "invoice_link", ident="<c@d>"),),
    "below_minimum": (bill(BEFORE, balance=4.0),),
    "too_old": (bill(BEFORE, due_at="2025-05-01"),),
}
"""What has to be on record before each may be said of the day."""


def test_a_bill_that_is_simply_owed_has_nothing_against_it():
    assert stood(*PLAIN) == set()
    assert stood(contact(), ARRIVED) == set()


@pytest.mark.parametrize("code", [code for code, _ in STOOD])
def test_what_is_on_record_stands(code):
    assert code in stood(*PLAIN, *SHOWN[code])


@pytest.mark.parametrize(
    "entries",
    [
        (bill(AFTER, state="paid", balance=0.0),),
        (payment("pending", AFTER), bill(AFTER, pending=100.0)),
        (payment("completed", AFTER), back(AFTER)),
        (matter("Closed", AFTER),),
        (matter("Closed", BEFORE), matter("Open", "2026-06-06T15:00:00Z")),
        (trust(9_999),),
        (trust(10_000), trust(-10_000, "2026-06-06T15:00:00Z")),
        (credit(0.0),),
        (link("expired", EARLIER, why="time"), link("created", BEFORE)),
        (link("created", EARLIER), link("expired", BEFORE, why="paid")),
        (contact(AFTER, email=""),),
        (mail(AFTER, kind="returned", ident="<x@y>"),),
        (payment("authorized", EARLIER), payment("failed")),
    ],
)  # fmt: skip
def test_what_came_later_or_was_over_before_the_day_does_not(entries):
    assert not stood(*PLAIN, *entries) - {"message_on_its_way"}


def test_an_address_that_was_mended_is_not_the_one_that_sent_the_letter_back():
    gone = (mail(BEFORE, kind="returned"), contact("2026-06-06T15:00:00Z", email="ana@elsewhere.test"))
    assert stood(*PLAIN, *gone) == {"never_delivered"}
    assert stood(*PLAIN, *gone, mail("2026-06-07T15:00:00Z", ident="<c@d>")) == set()


def test_money_that_comes_after_the_days_step_is_no_reason_for_its_silence():
    paid = (payment("completed", AFTER), bill(AFTER, state="paid", balance=0.0))
    assert "bill_paid" not in stood(*PLAIN, *paid)
    assert "payment_under_way" in stood(*PLAIN, *paid, payment("authorized"))
