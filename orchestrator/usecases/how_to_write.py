"""In whose name and in which language a client is written to: the matters say it (`[letters]`)."""

from collections.abc import Sequence
from typing import TypedDict, TypeVar

from orchestrator.domain.matters import Matter
from orchestrator.engine.runtime import Runtime

T = TypeVar("T")


class Manner(TypedDict):
    """What a `Letter` or a `Reminder` needs to find its words, its brand and its language."""

    matter_types: tuple[str, ...]
    office: str | None
    region: str | None


def manner(rt: Runtime, matters: Sequence[Matter]) -> Manner:
    """What all these matters have in common; where two differ, the firm's own."""
    types = (_one([one.practice_area for one in matters]), _one([str(one.billing_method) for one in matters]))
    return {
        "matter_types": tuple(filter(None, types)),
        "office": _one([one.custom_fields.get(rt.settings.links.office_field) for one in matters]),
        "region": _one([_language(rt, one) for one in matters]),
    }


def _language(rt: Runtime, matter: Matter) -> str | None:
    letters = rt.settings.letters
    said = matter.custom_fields.get(letters.language_field) if letters.language_field else None
    return letters.languages.get(said, said) if said else None


def _one(said: Sequence[T]) -> T | None:
    return said[0] if len(set(said)) == 1 else None
