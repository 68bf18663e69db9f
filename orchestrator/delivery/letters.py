"""Facts about a bill become one message: plain text and HTML that say the same, the same bytes every time."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from email import policy
from email.charset import QP, Charset
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency

from orchestrator.delivery.plain import header, mail_address, mailbox, one_line, pay_link
from orchestrator.delivery.templates import TemplateSet
from orchestrator.domain.letters import Brand, BrandRule, DueBill, Finished, Headers, Letter, Reminder, brand_for
from orchestrator.domain.money import Money
from orchestrator.errors import Rejected

NAME, NUMBER, POSTAL = 80, 40, 200
"""The longest name, number and postal address a letter shows (F78)."""

MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,200}>", re.ASCII)
LONGEST_THREAD = 20
A_FEW = 12
"""Bills that one sentence names."""

A_LINE = 20
"""Bills on one line of a header."""

# Headers arrive here folded; folding again would put a long key on a line of its own.
WIRE = policy.compat32.clone(linesep="\r\n", max_line_length=998)


@dataclass(frozen=True, slots=True)
class Line:
    """One bill of a letter, in finished words; `pay_url` only where it has a link of its own."""

    number: str
    matter: str
    amount: str
    due_on: str
    days: str
    pay_url: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a template may say: finished words, blank where the letter is silent. docs/letters.md tells them to a firm.

    `way` is how to pay: `one` link, `each` bill its own, `some` of them, `none`, or `draw`: nothing is asked for.
    """

    lang: str
    firm_name: str
    reply_to: str
    phone: str
    address: str
    footer: tuple[str, ...]
    colour: str
    ink: str
    client_name: str
    count: int
    bill_number: str
    matter_number: str
    amount: str
    due_on: str
    issued_on: str
    days: str
    pay_url: str
    pay_amount: str
    pay_for: str
    way: str
    draw_on: str
    left: str
    items: tuple[str, ...]
    bills: tuple[Line, ...]

    @property
    def named(self) -> tuple[tuple[str, object], ...]:
        """Each fact with its name, as a template knows it."""
        return tuple((field.name, getattr(self, field.name)) for field in fields(self))


def _samples() -> Iterator[Facts]:
    """What every template is tried with: one bill and two, everything known and nothing, each way to pay."""
    words = {field.name: field.name for field in fields(Facts)}
    line = Line(*(field.name for field in fields(Line)))
    for way in ("one", "each", "some", "none", "draw"):
        listed = {"footer": ("line",), "items": ("item",), "count": 1, "bills": (line,)}
        full: dict[str, Any] = {**words, **listed, "way": way}
        yield Facts(**full)
        yield Facts(**full | {"count": 2, "bills": (line, replace(line, pay_url=""))})
        silent = {name: type(value)() for name, value in full.items()}
        yield Facts(**silent | {"way": way, "count": 1, "bills": (Line(*[""] * len(fields(Line))),)})


SAMPLES = tuple(sample.named for sample in _samples())


class Style:
    """A brand in one language, checked: who writes, and how money and dates are said."""

    def __init__(self, brand: Brand, locale: str) -> None:
        self.sender = mail_address(brand.sender)
        self.reply_to = mail_address(brand.reply_to or brand.sender)
        self.firm_name = one_line(brand.firm_name, NAME)
        self.phone = one_line(brand.phone or "", NUMBER)
        self.address = one_line(", ".join((brand.address or "").splitlines()), POSTAL)
        self.footer = tuple(one_line(line, POSTAL) for line in brand.footer)
        self.colour, self.ink = brand.colour, ink_on(brand.colour)
        self.words = brand.words
        try:
            self.locale = Locale.parse(locale, sep="-")
        except (ValueError, UnknownLocaleError) as fault:
            raise Rejected(f"{locale!r} is not a locale we know.", reason="brand_invalid") from fault
        self.tag = str(self.locale).replace("_", "-")
        if not self.firm_name:
            raise Rejected("Letters need the firm's name.", reason="brand_invalid")

    def money(self, money: Money) -> str:
        return format_currency(money.amount, money.currency, locale=self.locale)

    def date(self, day: date | None) -> str:
        return format_date(day, "long", locale=self.locale) if day else ""


