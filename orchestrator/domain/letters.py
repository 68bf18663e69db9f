"""What a client is told about a bill: facts only, words live in `config/templates`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from orchestrator.domain.money import Money


@dataclass(frozen=True, slots=True)
class DrawNotice:
    """What a client must be told before trust money pays their bill (T18): the day, what is left, and the bill's items.

    An item is its day and cents, never the nature of the work (T48).
    """

    on: date
    left: Money
    items: tuple[tuple[date, int], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one client about one bill.

    `step` names the template (`invoice`, `invoice_revised`, …); `matter_types` are tried in order for a variant of it
    (practice area, then billing method); `key` is the effect key that makes the Message-ID (W6). The matter appears by
    number only (T48).
    """

    step: str
    matter_types: tuple[str, ...]
    to: str
    client_name: str
    bill_id: int
    bill_number: str
    matter_number: str | None
    amount: Money
    due_on: date | None
    issued_on: date | None
    pay_url: str
    key: str
    draw: DrawNotice | None = None
    """Such a letter asks for nothing and carries no address to pay at."""
    office: str | None = None
    region: str | None = None
    """A BCP 47 tag such as `fr-CA` where the client's language is known; None is that of the brand."""


@dataclass(frozen=True, slots=True)
class DueBill:
    """One bill that a reminder is about; `step` is the key of its step in the sequence that it is in.

    `days_overdue` is counted from the bill's own due date, never from the client's oldest bill. Without `pay_url`, and
    without one link for all, the letter says how to pay otherwise.
    """

    bill_id: int
    number: str
    matter_number: str | None
    amount: Money
    issued_on: date | None
    due_on: date | None
    days_overdue: int
    pay_url: str | None
    step: str = ""


@dataclass(frozen=True, slots=True)
class Wider:
    """What a reminder's one link collects, where that is more than the reminder is about: which bills, and their sum."""

    numbers: tuple[str, ...]
    amount: Money


@dataclass(frozen=True, slots=True)
class Reminder:
    """One message to one client about every bill that is due a step today: one currency, one total (F72).

    `template` names its words (`reminder`, `reminder_link`, `trust_request`, …); `pay_url` is one link for all of them;
    `thread` are the Message-IDs before it, oldest first, so that a mail program shows the sequence as one conversation.
    """

    template: str
    matter_types: tuple[str, ...]
    to: str
    client_name: str
    bills: tuple[DueBill, ...]
    pay_url: str | None
    key: str
    thread: tuple[str, ...] = ()
    region: str | None = None
    office: str | None = None
    stop_url: str | None = None
    """Where a mail program's unsubscribe button leads, to be posted to and never to be opened (RFC 8058)."""
    wider: Wider | None = None


@dataclass(frozen=True, slots=True)
class Brand:
    """How the firm presents itself; `locale` is a BCP 47 tag such as `en-US` or `fr-CA`.

    `footer` are lines that must stand under every letter (a regulator's, a registration number); `words` names a folder of
    `config/templates` with words of this brand's own.
    """

    firm_name: str
    sender: str
    reply_to: str | None = None
    phone: str | None = None
    address: str | None = None
    colour: str = "#1f3a5f"
    locale: str = "en-US"
    footer: tuple[str, ...] = ()
    words: str | None = None


@dataclass(frozen=True, slots=True)
class BrandRule:
    """The brand of some matters: those of a practice area (or billing method), of an office, or of both."""

    brand: Brand
    practice_area: str | None = None
    office: str | None = None

    def goes_by(self, name: str) -> bool:
        """Whether a person would call this brand so."""
        return name.casefold() in {
            one.casefold() for one in (self.brand.firm_name, self.practice_area, self.office) if one
        }


def brand_for(rules: Sequence[BrandRule], default: Brand, *, matter_types: Sequence[str], office: str | None) -> Brand:
    """The brand of the first rule that fits; what a rule leaves out fits everything."""
    types, place = {one.casefold() for one in matter_types}, (office or "").casefold()
    for rule in rules:
        if (rule.practice_area is None or rule.practice_area.casefold() in types) and (
            rule.office is None or rule.office.casefold() == place
        ):
            return rule.brand
    return default


@dataclass(frozen=True, slots=True)
class Headers:
    """What a firm has its messages carry for machines; nothing of it unless configured.

    `unsubscribe` is an address that a mail program's button writes to. `key` is the name of the header by which the relay
    knows a letter it was handed before.
    """

    unsubscribe: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A letter ready for the relay: `message` is the whole RFC 5322 text."""

    message: bytes
    message_id: str
    subject: str
    text: str
    recipient: str
    sender: str
