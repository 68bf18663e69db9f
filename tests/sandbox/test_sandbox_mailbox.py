"""The mailbox over real SMTP, and the faults of a relay."""

import smtplib
from email.message import EmailMessage
from urllib.parse import urlsplit

import httpx
import pytest


def letter(**headers):
    message = EmailMessage()
    message["Subject"] = "Invoice 1001 — due"
    message["From"], message["To"] = "firm@harborpine.test", "maya@clients.test"
    message["Message-ID"] = "<bill-1@harborpine.test>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Please pay here: https://pay.example/a?b=1&c=2.")
    message.add_alternative("<p>Please pay <a href='https://pay.example/a?b=1&amp;c=2'>here</a></p>", subtype="html")
    return message


def send(clio, message):
    parts = urlsplit(clio.names["smtp_url"])
    with smtplib.SMTP(parts.hostname, parts.port, timeout=5) as relay:
        relay.send_message(message)


def test_an_accepted_mail_is_kept_whole(clio):
    send(clio, letter(X_Orchestrator_Bill="42"))
    (mail,) = clio.sandbox.mail()
    assert (mail["subject"], mail["to"]) == ("Invoice 1001 — due", ["maya@clients.test"])
    assert mail["message_id"] == "<bill-1@harborpine.test>"
    assert mail["headers"]["X-Orchestrator-Bill"] == "42"
    assert mail["text"].startswith("Please pay here")
    assert clio.sandbox.effects("mail.accepted")[0]["urls"] == ["https://pay.example/a?b=1&c=2"]


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_relay_can_refuse_at_each_stage(clio, stage):
    clio.sandbox.fault("smtp", "reply", stage=stage, code=451)
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)):
        send(clio, letter())
    assert clio.sandbox.mail() == []
    send(clio, letter())
    assert len(clio.sandbox.mail()) == 1


def test_a_line_cut_after_data_leaves_the_mail_accepted(clio):
    clio.sandbox.fault("smtp", "drop_after_data")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        send(clio, letter())
    assert len(clio.sandbox.mail()) == 1


def test_a_relay_can_turn_a_connection_away(clio):
    clio.sandbox.fault("smtp", "refuse")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        send(clio, letter())
    send(clio, letter())
    assert len(clio.sandbox.mail()) == 1


def test_the_mailbox_page_shows_what_arrived_without_running_it(clio):
    message = letter()
    message.get_payload()[1].set_content("<script>steal()</script>", subtype="html")
    send(clio, message)
    page = httpx.get(f"{clio.sandbox.url}/sandbox/mailbox").text
    assert "Invoice 1001" in page
    assert "<script>" not in page
    assert 'sandbox="allow-popups ' in page
    assert "allow-scripts" not in page
