"""What a client reads when a bill has not been paid: one message, one total, and a way to pay in every case."""

import email
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.delivery.letters import TemplateLetters
from orchestrator.domain.letters import Brand, DueBill, Finished, Reminder, Wider
from orchestrator.domain.money import Money
from orchestrator.errors import Rejected

TEMPLATES = Path(__file__).parents[2] / "config" / "templates"
REGIONS = ["en-US", "en-CA", "fr-CA", "en-GB", "en-AU"]
TRUST = ["trust_request", "trust_request_again", "replenish", "replenish_again"]
NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
LINK = "https://app.pay.example/link/3f9a?x=1"
FIRST = DueBill(7, "1042", "00012", Money(123_450), date(2026, 9, 29), date(2026, 10, 29), 7, LINK, "overdue-7")
SECOND = DueBill(9, "1055", "00013", Money(4_950), date(2026, 9, 1), date(2026, 10, 15), 21, None, "overdue-21")
REMINDER = Reminder("reminder", ("Family Law",), "ana@client.example", "Ana Müller", (FIRST,), None, "cd" * 32)


BRAND = Brand("Hart & Lane LLP", "billing@hartlane.example", phone="+1 415 555 0134")
LETTERS = TemplateLetters(TEMPLATES, BRAND, ("pay.example",))


def write(reminder: Reminder = REMINDER, **changes) -> Finished:
    return LETTERS.remind(replace(reminder, **changes), now=NOW)


def parsed(finished: Finished) -> EmailMessage:
    return cast("EmailMessage", email.message_from_bytes(finished.message, policy=default))


class Page(HTMLParser):
    """The links and the visible words of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return flat(" ".join(self.words))


def flat(words: str) -> str:
    return " ".join(words.split())


def both(finished: Finished) -> tuple[str, Page]:
    text, html = parsed(finished).iter_parts()
    return text.get_content(), Page(html.get_content())


def test_f72_several_bills_are_one_message_with_one_total():
    finished = write(bills=(FIRST, SECOND))
    text, html = (part.get_content() for part in parsed(finished).iter_parts())
    for words in (text, html):
        for fact in ("1042", "$1,234.50", "1055", "$49.50", "$1,284.00", LINK):
            assert fact in words
    assert finished.subject == "A reminder: 2 invoices from Hart & Lane LLP"


def test_the_headers_name_every_bill_and_its_step():
    message = parsed(write(bills=(FIRST, SECOND)))
    assert message["X-Orchestrator-Bill"] == "7,9"
    assert message["X-Orchestrator-Step"] == "overdue-7,overdue-21"


def test_the_lines_of_a_letter_about_a_hundred_bills_stay_short():
    many = tuple(replace(FIRST, bill_id=10**9 + n) for n in range(100))
    finished = write(bills=many)
    assert max(map(len, finished.message.split(b"\r\n"))) < 300
    assert len(parsed(finished)["X-Orchestrator-Bill"].split(",")) == 100
    assert {step.strip() for step in parsed(finished)["X-Orchestrator-Step"].split(",")} == {"overdue-7"}


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


WAYS = {
    "one": (FIRST,),
    "each": (FIRST, replace(SECOND, pay_url=LINK)),
    "some": (FIRST, SECOND),
    "none": (replace(FIRST, pay_url=None), SECOND),
    "none of one": (SECOND,),
}


@pytest.mark.parametrize("way", WAYS)
def test_there_is_always_a_way_to_pay(way):
    text = write(bills=WAYS[way]).text
    assert text.count(LINK) == sum(1 for bill in WAYS[way] if bill.pay_url)
    if "none" in way:
        assert "check or bank transfer" in text
        assert "call +1 415 555 0134" in text
    assert ("An invoice without a link" in text) == (way == "some")


def test_one_link_for_all_bills_stands_alone():
    text = write(bills=(FIRST, SECOND), pay_url=f"{LINK}&all").text
    assert text.count("https://") == 1
    assert "To pay $1,284.00 securely online" in text


def test_several_bills_are_lines_that_align():
    lines = write(bills=(FIRST, SECOND)).text.splitlines()
    table = [line for line in lines if line.endswith(("$1,234.50", "$49.50", "$1,284.00", "Amount due"))]
    assert len(table) == 4
    assert len({len(line) for line in table}) == 1


@pytest.mark.parametrize("template", TRUST)
@pytest.mark.parametrize("region", REGIONS)
def test_money_asked_for_in_advance_is_never_called_late(template, region):
    finished = write(template=template, region=region, bills=(FIRST, SECOND))
    words = f"{finished.subject} {finished.text}".lower()
    late = (
        "overdue",
        "was due",
        "past due",
        "outstanding",
        "late",
        "reminder",
        "amount due",
        "rappel",
        "échéance",
        "retard",
        "en souffrance",
        "facture ",
    )
    assert [word for word in late if re.search(rf"\b{word}\b", words)] == []


@pytest.mark.parametrize("template", [*TRUST, "reminder", "reminder_link"])
@pytest.mark.parametrize("region", REGIONS)
def test_a_reminder_threatens_nobody_and_says_nothing_of_the_case(template, region):
    finished = write(template=template, region=region)
    words = finished.text.lower()
    for word in (
        "legal action",
        "collection",
        "immediately",
        "final notice",
        "must pay",
        "interest",
        "credit bureau",
        "mise en demeure",
        "recouvrement",
        "gst",
        "vat",
        "tps",
    ):
        assert not re.search(rf"\b{word}\b", words)
    assert "00012" not in finished.subject
    assert "Family" not in finished.subject


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("template", [*TRUST, "reminder", "reminder_link"])
@pytest.mark.parametrize("way", WAYS)
def test_text_says_what_the_page_says(region, template, way):
    """Word for word, but for what only one of them can have: a column's place, a button."""
    finished = write(template=template, region=region, bills=WAYS[way])
    text, page = both(finished)
    for paragraph in text.split("\n\n"):
        if "  " not in paragraph and "://" not in paragraph and not paragraph.endswith((":", "\u00a0:")):
            for line in paragraph.splitlines():
                assert flat(line) in page.text
    for bill in WAYS[way]:
        for said in (flat(text), page.text):
            assert bill.number in said
            assert bill.matter_number in said
    assert sorted({link for link in page.links if "://" in link}) == sorted(
        {word for word in text.split() if "://" in word}
    )


