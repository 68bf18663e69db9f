"""Nothing a stranger typed reaches a header, a page or a link as anything but plain words (F78)."""

import re
import unicodedata
from collections.abc import Collection
from email.header import Header

from email_validator import EmailNotValidError, validate_email

from orchestrator.errors import Rejected

JOINERS = "\u200c\u200d"
"""Zero-width, but names in Persian and Indic scripts, and family emoji, are misspelt without them."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

# Narrower than RFC 3986 on purpose: no user info, no backslash, no quote, nothing that two parsers could read differently.
_LINK = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9-]+(\.[a-z0-9-]+)*|\[::1\])(:\d{1,5})?([/?#][\w.~!$&()*+,;=:@%/?#-]*)?",
    re.ASCII | re.IGNORECASE,
)


def one_line(words: str, longest: int) -> str:
    """`words` on one line of at most `longest` characters, without control or direction marks, or anything like a web address."""
    spaced = " ".join(unicodedata.normalize("NFC", words).split())
    visible = "".join(c for c in spaced if c in JOINERS or not unicodedata.category(c).startswith("C"))
    # Mail programs turn `//` in plain text into a link; a name may not point anywhere.
    tame = " ".join(re.sub(r"[/\\]{2,}", "/", visible).split())
    return tame if len(tame) <= longest else tame[: longest - 1].rstrip() + "…"


def mail_address(address: str) -> str:
    """The address as it goes on the wire, ASCII only; `Rejected` when it is blank, redacted or not an address."""
    try:
        # Whether the domain can be delivered to is the relay's question; asking DNS here would make a letter depend on it.
        checked = validate_email(address.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Rejected("The e-mail address is not one we can write to.", reason="mail_address_invalid") from None
    if checked.ascii_email is None:
        raise Rejected("The e-mail address needs SMTPUTF8, which relays rarely take.", reason="mail_address_invalid")
    return checked.ascii_email


def pay_link(url: str, hosts: Collection[str]) -> str:
    """`url` unchanged when it is https (or http on loopback) on one of `hosts` or below it; else `Rejected`."""
    found = _LINK.fullmatch(url) if len(url) <= 2000 else None  # noqa: PLR2004 — what every mail program still opens
    if found is None:
        raise Rejected("The payment link is not a plain web address.", reason="pay_link_refused")
    host = found["host"].lower()
    if found["scheme"].lower() == "http" and host not in LOOPBACK:
        raise Rejected("The payment link is not https.", reason="pay_link_refused")
    if not any(host == allowed or host.endswith(f".{allowed}") for allowed in hosts):
        raise Rejected(f"Payment links may not lead to {host}.", reason="pay_link_refused")
    return url


def header(words: str) -> str:
    """A header value that always travels encoded, so no character in it can mean anything to a parser."""
    return Header(words, "utf-8", header_name="Subject").encode(linesep="\r\n")


def mailbox(name: str, address: str) -> str:
    """`name <address>` as a header value; a blank name leaves the address alone."""
    value = Header(header_name="Reply-To")
    if name:
        value.append(name, "utf-8")
    value.append(f"<{address}>", "us-ascii")
    return value.encode(linesep="\r\n")
