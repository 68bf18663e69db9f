"""W11: what a payer, a bank or a person wrote → the one matter it names, or nothing at all. Nothing here guesses.

The ladder of DESIGN §7: Clio's id, exact reference, normalised reference, bill number, our own key inside the reference. The
first rung that knows the text decides, and more than one matter on it is a person's question.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

LONGEST = 255
"""Characters of a reference: LawPay carries 128, and what is longer names nothing."""


LONGEST_ID = 18
"""Digits that a database's whole number certainly holds."""


MOST_HINTS = 8

_RUNS = re.compile(r"\d+|[^\W\d_]+")
"""Numbers and words, in any script; what is between them does not count."""

_BETWEEN = re.compile(r"[\s,;:/|()]+")


class Provider(StrEnum):
    """Whose word a reference is; Clio's and `any` are understood wherever the text was found."""

    CLIO = "clio"
    LAWPAY = "lawpay"
    BANK = "bank"
    ANY = "any"


class ReferenceKind(StrEnum):
    DISPLAY_NUMBER = "display_number"
    CUSTOM_NUMBER = "custom_number"
    CLIENT_REFERENCE = "client_reference"
    # The id of a matter that was merged into another: what was said of it is now said of that one.
    MERGED_ID = "merged_id"
    # A person's word, by hand, by import or in settling a break.
    MAPPED = "mapped"


CLIO_KINDS = (ReferenceKind.DISPLAY_NUMBER, ReferenceKind.CUSTOM_NUMBER, ReferenceKind.CLIENT_REFERENCE)


class Rung(StrEnum):
    ID = "exact_id"
    EXACT = "exact_reference"
    NORMALISED = "normalised_reference"
    BILL = "bill_number"
    KEY = "our_key"


@dataclass(frozen=True, slots=True)
class Known:
    """A row of the lookup table; one that is not `current` is a number the matter had before."""

    reference: str
    matter_id: int
    kind: str
    since: datetime
    provider: str = Provider.CLIO
    current: bool = True


@dataclass(frozen=True, slots=True)
class Resolved:
    matter_id: int
    rung: Rung


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several matters, lowest id first: a person says which, `matters map` keeps the word."""

    candidates: tuple[int, ...]
    rung: Rung


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing in the table, no bill and no key of ours says which matter it is."""


Resolution = Resolved | Ambiguous | Unknown

OwnKey = Callable[[str], str | None]
"""Finds our own key inside a reference of ours, None in anybody else's or a damaged one."""


def no_key(_text: str) -> str | None:
    """Where no reference of ours is written."""
    return None


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """All that is known about some texts: rows of the lookup table, matter ids, numbers of bills, and the matters of our keys.

    `keys` goes by what `own_key` finds in a text.
    """

    known: Collection[Known] = ()
    ids: Collection[int] = ()
    bills: Collection[Known] = ()
    keys: Mapping[str, Collection[int]] = field(default_factory=dict)
    own_key: OwnKey = no_key


def id_in(text: str) -> int | None:
    """The id that a text is, if it can be one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID else None


@lru_cache(maxsize=10_000)
def normalise(text: str) -> str:
    """The same for whatever differs only in case, spaces, punctuation or leading zeros.

    Between two numbers one hyphen is left: `1-01` and `11` are two matters, and must never meet.
    """
    parts: list[str] = []
    for run in _RUNS.findall(_folded(text)):
        if not run[0].isdecimal():
            parts.append(run)
            continue
        digits = run if run.isascii() else "".join(str(unicodedata.decimal(digit)) for digit in run)
        digits = digits.lstrip("0") or "0"
        parts.append(f"-{digits}" if parts and parts[-1][-1].isdecimal() else digits)
    return "".join(parts)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def resolve(text: str, table: ReferenceTable) -> Resolution:
    """The matter that a text names, on the first rung that knows it.

    A person's mapping decides among all that was known when it was made; what bears the same number since makes it ambiguous
    again. A bare number may be an id, a matter's number and a bill's at once: there every rung must agree.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        return Unknown()
    rungs = [(rung, said) for rung, said in _rungs(text, table) if said]
    if not rungs:
        return Unknown()
    rung, said = rungs[0]
    word = _word(text, table.known)
    if word is not None:
        said = {word.matter_id} | {row.matter_id for row in _named(text, table) if row.since > word.since}
        rung = Rung.EXACT if word.reference.strip() == text else Rung.NORMALISED
    elif normalise(text).isdecimal():
        said = set().union(*(others for _, others in rungs))
    return Resolved(next(iter(said)), rung) if len(said) == 1 else Ambiguous(tuple(sorted(said)), rung)


def hints(text: str) -> list[str]:
    """Parts of a text that could be a reference by themselves: to show a person where to look, never to act on."""
    parts = dict.fromkeys(part for part in _BETWEEN.split(text) if normalise(part) and part != text.strip())
    return [part for part in parts if any(character.isdecimal() for character in part)][:MOST_HINTS]


def _rungs(text: str, table: ReferenceTable) -> Iterable[tuple[Rung, set[int]]]:
    ident, key = id_in(text), table.own_key(text)
    yield Rung.ID, {ident} if ident is not None and ident in table.ids else set()
    yield Rung.EXACT, {row.matter_id for row in table.known if row.reference.strip() == text}
    yield Rung.NORMALISED, {row.matter_id for row in _alike(text, table.known)}
    yield Rung.BILL, {row.matter_id for row in _alike(text, table.bills)}
    yield Rung.KEY, set(table.keys.get(key, ())) if key is not None else set()


def _alike(text: str, known: Iterable[Known]) -> list[Known]:
    norm = normalise(text)
    return [row for row in known if norm and normalise(row.reference) == norm]


def _word(text: str, known: Collection[Known]) -> Known | None:
    """What a person said of this text, of its very letters if anybody did; two that differ are no word at all."""
    said = [row for row in _alike(text, known) if row.kind == ReferenceKind.MAPPED]
    said = [row for row in said if row.reference.strip() == text] or said
    said = [row for row in said if row.provider != Provider.ANY] or said
    return max(said, key=lambda row: row.since) if len({row.matter_id for row in said}) == 1 else None


def _named(text: str, table: ReferenceTable) -> Iterable[Known]:
    """What bears this name without anybody's saying so."""
    return (row for row in _alike(text, [*table.known, *table.bills]) if row.kind != ReferenceKind.MAPPED)
