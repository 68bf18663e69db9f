"""The button "Approve for billing" in Clio: where it stands, whose button is ours, and what its pressing says. Pure.

Clio opens our address with the user, the record and a nonce in plain sight, so anybody can write such an address. Nothing
of it counts before Clio itself has confirmed the nonce in a request that carries that very user's token.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

LABEL = "Approve for billing"
PATH = "/approve/"

PRESS_LIFE = timedelta(minutes=10)
"""How long the page that a press opened may be answered."""


class Subject(StrEnum):
    """What a button stands on."""

    MATTER = "matter"
    ACTIVITY = "activity"


PLACES: dict[str, Subject] = {"matters/show": Subject.MATTER, "activities/show": Subject.ACTIVITY}
"""Clio's `ui_reference` of every button we want, and what it is pressed on."""

_COLLECTIONS = {"matters": Subject.MATTER, "activities": Subject.ACTIVITY}
_SUBJECT = re.compile(r"/api/v4/(matters|activities)/([1-9][0-9]{0,17})(?:\.json)?")


@dataclass(frozen=True, slots=True)
class CustomAction:
    """A button as Clio has it."""

    id: int
    etag: str
    label: str
    target_url: str
    place: str


@dataclass(frozen=True, slots=True)
class Record:
    """The matter or entry that a button was pressed on."""

    kind: Subject
    id: int


class Deed(StrEnum):
    KEEP = "keep"
    CREATE = "create"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class ButtonPlan:
    """What one place needs; `button` is the one that stays or moves, `spare` are to go."""

    deed: Deed
    button: CustomAction | None
    spare: tuple[CustomAction, ...]


def plan(place: str, found: Sequence[CustomAction], *, url: str) -> ButtonPlan:
    """One button of ours at a place, leading to `url`: Clio takes a label once for each place, so the label tells whose it is."""
    ours = sorted((one for one in found if is_ours(one, place)), key=lambda one: (one.target_url != url, one.id))
    if not ours:
        return ButtonPlan(Deed.CREATE, None, ())
    first, *spare = ours
    return ButtonPlan(Deed.KEEP if first.target_url == url else Deed.MOVE, first, tuple(spare))


def is_ours(one: CustomAction, place: str) -> bool:
    """Whether a button is this application's, at whatever address it was reached before."""
    return one.place == place and one.label == LABEL and PATH in urlsplit(one.target_url).path


def record_of(subject_url: str, clio_url: str) -> Record | None:
    """The record that `subject_url` names, None for anything but one matter or entry of the firm's own Clio.

    It is never requested as it came: only the kind and the number are taken from it.
    """
    parts, home = urlsplit(subject_url), urlsplit(clio_url)
    if (parts.scheme or parts.netloc) and (parts.scheme, parts.netloc) != (home.scheme, home.netloc):
        return None
    found = _SUBJECT.fullmatch(parts.path)
    if found is None or parts.query or parts.fragment:
        return None
    return Record(_COLLECTIONS[found[1]], int(found[2]))
