"""The oracle's verdict, reached from the record alone."""

import smtplib
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest


def mail(clio, text="", **headers):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "firm@firm.test", "bo@clients.test", "Invoice"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    parts = urlsplit(clio.names["smtp_url"])
    with smtplib.SMTP(parts.hostname, parts.port, timeout=5) as relay:
        relay.send_message(message)


@pytest.fixture
def clio(enter):
    return enter("tiny")


@pytest.fixture
def bill(clio):
    return clio.issued_bill("ferris")


def missing(clio):
    return [(entry["kind"], entry["why"]) for entry in clio.sandbox.oracle()["missing"]]


def test_a_firm_at_rest_is_blameless(clio):
    verdict = clio.sandbox.oracle()
    assert verdict == {
        "duplicate_links": [],
        "duplicate_mails": [],
        "quota_breaches": 0,
        "mails_after_payment": [],
        "mails_to_closed_matters": [],
        "repeated_steps": [],
        "steps": {},
        "missing": [],
        "trust_violations": [],
        "planted": [],
    }


def test_an_issued_bill_wants_a_link_in_a_mail(clio, bill):
    assert missing(clio) == [("link", "no live link")]
    url = clio.link(bill).json()["data"]["url"]
    assert missing(clio) == [("link", "link in no mail")]
    mail(clio, f"Pay at {url} please")
    assert missing(clio) == []


def test_two_living_links_are_a_duplicate(clio, bill):
    first = clio.link(bill).json()["data"]["id"]
    clio.ask("PATCH", f"/clio_payments/links/{first}", {"expired": True})
    clio.link(bill)
    assert clio.sandbox.oracle()["duplicate_links"] == []
    clio.link(bill)
    assert clio.sandbox.oracle()["duplicate_links"] == [bill["id"]]


def test_the_same_message_twice_is_a_duplicate(clio):
    mail(clio, Message_ID="<a@firm.test>", X_Orchestrator_Key="k1")
    assert clio.sandbox.oracle()["duplicate_mails"] == []
    mail(clio, Message_ID="<a@firm.test>")
    mail(clio, Message_ID="<b@firm.test>", X_Orchestrator_Key="k1")
    assert clio.sandbox.oracle()["duplicate_mails"] == [
        {"message_id": "<a@firm.test>", "times": 2},
        {"to": "bo@clients.test", "key": "k1", "times": 2},
    ]


def test_a_bill_mail_after_payment_is_told(clio, bill):
    mail(clio, Message_ID="<1@firm.test>", X_Orchestrator_Bill=str(bill["id"]))
    clio.sandbox.act("record_payment", bill_id=bill["id"])
    mail(clio, Message_ID="<2@firm.test>", X_Orchestrator_Bill=str(bill["id"]))
    assert [entry["message_id"] for entry in clio.sandbox.oracle()["mails_after_payment"]] == ["<2@firm.test>"]


def test_a_link_left_alive_on_a_paid_bill_is_told(clio, bill):
    clio.link(bill)
    clio.sandbox.act("record_payment", bill_id=bill["id"])
    assert missing(clio) == [("expiry", "link alive though bill is paid")]


def test_a_completed_payment_wants_a_note(clio, bill):
    link = clio.link(bill).json()["data"]
    payment = clio.sandbox.act("pay_link", link_id=link["id"], settle_after_seconds=0)
    assert missing(clio) == [("note", "no note on the matter")]
    note = {"type": "Matter", "subject": "Paid", "detail": f"Payment {payment['id']}"}
    clio.ask("POST", "/notes", {**note, "matter": {"id": clio.matter("ferris")}})
    assert missing(clio) == []


def reminded(clio, *bills, steps):
    idents = ",".join(str(bill["id"]) for bill in bills)
    mail(clio, **{"X-Orchestrator-Bill": idents, "X-Orchestrator-Step": steps})


def test_a_step_is_counted_once_for_each_bill_that_a_mail_names(clio, bill):
    clio.sandbox.act("bulk", bills=1)
    other = clio.get("/bills", order="id(desc)", limit=1)[0]
    reminded(clio, bill, other, steps="overdue-7,overdue-21")
    verdict = clio.sandbox.oracle()
    assert verdict["steps"] == {"overdue-21": 1, "overdue-7": 1}
    assert verdict["repeated_steps"] == []
    reminded(clio, bill, steps="overdue-7")
    assert clio.sandbox.oracle()["repeated_steps"] == [{"bill_id": bill["id"], "step": "overdue-7", "times": 2}]


def test_a_bill_sent_again_is_no_repeated_step(clio, bill):
    for _ in range(2):
        reminded(clio, bill, steps="invoice_revised")
    assert clio.sandbox.oracle()["repeated_steps"] == []


def test_a_reminder_to_a_closed_matter_is_told_and_its_final_bill_is_not(clio, bill):
    reminded(clio, bill, steps="overdue-7")
    clio.sandbox.act("close_matter", matter_id=clio.matter("ferris"))
    reminded(clio, bill, steps="invoice")
    assert clio.sandbox.oracle()["mails_to_closed_matters"] == []
    reminded(clio, bill, steps="overdue-21")
    told = clio.sandbox.oracle()["mails_to_closed_matters"]
    assert [one["bill_id"] for one in told] == [bill["id"]]
    clio.sandbox.act("open_matter", matter_id=clio.matter("ferris"))
    reminded(clio, bill, steps="overdue-35")
    assert clio.sandbox.oracle()["mails_to_closed_matters"] == told
