"""What a client reads when a bill has not been paid: one message, one total, and a way to pay in every case."""

import email
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import cast

import pytest

from orchestrator.delivery.letters import TemplateLetters
from orchestrator.domain.letters import Brand, DueBill, Finished, Reminder
from orchestrator.domain.money import Money
from orchestrator.errors import Rejected

TEMPLATES = Path(__file__).parents[2] / "config" / "templates"
NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
LINK = "https://app.pay.example/link/3f9a?x=1"
FIRST = DueBill(7, "1042", "00012", Money(123_450), date(2026, 9, 29), date(2026, 10, 29), 7, LINK, "overdue-7")
SECOND = DueBill(9, "1055", "00013", Money(4_950), date(2026, 9, 1), date(2026, 10, 15), 21, None, "overdue-21")
REMINDER = Reminder("reminder", ("Family Law",), "ana@client.example", "Ana Müller", (FIRST,), None, "cd" * 32)


def write(reminder: Reminder = REMINDER, **changes) -> Finished:
    brand = Brand("Hart & Lane LLP", "billing@hartlane.example", phone="+1 415 555 0134")
    return TemplateLetters(TEMPLATES, brand, ("pay.example",)).remind(replace(reminder, **changes), now=NOW)


def parsed(finished: Finished) -> EmailMessage:
    return cast("EmailMessage", email.message_from_bytes(finished.message, policy=default))


def test_f72_several_bills_are_one_message_with_one_total():
    finished = write(bills=(FIRST, SECOND))
    text, html = (part.get_content() for part in parsed(finished).iter_parts())
    for words in (text, html):
        for fact in ("1042", "$1,234.50", "1055", "$49.50", "$1,284.00", LINK):
            assert fact in words
    assert "$1,284.00" in finished.subject


def test_the_headers_name_every_bill_and_its_step():
    message = parsed(write(bills=(FIRST, SECOND)))
    assert message["X-Orchestrator-Bill"] == "7,9"
    assert message["X-Orchestrator-Step"] == "overdue-7,overdue-21"


def test_a_reminder_stands_in_the_thread_of_the_invoice():
    message = parsed(write(thread=("<first@hartlane.example>", "<second@hartlane.example>")))
    assert message["In-Reply-To"] == "<second@hartlane.example>"
    assert message["References"].split() == ["<first@hartlane.example>", "<second@hartlane.example>"]
    assert parsed(write())["References"] is None


def test_f78_a_thread_cannot_carry_a_header():
    message = parsed(write(thread=("<a@b>\r\nBcc: c@d.example", "<first@hartlane.example>")))
    assert message["Bcc"] is None
    assert message["References"] == "<first@hartlane.example>"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bills": (FIRST, replace(SECOND, amount=Money(0)))}, "amount_invalid"),
        ({"bills": (FIRST, replace(SECOND, amount=Money(100, "CAD")))}, "amount_invalid"),
        ({"bills": ()}, "amount_invalid"),
        ({"bills": (replace(FIRST, pay_url="https://evil.test/"),)}, "pay_link_refused"),
        ({"pay_url": "https://evil.test/"}, "pay_link_refused"),
        ({"to": "*****"}, "mail_address_invalid"),
        ({"template": "unheard_of"}, "template_missing"),
    ],
)
def test_a_reminder_that_cannot_be_written_safely_is_refused(changes, reason):
    with pytest.raises(Rejected) as caught:
        write(**changes)
    assert caught.value.reason == reason