@given(
    st.lists(
        st.builds(
            DueBill, st.integers(1, 9), st.text(max_size=60), st.none() | st.text(max_size=60),
            st.builds(Money, st.integers(1, 10**9)), st.none() | st.dates(), st.none() | st.dates(),
            st.integers(-5, 999), st.none() | st.just(LINK),
        ),
        min_size=1, max_size=12,
    ),
    st.sampled_from(REGIONS), st.sampled_from([*TRUST, "reminder", "reminder_link"]), st.none() | st.just(LINK),
)  # fmt: skip
def test_f78_whatever_the_bills_are_called_links_lead_to_the_payment_host_only(bills, region, template, pay_url):
    finished = write(template=template, region=region, bills=tuple(bills), pay_url=pay_url)
    text, page = both(finished)
    assert {link for link in page.links if not link.startswith("mailto:")} <= {LINK}
    assert "://" not in text.replace(LINK, "")
    assert "None" not in text
    assert "\n\n\n" not in text
    assert finished.message == write(template=template, region=region, bills=tuple(bills), pay_url=pay_url).message


@pytest.mark.parametrize(
    ("region", "said"),
    [("en-US", "To pay only the $1,234.50 above"), ("fr-CA", "Pour ne payer que les 1\xa0234,50\xa0$\xa0US ci-dessus")],
)
def test_one_link_for_more_than_the_letter_is_about_says_what_it_collects(region, said):
    numbers = tuple(str(number) for number in range(1040, 1060))
    finished = write(
        bills=(replace(FIRST, pay_url=None),), pay_url=LINK, wider=Wider(numbers, Money(250_000)), region=region
    )
    text, page = both(finished)
    sum_ = "$2,500.00" if region == "en-US" else "2\xa0500,00\xa0$\xa0US"
    for words in (text.replace("\n", " "), page.text.replace("  ", " ")):
        assert flat(said) in flat(words)
        assert "1040, 1041" in words
        assert "1051, …" in words
        assert flat(words).count(flat(sum_)) >= 2
    assert page.links.count(LINK) == 2
