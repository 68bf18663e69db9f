"""What a client reads, and what nobody can make us write (F78)."""

import email
import re
import string
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.delivery.letters import TemplateLetters, ink_on, slug
from orchestrator.delivery.plain import JOINERS, one_line, pay_link
from orchestrator.domain.letters import Brand, DrawNotice, Finished, Letter
from orchestrator.domain.money import Money
from orchestrator.errors import Rejected

TEMPLATES = Path(__file__).parents[2] / "config" / "templates"
STEPS = [("", "invoice"), ("flat", "invoice"), ("", "invoice_link"), ("", "invoice_revised"), ("", "trust_notice")]
ASKING = [(variant, step) for variant, step in STEPS if step != "trust_notice"]
"""Letters that ask for money, and so carry an address to pay at."""
NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
BRAND = Brand(
    "Hart & Lane LLP",
    "billing@hartlane.example",
    "help@hartlane.example",
    "+1 415 555 0134",
    "100 Main Street\nSuite 4",
)
LETTER = Letter(
    step="invoice",
    matter_types=("Family Law", "hourly"),
    to="ana@client.example",
    client_name="Ana Müller, Jr.",
    bill_id=7,
    bill_number="1042",
    matter_number="00012",
    amount=Money(123_450),
    due_on=date(2026, 12, 4),
    issued_on=date(2026, 11, 4),
    pay_url="https://app.pay.example/link/3f9a?ref=OB-ABC&x=1",
    key="ab" * 32,
)


def letters(brand: Brand = BRAND, hosts: tuple[str, ...] = ("pay.example",)) -> TemplateLetters:
    return TemplateLetters(TEMPLATES, brand, hosts)


LETTERS = letters()


def write(letter: Letter = LETTER, **changes) -> Finished:
    return LETTERS.write(replace(letter, **changes), now=NOW)


def parsed(finished: Finished) -> EmailMessage:
    return cast("EmailMessage", email.message_from_bytes(finished.message, policy=default))


