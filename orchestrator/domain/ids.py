"""Keys made of facts: the same fact gives the same key on any worker and any retry."""

import base64
import hashlib
from contextlib import suppress
from datetime import date, datetime

Fact = str | int | date | datetime | None


def effect_key(*facts: Fact) -> str:
    """64 hex digits naming one effect; changing the version or the order of facts would re-send the past."""
    return hashlib.sha256("|".join(["v1", *(_text(fact) for fact in facts)]).encode()).hexdigest()


def short_key(key: str) -> str:
    """What a person sees of an effect key, and what a search in Clio finds again: `OB-` and 12 letters and digits.

    60 bits: two of a million effects share one with a chance of about one in two million.
    """
    return "OB-" + base64.b32encode(bytes.fromhex(key))[:12].decode()


def address_key(address: str) -> str:
    """What stands for an e-mail address where the address itself need not be kept: the same for every spelling of its domain."""
    local, _, domain = address.strip().lower().rpartition("@")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return effect_key("address", f"{local}@{domain}")


def _text(fact: Fact) -> str:
    match fact:
        case datetime() | date():
            return fact.isoformat()
        case None:
            return ""
        case _:
            return str(fact).replace("\\", "\\\\").replace("|", "\\|")
