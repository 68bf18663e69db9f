"""The rail `lawpay_page`: what a payment page is asked for, under which reference, and into which account it may collect.

A page's address is unsigned, editable and reusable (gateway notes §7): nothing here is believed when it comes back, it is
compared (`domain.lawpay_payments`).
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from orchestrator.domain.accounts import AccountClass, FirmAccount
from orchestrator.domain.bills import BillKind
from orchestrator.domain.ids import short_key
from orchestrator.domain.links import Rail
from orchestrator.errors import Rejected

LONGEST_REFERENCE = 128
PREFIX = "ORC"
NOTHING = "0"
"""Stands where a bill has no single matter, or a number has no letter or digit in it."""

_LONGEST_PART = 40
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHAPE = re.compile(r"ORC-([A-Z0-9.]{1,40})-([A-Z0-9.]{1,40})-([A-Z2-7]{12})-([0-9A-Z])")
_KEY = re.compile(r"(?<![A-Z0-9])[A-Z2-7]{12}(?![A-Z0-9])")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a reference of ours says; numbers stand in their squeezed form, in capitals."""

    matter_number: str
    bill_number: str
    key: str
    """12 letters and digits of the link's key: `links.reference` holds the whole text."""


def reference_of(link_key: str, *, matter_number: str | None, bill_number: str) -> str:
    """`ORC-<matter number>-<bill number>-<key>-<check character>`, at most 128 characters, the same for the same link."""
    body = "-".join((PREFIX, _squeezed(matter_number or ""), _squeezed(bill_number), key_of(link_key)))
    return f"{body}-{check_character(body)}"


def key_of(link_key: str) -> str:
    """The part of a link's key that its reference carries."""
    return short_key(link_key).removeprefix("OB-")


def parse_reference(text: str) -> Reference | None:
    """The inverse of `reference_of`, whatever the case and the space around it; None for anything that was edited."""
    found = _SHAPE.fullmatch(plain(text))
    if found is None or check_character(found[0].rpartition("-")[0]) != found[4]:
        return None
    return Reference(found[1], found[2], found[3])


def looks_like_ours(text: str) -> bool:
    """Whether a reference that does not parse was ours before somebody edited it."""
    said = plain(text)
    return said.startswith(f"{PREFIX}-") or any(_KEY.finditer(said))


def keys_in(text: str) -> list[str]:
    """What could be our key in a reference that was edited: for a person to look at, never to act on."""
    return _KEY.findall(plain(text))


def plain(text: str) -> str:
    """Capitals without surrounding space, in which two spellings of one reference are the same."""
    return text.strip().upper()


def check_character(body: str) -> str:
    """ISO 7064 MOD 37,36 over the letters and digits of `body`: it notices any one wrong character and nearly any swap."""
    held = 36
    for character in body.upper():
        if character in _ALPHABET:
            held = (held + _ALPHABET.index(character)) % 36 or 36
            held = held * 2 % 37
    return _ALPHABET[(37 - held) % 36]


def page_address(page: str, *, amount_cents: int, reference: str) -> str:
    """The page's address with amount (in cents) and reference filled in and locked; a space is %20, never + (notes §7).

    No name and no e-mail address: whoever reads the address on its way learns nothing about the client.
    """
    if amount_cents <= 0:
        raise Rejected(f"{amount_cents} cents cannot be asked for.", reason="amount_invalid")
    asked = {"amount": str(amount_cents), "reference": reference, "readOnlyFields": "amount,reference"}
    joint = "&" if urlsplit(page).query else "?"
    return page + joint + "&".join(f"{name}={quote(value, safe=',')}" for name, value in asked.items())


CLASS_FOR = {BillKind.REVENUE: AccountClass.OPERATING, BillKind.TRUST: AccountClass.TRUST}
"""A bill for work is paid into operating, a request for a deposit into trust, and nothing else is asked for at all (T1, T2)."""


def account_for_page(
    kind: BillKind,
    accounts: Sequence[FirmAccount],
    *,
    pages: Mapping[str, str],
    refused: Collection[str],
    currency: str,
    chosen: str | None,
) -> FirmAccount | None:
    """The account whose page may collect a bill of this kind; an ambiguity is nobody's guess, and then it is None.

    `refused` are the keys of accounts about which LawPay says something else than the configuration, or nothing.
    Raises `Rejected` when the firm chose an account of the wrong class.
    """
    wanted = CLASS_FOR.get(kind)
    named = next((account for account in accounts if account.key == chosen), None)
    if named is not None and named.account_class is not wanted:
        raise Rejected(
            f"Account {chosen} is a {named.account_class} account: a {kind} bill is never paid into it.",
            reason="no_page_account",
        )
    able = [
        account
        for account in accounts
        if account.account_class is wanted
        and account.key in pages
        and account.key not in refused
        and account.lawpay_ids
        and account.currency == currency
        and chosen in (None, account.key)
    ]
    return able[0] if len(able) == 1 else None


@dataclass(frozen=True, slots=True)
class RailRule:
    """Which rail a matter's bills take: the first rule that fits decides; what a rule leaves out fits everything."""

    rail: Rail
    practice_area: str | None = None
    office: str | None = None
    account: str | None = None

    def fits(self, *, practice_area: str | None, office: str | None) -> bool:
        return _same(self.practice_area, practice_area) and _same(self.office, office)


def rail_for(
    rules: Sequence[RailRule], default: RailRule, *, matters: Sequence[tuple[str | None, str | None]]
) -> RailRule:
    """The rule for a bill whose matters have these (practice area, office); matters that disagree take the default."""
    found = {
        next((rule for rule in rules if rule.fits(practice_area=area, office=office)), default)
        for area, office in matters
    }
    return found.pop() if len(found) == 1 else default


def _same(wanted: str | None, said: str | None) -> bool:
    return wanted is None or (said is not None and wanted.strip().casefold() == said.strip().casefold())


def _squeezed(number: str) -> str:
    """Letters and digits with a dot between them: readable, safe in an address, and without the hyphen that divides."""
    folded = unicodedata.normalize("NFKD", number).encode("ascii", "ignore").decode().upper()
    return re.sub(r"[^A-Z0-9]+", ".", folded)[:_LONGEST_PART].strip(".") or NOTHING