class Page(HTMLParser):
    """The tags, links and visible words of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def parts(finished: Finished) -> tuple[str, Page]:
    text, html = parsed(finished).iter_parts()
    return text.get_content(), Page(html.get_content())


def reason(**changes) -> str:
    with pytest.raises(Rejected) as caught:
        write(**changes)
    return caught.value.reason


def test_the_subject_says_what_is_owed_to_whom_by_when():
    assert write().subject == "Invoice 1042 from Hart & Lane LLP — $1,234.50 due December 4, 2026"
    assert write(due_on=None).subject == "Invoice 1042 from Hart & Lane LLP — $1,234.50"
    assert parsed(write())["Subject"] == write().subject


def test_the_headers_name_the_letter_the_bill_and_the_people():
    message = parsed(write())
    assert str(message["From"]) == "Hart & Lane LLP <billing@hartlane.example>"
    assert str(message["To"]) == '"Ana Müller, Jr." <ana@client.example>'
    assert str(message["Reply-To"]) == "Hart & Lane LLP <help@hartlane.example>"
    assert message["Message-ID"] == f"<{'ab' * 20}@hartlane.example>" == write().message_id
    assert message["Date"] == "Thu, 05 Nov 2026 09:30:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Orchestrator-Key"] == LETTER.key
    assert message["X-Orchestrator-Bill"] == "7"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert parts(write())[0].replace("\r\n", "\n") == write().text


def test_the_same_letter_is_the_same_bytes_every_time():
    assert write().message == letters().write(LETTER, now=NOW).message


def test_f77_a_later_attempt_keeps_its_message_id():
    later = LETTERS.write(LETTER, now=datetime(2026, 11, 6, tzinfo=UTC))
    assert later.message_id == write().message_id


def test_a_letter_is_seven_bits_in_short_crlf_lines():
    lines = write(client_name="北京 " * 40 + "🙂").message.split(b"\r\n")
    assert max(map(len, lines)) <= 100
    assert all(line.isascii() and b"\n" not in line and b"\r" not in line for line in lines)


CARD = {"en": "never send card", "fr": "jamais de données de carte"}
ONCE = {"en": "works once", "fr": "sert qu’une fois"}
AMOUNTS = {
    ("en-US", "USD"): ("$1,234.50", "December 4, 2026"),
    ("en-CA", "CAD"): ("$1,234.50", "December 4, 2026"),
    ("fr-CA", "CAD"): ("1\xa0234,50\xa0$", "4 décembre 2026"),
    ("en-GB", "GBP"): ("£1,234.50", "4 December 2026"),
    ("en-AU", "AUD"): ("$1,234.50", "4 December 2026"),
    ("en-US", "CAD"): ("CA$1,234.50", "December 4, 2026"),
}


@pytest.mark.parametrize(("variant", "step"), ASKING)
@pytest.mark.parametrize("place", AMOUNTS, ids="/".join)
def test_text_says_exactly_what_html_says(variant, step, place):
    locale, currency = place
    amount, due = AMOUNTS[place]
    letter = replace(LETTER, step=step, matter_types=(variant,), amount=Money(123_450, currency))
    finished = letters(replace(BRAND, locale=locale)).write(letter, now=NOW)
    text, page = parts(finished)
    for words in (text, page.text):
        flat = " ".join(words.split())
        for fact in (
            " ".join(amount.split()),
            due,
            "1042",
            "00012",
            LETTER.pay_url,
            ONCE[locale[:2]],
            CARD[locale[:2]],
        ):
            assert fact in flat
    assert amount in text
    assert page.links.count(LETTER.pay_url) == 2
    for figure in re.findall(r"[$£]\s?[\d,.]+\d|\d[\d\s]*,\d\d", finished.subject + text + page.text):
        assert figure.strip("$£") in amount.replace("\xa0", " ") or figure.strip("$£") in amount


def test_T18_a_notice_of_a_draw_says_the_same_in_text_and_page_and_asks_for_nothing():
    told = DrawNotice(date(2026, 12, 4), Money(40_000), ((date(2026, 11, 2), 60_000), (date(2026, 11, 3), 63_450)))
    letter = replace(LETTER, step="trust_notice", amount=Money(123_450), pay_url="", draw=told)
    finished = LETTERS.write(letter, now=NOW)
    text, page = parts(finished)
    for words in (text, page.text):
        flat = " ".join(words.split())
        for fact in (
            "$1,234.50",
            "December 4, 2026",
            "$400.00",
            "November 2, 2026: $600.00",
            "November 3, 2026: $634.50",
        ):
            assert fact in flat
        assert "securely online" not in flat
    assert [link for link in page.links if not link.startswith("mailto:")] == []


@pytest.mark.parametrize(("variant", "step"), STEPS)
def test_a_letter_can_be_silent_about_what_is_not_known(variant, step):
    bare = letters(Brand("Hart & Lane LLP", "billing@hartlane.example"))
    letter = replace(
        LETTER, step=step, matter_types=(variant,), due_on=None, issued_on=None, matter_number=None, client_name=" "
    )
    text, page = parts(bare.write(letter, now=NOW))
    for words in (text, page.text):
        assert "Dear Client," in " ".join(words.split())
        assert "None" not in words
        assert "Matter" not in words
    assert "\n\n\n" not in text
    assert "Due date" not in text


def test_the_first_matter_type_with_words_of_its_own_wins():
    assert "flat fee" in write(matter_types=("Family Law", "Flat")).text
    assert "flat fee" not in write(matter_types=("Family Law", "hourly")).text
    assert "has been updated" in write(step="invoice_revised", matter_types=("Flat",)).text


@pytest.mark.parametrize(
    ("matter_type", "folder"),
    [
        ("Family Law", "family-law"),
        ("flat", "flat"),
        ("Propriété & Biens", "propriete-biens"),
        ("../..", ""),
        ("家", ""),
    ],
)
def test_a_matter_type_names_a_folder_and_nothing_else(matter_type, folder):
    assert slug(matter_type) == folder


@pytest.mark.parametrize("step", ["unheard_of", "../en/invoice", "", "layout", "words/", "flat/invoice"])
def test_a_missing_step_is_refused(step):
    assert reason(step=step) == "template_missing"


ADDRESSES = [
    "",
    "   ",
    "*****",
    "ana",
    "ana@",
    "a@b.example\r\nBcc: c@d.example",
    "a@b.example, c@d.example",
    "ünï@client.example",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_we_cannot_write_to_is_refused(address):
    assert reason(to=address) == "mail_address_invalid"


def test_an_international_domain_is_written_in_ascii():
    assert write(to="ana@münchen.example").recipient == "ana@xn--mnchen-3ya.example"


@pytest.mark.parametrize("amount", [Money(0), Money(-1)])
def test_nothing_is_asked_for_when_nothing_is_owed(amount):
    assert reason(amount=amount) == "amount_invalid"


def test_a_key_cannot_carry_a_header():
    assert reason(key="ab\r\nBcc: c@d.example") == "key_invalid"


LINKS = [
    "",
    "javascript:alert(1)",
    "http://app.pay.example/x",
    "https://pay.example.evil.test/x",
    "https://evilpay.example/x",
    "https://pay.example@evil.test/x",
    "https://evil.test\\@pay.example/x",
    "https://evil.test/?pay.example",
    "https://evil.test#.pay.example",
    "https://pay.example./x",
    "https://pay.example/x\r\nBcc: c@d.example",
    'https://pay.example/"onclick="x',
    "https://pay.example/<b>",
    "https://pay.exаmple/x",  # a Cyrillic а
    "//pay.example/x",
    " https://pay.example/x",
    "https://pay.example/" + "x" * 2000,
]


@pytest.mark.parametrize("url", LINKS)
def test_f78_a_link_leads_to_the_payment_host_or_is_refused(url):
    assert reason(pay_url=url) == "pay_link_refused"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/pay/1", "http://localhost/pay", "http://[::1]:9/pay", "https://Pay.Example:443?x#y"]
)
def test_a_link_may_be_plain_http_on_loopback_only(url):
    assert pay_link(url, {"127.0.0.1", "localhost", "[::1]", "pay.example"}) == url


HOSTILE = [
    "Eve\r\nBcc: victim@example.com",
    "Eve\n\n<h1>Pay me</h1>",
    '"Eve" <eve@evil.test>, other',
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "=?utf-8?q?Eve=0D=0ABcc:_victim@example.com?=",
    "\u202egnp.exe\u2066\u200f",
    "https://evil.test/pay http:////evil.test",
    "E" * 10_000,
    "Eve\x00\x07\x1b[31m\x85\u2028Bcc: x\ud800",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 Ω",
]
WORDS = st.text(max_size=120) | st.text(alphabet=string.printable + "\u202e\u2028\x85é🙂", max_size=300)


def hostile(test):
    for name in HOSTILE:
        test = example(name, "1042")(example("Ana", name)(test))
    return given(name=WORDS, number=WORDS)(test)


@hostile
def test_f78_no_name_can_add_a_header_or_a_recipient(name, number):
    finished = write(client_name=name, bill_number=number, matter_number=number)
    message = parsed(finished)
    assert message.keys() == parsed(write()).keys()
    assert [address.addr_spec for address in message["To"].addresses] == ["ana@client.example"]
    assert not message["To"].defects
    assert "\n" not in finished.subject
    assert finished.message.split(b"\r\n\r\n")[0].count(b"\r\n") < 30


@hostile
def test_f78_no_name_can_add_a_tag_or_a_link(name, number):
    text, page = parts(write(client_name=name, bill_number=number, matter_number="1"))
    shown = "1042" if one_line(number, 40) else ""
    plain = parts(write(client_name="Ana", bill_number=shown, matter_number="1"))[1]
    assert page.tags == plain.tags
    assert page.links == plain.links
    assert "://" not in (text + page.text).replace(LETTER.pay_url, "")


@hostile
def test_f78_names_show_no_invisible_marks(name, number):
    shown = one_line(name, 80)
    assert len(shown) <= 80
    assert all(c.isprintable() or c in JOINERS for c in shown)
    assert one_line(shown, 80) == shown
    assert len(write(client_name=name, bill_number=number).subject) < 200


@given(st.integers(0, 0xFFFFFF))
def test_words_on_the_brand_colour_are_always_readable(rgb):
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    colour = f"#{rgb:06x}"
    dark, light = sorted([luminance(colour), luminance(ink_on(colour))])
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sender": "nobody"}, "mail_address_invalid"),
        ({"reply_to": "a@b.example\nBcc: c@d.example"}, "mail_address_invalid"),
        ({"firm_name": "\u202e "}, "brand_invalid"),
        ({"locale": "xx-YY"}, "brand_invalid"),
        ({"locale": "not a locale"}, "brand_invalid"),
        ({"colour": "red;} body {display:none"}, "brand_invalid"),
    ],
)
def test_a_brand_that_cannot_work_is_refused_at_start(change, reason):
    with pytest.raises(Rejected) as caught:
        letters(replace(BRAND, **change))
    assert caught.value.reason == reason


GOOD = {
    "layout.txt": "{{ say.opening }}",
    "layout.html": "<p>{{ say.opening }}</p>",
    "en/words.toml": "",
    "en/a.toml": 'subject = "s"\nopening = "{{ amount }}"',
}


def load(folder: Path, files: dict[str, str]) -> TemplateLetters:
    for name, words in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(words, encoding="utf-8")
    return TemplateLetters(folder, BRAND, ["pay.example"])


def test_a_letter_is_a_layout_and_words(tmp_path):
    finished = load(tmp_path, GOOD).write(replace(LETTER, step="a"), now=NOW)
    assert (finished.subject, finished.text) == ("s", "$1,234.50\n")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {name: text for name, text in GOOD.items() if name != "layout.txt"},
        {name: text for name, text in GOOD.items() if name != "en/a.toml"},
        GOOD | {"en/a.toml": 'opening = "no subject"'},
        GOOD | {"en/a.toml": 'subject = "s"'},
        GOOD | {"en/b.toml": 'subject = "s"\nopening = "o"\nopenning = "o"'},
        GOOD | {"en/b.toml": 'subject = "s"\nopening = 7'},
        GOOD | {"en/b.toml": "subject ="},
        GOOD | {"lost.toml": ""},
        GOOD | {"layout.html": "{{ say.nobody_says_it }}"},
        GOOD | {"layout.html": "{{ nobody_told_us }}"},
        *(
            GOOD | {"en/b.toml": f"subject = 's'\nopening = '{wrong}'"}
            for wrong in (
                "{{ nobody_told_us }}",
                "{% if due_on %}{{ typo }}{% endif %}",
                "{% if %}",
                "{{ amount | euros }}",
                "{{ amount + 1 }}",
                "{{ amount.__class__.__mro__ }}",
                "{{ say.subject }}",
                '{% include "layout.txt" %}',
            )
        ),
    ],
)
def test_templates_that_cannot_work_are_refused_at_start(files, tmp_path):
    with pytest.raises(Rejected) as caught:
        load(tmp_path, files)
    assert caught.value.reason == "template_invalid"


def test_a_language_in_use_must_have_every_letter(tmp_path):
    load(tmp_path, GOOD)
    with pytest.raises(Rejected, match="no 'b' in en-US"):
        load(tmp_path, GOOD | {"fr/b.toml": 'subject = "s"\nopening = "o"'})
