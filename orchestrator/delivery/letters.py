"""Facts about a bill become one message: plain text and HTML that say the same, the same bytes every time."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from email import policy
from email.charset import QP, Charset
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import format_datetime
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency

from orchestrator.delivery.plain import header, mail_address, mailbox, one_line, pay_link
from orchestrator.delivery.templates import TemplateSet
from orchestrator.domain.letters import Brand, Finished, Letter, Reminder
from orchestrator.domain.money import Money
from orchestrator.errors import Rejected

NAME, NUMBER, POSTAL = 80, 40, 200
"""The longest name, number and postal address a letter shows (F78)."""

MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,200}>", re.ASCII)
LONGEST_THREAD = 20

# Headers arrive here folded; folding again would put a long key on a line of its own.
WIRE = policy.compat32.clone(linesep="\r\n", max_line_length=998)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a template may say: finished words, blank where the letter is silent."""

    firm_name: str
    reply_to: str
    phone: str
    address: str
    colour: str
    ink: str
    client_name: str
    bill_number: str
    matter_number: str
    amount: str
    due_on: str
    issued_on: str
    pay_url: str
    draw_on: str
    left: str
    items: str
    bills: tuple["Line", ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One bill of a reminder, in finished words; `pay_url` only where it has a link of its own."""

    number: str
    matter: str
    amount: str
    due_on: str
    pay_url: str


SAMPLE = {field.name: field.name for field in fields(Facts)} | {
    "bills": tuple(Line(*(f"{field.name} {n}" for field in fields(Line))) for n in (1, 2))
}
"""Facts to try a template with."""


class TemplateLetters:
    """The firm's words from a folder of templates; a brand, template or host list that cannot work is refused here, at start."""

    def __init__(self, templates: Path, brand: Brand, pay_hosts: Iterable[str]) -> None:
        self._pages = TemplateSet.load(templates, SAMPLE)
        self._pay_hosts = frozenset(host.lower() for host in pay_hosts)
        self._sender = mail_address(brand.sender)
        self._reply_to = mail_address(brand.reply_to or brand.sender)
        self._firm_name = one_line(brand.firm_name, NAME)
        self._phone = one_line(brand.phone or "", NUMBER)
        self._address = one_line(", ".join((brand.address or "").splitlines()), POSTAL)
        self._colour, self._ink = brand.colour, ink_on(brand.colour)
        try:
            self._locale = Locale.parse(brand.locale, sep="-")
        except (ValueError, UnknownLocaleError) as fault:
            raise Rejected(f"{brand.locale!r} is not a locale we know.", reason="brand_invalid") from fault
        if not self._firm_name:
            raise Rejected("Letters need the firm's name.", reason="brand_invalid")

    def write(self, letter: Letter, *, now: datetime) -> Finished:
        """The finished message, the same bytes for the same letter and `now`; `Rejected` when it cannot be written safely."""
        about = [(letter.bill_id, letter.step)]
        return self._finish(letter, letter.step, self._facts(letter), about, now=now)

    def remind(self, reminder: Reminder, *, now: datetime) -> Finished:
        """The same for a reminder of one or several bills, in the thread of what the client had before."""
        about = [(bill.bill_id, bill.step or reminder.template) for bill in reminder.bills]
        return self._finish(reminder, reminder.template, self._due(reminder), about, now=now)

    def _finish(
        self, letter: Letter | Reminder, template: str, facts: Facts, about: Sequence[tuple[int, str]], *, now: datetime
    ) -> Finished:
        recipient = mail_address(letter.to)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", letter.key):
            raise Rejected("A letter's key is letters and digits.", reason="key_invalid")
        page = self._pages.find(template, map(slug, letter.matter_types))
        subject, text, html = page.render({field.name: getattr(facts, field.name) for field in fields(Facts)})
        message_id = f"<{letter.key[:40]}@{self._sender.rpartition('@')[2]}>"
        message = MIMEMultipart("alternative", boundary=f"=_{letter.key[:40]}")
        message["From"] = mailbox(facts.firm_name, self._sender)
        message["To"] = mailbox(facts.client_name, recipient)
        message["Reply-To"] = mailbox(facts.firm_name, self._reply_to)
        message["Subject"] = header(subject)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = message_id
        thread = letter.thread if isinstance(letter, Reminder) else ()
        if before := [one for one in thread if MESSAGE_ID.fullmatch(one) and one != message_id]:
            message["In-Reply-To"] = before[-1]
            message["References"] = "\r\n ".join(before[-LONGEST_THREAD:])
        message["Auto-Submitted"] = "auto-generated"
        message["X-Orchestrator-Key"] = letter.key
        message["X-Orchestrator-Bill"] = ",".join(str(bill_id) for bill_id, _ in about)
        message["X-Orchestrator-Step"] = ",".join(step for _, step in about)
        message.attach(_part("plain", text))
        message.attach(_part("html", html))
        return Finished(message.as_bytes(policy=WIRE), message_id, subject, text, recipient, self._sender)

    def _facts(self, letter: Letter) -> Facts:
        if letter.amount.cents <= 0:
            raise Rejected(f"Nothing is left to ask for on bill {letter.bill_id}.", reason="amount_invalid")
        draw, currency = letter.draw, letter.amount.currency
        items = draw.items if draw is not None else ()
        return Facts(
            firm_name=self._firm_name,
            reply_to=self._reply_to,
            phone=self._phone,
            address=self._address,
            colour=self._colour,
            ink=self._ink,
            client_name=one_line(letter.client_name, NAME),
            bill_number=one_line(letter.bill_number, NUMBER),
            matter_number=one_line(letter.matter_number or "", NUMBER),
            amount=self._money(letter.amount),
            due_on=self._date(letter.due_on),
            issued_on=self._date(letter.issued_on),
            pay_url=pay_link(letter.pay_url, self._pay_hosts) if draw is None else "",
            draw_on=self._date(draw.on if draw is not None else None),
            left=self._money(draw.left) if draw is not None else "",
            items="\n".join(f"{self._date(day)}: {self._money(Money(cents, currency))}" for day, cents in items),
        )

    def _due(self, reminder: Reminder) -> Facts:
        if any(bill.amount.cents <= 0 for bill in reminder.bills):
            raise Rejected("Nothing is left to ask for on a bill of this reminder.", reason="amount_invalid")
        if len({bill.amount.currency for bill in reminder.bills}) != 1:
            raise Rejected("A reminder is of bills in one currency.", reason="amount_invalid")
        total = Money(sum(bill.amount.cents for bill in reminder.bills), reminder.bills[0].amount.currency)
        links = [bill.pay_url for bill in reminder.bills if bill.pay_url]
        one_link = reminder.pay_url or (links[0] if len(links) == len(reminder.bills) == 1 else None)
        lines = tuple(
            Line(
                number=one_line(bill.number, NUMBER),
                matter=one_line(bill.matter_number or "", NUMBER),
                amount=self._money(bill.amount),
                due_on=self._date(bill.due_on),
                pay_url=pay_link(bill.pay_url, self._pay_hosts) if bill.pay_url and not one_link else "",
            )
            for bill in reminder.bills
        )
        first = reminder.bills[0]
        return Facts(
            firm_name=self._firm_name,
            reply_to=self._reply_to,
            phone=self._phone,
            address=self._address,
            colour=self._colour,
            ink=self._ink,
            client_name=one_line(reminder.client_name, NAME),
            bill_number=lines[0].number if len(lines) == 1 else "",
            matter_number=lines[0].matter if len(lines) == 1 else "",
            amount=self._money(total),
            due_on=lines[0].due_on if len(lines) == 1 else "",
            issued_on=self._date(first.issued_on) if len(lines) == 1 else "",
            pay_url=pay_link(one_link, self._pay_hosts) if one_link else "",
            draw_on="",
            left="",
            items="",
            bills=lines,
        )

    def _money(self, money: Money) -> str:
        return format_currency(money.amount, money.currency, locale=self._locale)

    def _date(self, day: date | None) -> str:
        return format_date(day, "long", locale=self._locale) if day else ""


def slug(matter_type: str) -> str:
    """The folder a matter type's own words live in: `Family Law` is `family-law`."""
    ascii_only = unicodedata.normalize("NFKD", matter_type).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on `colour`: never less than 4.5:1 (WCAG 1.4.3)."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise Rejected(f"{colour!r} is not a colour like #1f3a5f.", reason="brand_invalid")
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)  # noqa: PLR2004 — sRGB
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


def _part(subtype: str, words: str) -> MIMENonMultipart:
    readable = Charset("utf-8")
    readable.body_encoding = QP  # seven bits on any relay, and still legible in the raw
    part = MIMENonMultipart("text", subtype)
    part.set_payload(words, readable)
    return part
