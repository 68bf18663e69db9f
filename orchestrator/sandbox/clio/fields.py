"""What `fields` means: which names exist, which come by default, and how deep one may ask."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

from orchestrator.sandbox.clock import stamp
from orchestrator.sandbox.firm.things import Contact, Facts
from orchestrator.sandbox.refusal import Refusal


@dataclass(frozen=True)
class Shape:
    """The fields of one kind: plain ones, and those that lead to one or many of another kind."""

    plain: frozenset[str]
    one: Mapping[str, str]
    many: Mapping[str, str]


@dataclass(frozen=True)
class Ask:
    """One field to show; `inner` when it is another record, `many` when it is a list of them."""

    name: str
    inner: "tuple[Ask, ...] | None" = None
    many: bool = False


Plan = tuple[Ask, ...]


def _shape(entry: Mapping[str, str]) -> Shape:
    def leads(text: str) -> dict[str, str]:
        return {name: kind or name for name, _, kind in (word.partition(":") for word in text.split())}

    return Shape(frozenset(entry["plain"].split()), leads(entry.get("one", "")), leads(entry.get("many", "")))


SHAPES: dict[str, Shape] = {
    kind: _shape(entry)
    for kind, entry in tomllib.loads(files(__package__).joinpath("fields.toml").read_text("utf-8")).items()
}

_FIELD = re.compile(r"\s*([a-z0-9_]+)\s*(?:\{([^{}]*)\})?\s*")


def defaults(kind: str) -> Plan:
    """What comes unasked: id and etag, where the kind has them; all plain fields of the kinds that have neither."""
    shape = SHAPES[kind]
    names: list[str] = [name for name in ("id", "etag") if name in shape.plain]
    return tuple(Ask(name) for name in names or sorted(shape.plain))


@lru_cache(maxsize=2048)
def plan(kind: str, text: str | None) -> Plan:
    """Read a `fields` parameter for a kind; one unknown name or a second level of braces refuses the whole request."""
    if not text or not text.strip():
        return defaults(kind)
    return tuple(_ask(kind, name, inner) for name, inner in _split(text))


def _split(text: str) -> Iterable[tuple[str, str | None]]:
    place = 0
    while place < len(text):
        match = _FIELD.match(text, place)
        if match is None or (match.end() < len(text) and text[match.end()] != ","):
            raise _invalid(text[place:])
        yield match[1], match[2]
        place = match.end() + 1


def _ask(kind: str, name: str, inner: str | None) -> Ask:
    shape = SHAPES[kind]
    target = shape.one.get(name) or shape.many.get(name)
    if target is None:
        if name not in shape.plain or inner is not None:
            raise _invalid(name)
        return Ask(name)
    if inner is None or not inner.strip():
        return Ask(name, defaults(target), name in shape.many)
    return Ask(name, tuple(_ask(target, sub.strip(), None) for sub in inner.split(",")), name in shape.many)


def _invalid(name: str) -> Refusal:
    return Refusal(400, f"'{name}' is not a valid field.", error="InvalidFields")


def shown(source: object, asked: Plan) -> Facts:
    """The record as Clio shows it to this caller; a redacted contact shows no more than that it exists."""
    if isinstance(source, Contact) and source.redacted:
        return {"id": source.id, "name": "*" * 8, "type": source.type, "redacted": True}
    if isinstance(source, Mapping):
        return {ask.name: _value(source.get(ask.name), ask) for ask in asked}
    return {ask.name: _value(getattr(source, ask.name, None), ask) for ask in asked}


def _value(value: Any, ask: Ask) -> Any:
    if ask.inner is None:
        return plain(value)
    if ask.many:
        return [shown(item, ask.inner) for item in value or ()]
    return None if value is None else shown(value, ask.inner)


def plain(value: Any) -> Any:
    """A value as JSON has it: money as a float, like Clio, moments and dates as text."""
    match value:
        case Decimal():
            return float(value)
        case datetime():
            return stamp(value)
        case date():
            return value.isoformat()
    return value


def encoded(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
