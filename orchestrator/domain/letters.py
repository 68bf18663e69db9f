"""What a client is told about a bill: facts only, words live in `config/templates`."""

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


@dataclass(frozen=True, slots=True)
class Brand:
    """How the firm presents itself; `locale` is a BCP 47 tag such as `en-US` or `fr-CA`."""

    firm_name: str
    sender: str
    reply_to: str | None = None
    phone: str | None = None
    address: str | None = None
    colour: str = "#1f3a5f"
    locale: str = "en-US"


@dataclass(frozen=True, slots=True)
class Finished:
    """A letter ready for the relay: `message` is the whole RFC 5322 text."""

    message: bytes
    message_id: str
    subject: str
    text: str
    recipient: str
    sender: str
