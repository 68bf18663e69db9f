"""What a bounce means for the address that it came from."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message
from enum import StrEnum
from itertools import takewhile

LONGEST = 256 * 1024
"""So much of a returned message is read: its report and the headers of the letter come first."""


class Bounced(StrEnum):
    """`hard`: nobody is reached there. `soft`: not today (a full mailbox, a server that was away). `spam`: it arrived, and
    whoever got it, or the relay on their word, wants no more.
    """

    SOFT = "soft"
    HARD = "hard"
    SPAM = "spam"


class AddressState(StrEnum):
    """What is known of an address; `failing` are those from which too much came back softly in a row."""

    SOFT = "soft"
    FAILING = "failing"
    HARD = "hard"
    RELEASED = "released"


AFTER: dict[tuple[AddressState, Bounced], AddressState] = {
    **{(state, bounced): AddressState.HARD for state in AddressState for bounced in (Bounced.HARD, Bounced.SPAM)},
    **{(state, Bounced.SOFT): state for state in AddressState},
}
"""What news makes of an address; a soft bounce too many makes it `failing` (`wears_out`), a person's word `released`."""

HELD: dict[AddressState, str] = {
    AddressState.HARD: "address_bounced",
    AddressState.FAILING: "address_failing",
}
"""The states in which nothing more goes to an address, and the reason of each."""


@dataclass(frozen=True, slots=True)
class Patience:
    """So many letters in a row, over at least so many days, may come back softly before an address counts as bounced."""

    letters: int = 3
    days: int = 3


def wears_out(left: Sequence[tuple[datetime, str | None]], patience: Patience) -> int:
    """How many letters in a row came back softly, if that is too much, else 0.

    `left` are the letters to one address, the newest first: when each left, and what came back of it. Between two that
    came back one that did not has arrived, and ends the row.
    """
    row = [at for at, _ in takewhile(lambda letter: letter[1] == Bounced.SOFT, left)]
    worn = len(row) >= patience.letters and row[0] - row[-1] >= timedelta(days=patience.days)
    return len(row) if worn else 0


NO_ADDRESS = frozenset({*HELD.values(), "address_changed", "mail_address_refused", "mail_address_invalid"})
"""Why a message was kept back, or refused by the relay, that another address of its client would mend."""


@dataclass(frozen=True, slots=True)
class Report:
    """One letter of ours that came back, as a mail server or a relay told it; `key` is the local part of its Message-ID.

    `code` is the enhanced status (RFC 3463) or the relay's word for it: never the text, which repeats addresses.
    """

    key: str
    bounced: Bounced
    code: str


# ── what a mail server returns (RFC 3464) ──

TODAY_ONLY = frozenset({"5.2.2", "5.3.1", "5.3.4", "5.4.5", "5.4.7"})
"""Failures called permanent that say nothing of the address: a full mailbox, a busy server, a letter too long on its way."""

OUR_KEY = re.compile(r"[0-9a-f]{40}")


def read_return(raw: bytes) -> Report | None:
    """What a returned message says of a letter of ours; None for everything else: answers, other people's bounces, delays."""
    message = message_from_bytes(raw[:LONGEST], policy=policy.compat32)
    if message.get_content_type() != "multipart/report" or not message.is_multipart():
        return None
    parts = list(message.walk())
    status = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
    key = next(filter(None, (_key_in(part) for part in parts)), None)
    if status is None or key is None:
        return None
    blocks = [block for block in status.get_payload() if isinstance(block, Message)] if status.is_multipart() else []
    failed = [block for block in blocks if str(block.get("Action", "")).strip().lower() == "failed"]
    if not failed:
        return None  # delayed, relayed, delivered: not a bounce (yet)
    code = next(iter(re.findall(r"[245]\.\d{1,3}\.\d{1,3}", str(failed[0].get("Status", "")))), "")
    return Report(
        key, Bounced.HARD if code.startswith("5") and code not in TODAY_ONLY else Bounced.SOFT, code or "unknown"
    )


def our_key(said: str) -> str | None:
    """The key of one of our letters in what is said to be its key or its Message-ID."""
    found = OUR_KEY.match(said.strip().lstrip("<"))
    return found[0] if found else None


def _key_in(part: Message) -> str | None:
    """Our key, in the part of a report that holds the letter or its headers."""
    kind = part.get_content_type()
    if kind == "message/rfc822" and part.is_multipart():
        returned = part.get_payload(0)
    elif kind == "text/rfc822-headers":
        body = part.get_payload(decode=True)
        returned = message_from_bytes(body if isinstance(body, bytes) else b"", policy=policy.compat32)
    else:
        return None
    assert isinstance(returned, Message)
    # Some relays give a letter another Message-ID; the header of ours they leave alone.
    said = (str(returned.get(name, "")) for name in ("X-Orchestrator-Key", "Message-ID"))
    return next(filter(None, map(our_key, said)), None)


# ── what a relay posts ──


@dataclass(frozen=True, slots=True)
class Kind:
    """What an event means: the first row whose every field is what it says (or one of several) decides."""

    bounced: Bounced
    when: Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Hook:
    """How one relay's JSON says that a letter came back (`config/bounces/NAME.toml`); places are dotted paths.

    `events` is where a list of them is, `inside` a field that holds the event as a text of JSON again.
    """

    key: tuple[str, ...]
    code: tuple[str, ...]
    kinds: tuple[Kind, ...]
    events: str = ""
    inside: str = ""


def read_post(hook: Hook, body: bytes) -> list[Report]:
    """Every letter of ours that this delivery says came back; nothing of what it says else is believed or kept."""
    try:
        said = json.loads(body)
        if hook.inside:
            said = json.loads(str(at(said, hook.inside)))
    except (ValueError, RecursionError):
        return []
    events = at(said, hook.events) if hook.events else said
    return [report for event in (events if isinstance(events, list) else [events]) if (report := _report(hook, event))]


def at(said: object, path: str) -> object:
    """What stands at a path: names, places in a list, or `name=Message-ID` for the row of a list that is called so."""
    for step in path.split("."):
        name, _, wanted = step.partition("=")
        if isinstance(said, dict):
            said = said.get(step)
        elif isinstance(said, list) and wanted:
            called = (row for row in said if isinstance(row, dict) and str(row.get(name, "")).lower() == wanted.lower())
            said = next(called, None)
        elif isinstance(said, list) and step.isdecimal():
            said = said[int(step)] if int(step) < len(said) else None
        else:
            return None
    return said


def _report(hook: Hook, event: object) -> Report | None:
    kind = next(
        (kind for kind in hook.kinds if all(_fits(at(event, path), wanted) for path, wanted in kind.when.items())), None
    )
    key = next(filter(None, (our_key(str(at(event, path) or "")) for path in hook.key)), None)
    if kind is None or key is None:
        return None
    code = next((str(found) for path in hook.code if isinstance(found := at(event, path), str | int)), "")
    return Report(key, kind.bounced, re.sub(r"[^\w. -]", "", code)[:32] or str(kind.bounced))


def _fits(said: object, wanted: str | tuple[str, ...]) -> bool:
    return str(said) in ((wanted,) if isinstance(wanted, str) else wanted)