class TemplateLetters:
    """The firm's words from a folder of templates; a brand, template or host list that cannot work is refused here, at start."""

    def __init__(
        self, templates: Path, brand: Brand, pay_hosts: Iterable[str], *, rules: Sequence[BrandRule] = (),
        headers: Headers | None = None,
    ) -> None:  # fmt: skip
        self.pages = TemplateSet.load(templates, SAMPLES)
        self._pay_hosts = frozenset(host.lower() for host in pay_hosts)
        self._brand, self._rules = brand, tuple(rules)
        self._headers = headers or Headers()
        self._unsubscribe = mail_address(self._headers.unsubscribe) if self._headers.unsubscribe else None
        self._styles: dict[tuple[Brand, str], Style] = {}
        for one in (brand, *(rule.brand for rule in self._rules)):
            style = self._style(one, one.locale)
            if missing := self.pages.wanting(style.tag):
                raise Rejected(f"There is no {missing[0]!r} in {style.tag}.", reason="template_missing")

    @property
    def brands(self) -> list[BrandRule]:
        """Every brand, with the matters that have it; the firm's own, for all the rest, comes first."""
        return [BrandRule(self._brand), *self._rules]

    def speaks(self, locale: str) -> bool:
        """Whether every letter can be written in this locale."""
        return self._spoken(locale) is not None

    def write(self, letter: Letter, *, now: datetime) -> Finished:
        """The finished message, the same bytes for the same letter and `now`; `Rejected` when it cannot be written safely."""
        if letter.amount.cents <= 0:
            raise Rejected(f"Nothing is left to ask for on bill {letter.bill_id}.", reason="amount_invalid")
        style, draw = self._style_of(letter), letter.draw
        url = pay_link(letter.pay_url, self._pay_hosts) if draw is None else ""
        bill = DueBill(
            letter.bill_id, letter.bill_number, letter.matter_number, letter.amount, letter.issued_on, letter.due_on,
            days_overdue=0, pay_url=None, step=letter.step,
        )  # fmt: skip
        facts = self._facts(style, letter, (bill,), pay_url=url)
        if draw is not None:
            items = tuple(
                f"{style.date(day)}: {style.money(Money(cents, letter.amount.currency))}" for day, cents in draw.items
            )
            facts = replace(facts, way="draw", draw_on=style.date(draw.on), left=style.money(draw.left), items=items)
        return self._finish(style, letter.step, letter, facts, (bill,), now=now)

    def remind(self, reminder: Reminder, *, now: datetime) -> Finished:
        """The same for a reminder of one or several bills, in the thread of what the client had before."""
        bills = reminder.bills
        if not bills or any(bill.amount.cents <= 0 for bill in bills):
            raise Rejected("Nothing is left to ask for on a bill of this reminder.", reason="amount_invalid")
        if len({bill.amount.currency for bill in bills}) > 1:
            raise Rejected("A reminder is of bills in one currency.", reason="amount_invalid")
        style = self._style_of(reminder)
        alone = reminder.pay_url or (bills[0].pay_url if len(bills) == 1 else None)
        facts = self._facts(style, reminder, bills, pay_url=pay_link(alone, self._pay_hosts) if alone else "")
        if reminder.wider is not None:
            facts = replace(
                facts, pay_amount=style.money(reminder.wider.amount), pay_for=_in_short(reminder.wider.numbers)
            )
        return self._finish(style, reminder.template, reminder, facts, bills, now=now)

    def _style_of(self, letter: Letter | Reminder) -> Style:
        brand = brand_for(self._rules, self._brand, matter_types=letter.matter_types, office=letter.office)
        return self._style(brand, self._spoken(letter.region) or brand.locale)

    def _spoken(self, region: str | None) -> str | None:
        """The client's own language is a wish: a letter in the firm's is better than none, or than one half translated."""
        with suppress(ValueError, UnknownLocaleError):
            tag = str(Locale.parse(region or "", sep="-")).replace("_", "-")
            return None if self.pages.wanting(tag) else tag
        return None

    def _style(self, brand: Brand, locale: str) -> Style:
        key = (brand, locale)
        if key not in self._styles:
            self._styles[key] = Style(brand, locale)
        return self._styles[key]

    def _facts(self, style: Style, letter: Letter | Reminder, bills: Sequence[DueBill], *, pay_url: str) -> Facts:
        lines = tuple(
            Line(
                number=one_line(bill.number, NUMBER),
                matter=one_line(bill.matter_number or "", NUMBER),
                amount=style.money(bill.amount),
                due_on=style.date(bill.due_on),
                days=str(bill.days_overdue) if bill.days_overdue > 0 else "",
                pay_url=pay_link(bill.pay_url, self._pay_hosts) if bill.pay_url and not pay_url else "",
            )
            for bill in bills
        )
        alone = lines[0] if len(lines) == 1 else Line("", "", "", "", "", "")
        linked = sum(1 for line in lines if line.pay_url)
        amount = style.money(Money(sum(bill.amount.cents for bill in bills), bills[0].amount.currency))
        return Facts(
            lang=style.tag,
            firm_name=style.firm_name,
            reply_to=style.reply_to,
            phone=style.phone,
            address=style.address,
            footer=style.footer,
            colour=style.colour,
            ink=style.ink,
            client_name=one_line(letter.client_name, NAME),
            count=len(lines),
            bill_number=alone.number,
            matter_number=alone.matter,
            amount=amount,
            due_on=alone.due_on,
            issued_on=style.date(bills[0].issued_on) if len(bills) == 1 else "",
            days=alone.days,
            pay_url=pay_url,
            pay_amount=amount,
            pay_for="",
            way="one" if pay_url else "none" if not linked else "each" if linked == len(lines) else "some",
            draw_on="",
            left="",
            items=(),
            bills=lines,
        )

    def _finish(
        self, style: Style, step: str, letter: Letter | Reminder, facts: Facts, bills: Sequence[DueBill], *, now: datetime
    ) -> Finished:  # fmt: skip
        recipient = mail_address(letter.to)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", letter.key):
            raise Rejected("A letter's key is letters and digits.", reason="key_invalid")
        page = self.pages.find(step, map(slug, letter.matter_types), style.tag, style.words)
        subject, text, html = page.render(dict(facts.named))
        message_id = f"<{letter.key[:40]}@{style.sender.rpartition('@')[2]}>"
        message = MIMEMultipart("alternative", boundary=f"=_{letter.key[:40]}")
        message["From"] = mailbox(facts.firm_name, style.sender)
        message["To"] = mailbox(facts.client_name, recipient)
        message["Reply-To"] = mailbox(facts.firm_name, style.reply_to)
        message["Subject"] = header(subject)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = message_id
        for name, value in self._threading(letter, message_id):
            message[name] = value
        message["Content-Language"] = style.tag
        message["Auto-Submitted"] = "auto-generated"
        for name, value in self._leaving(letter):
            message[name] = value
        if self._headers.key:
            message[self._headers.key] = letter.key
        message["X-Orchestrator-Key"] = letter.key
        message["X-Orchestrator-Bill"] = _listed([str(bill.bill_id) for bill in bills])
        message["X-Orchestrator-Step"] = _listed([bill.step or step for bill in bills])
        message.attach(_part("plain", text))
        message.attach(_part("html", html))
        return Finished(message.as_bytes(policy=WIRE), message_id, subject, text, recipient, style.sender)

    def _leaving(self, letter: Letter | Reminder) -> Iterator[tuple[str, str]]:
        """The ways out that a mail program shows as a button: by one click (RFC 8058) first, for it is tried first."""
        stop = letter.stop_url if isinstance(letter, Reminder) else None
        ways = [f"<{stop}>"] if stop else []
        ways += [f"<mailto:{self._unsubscribe}>"] if self._unsubscribe else []
        if ways:
            yield "List-Unsubscribe", ",\r\n ".join(ways)
        if stop:
            yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"

    @staticmethod
    def _threading(letter: Letter | Reminder, message_id: str) -> Iterator[tuple[str, str]]:
        thread = letter.thread if isinstance(letter, Reminder) else ()
        before = [one for one in thread if MESSAGE_ID.fullmatch(one) and one != message_id][-LONGEST_THREAD:]
        if before:
            yield "In-Reply-To", before[-1]
            yield "References", "\r\n ".join(before)


def _in_short(numbers: Sequence[str]) -> str:
    """Numbers of bills in a sentence: all of them, or the first few of very many."""
    said = [one_line(number, NUMBER) for number in numbers[:A_FEW]]
    return ", ".join([*said, "…"] if len(numbers) > A_FEW else said)


def _listed(words: Sequence[str]) -> str:
    """Words with commas between them, folded: a relay may refuse a line of a thousand characters (RFC 5322)."""
    return ",\r\n ".join(",".join(words[i : i + A_LINE]) for i in range(0, len(words), A_LINE))


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
