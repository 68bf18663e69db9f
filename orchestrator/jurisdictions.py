"""Reads `config/jurisdictions/NAME.toml`. What a profile does not say, the strict one says for it."""

import tomllib
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.domain.jurisdictions import Jurisdiction
from orchestrator.errors import OrchestratorError

STRICT = "strict"
_SHAPE = TypeAdapter(Jurisdiction)
_NAMES = {field.name for field in fields(Jurisdiction)} - {"key"}


class UnreadableProfile(OrchestratorError):
    """A jurisdiction's file is not what it must be; the sentence names file and value."""


def names(config_dir: Path) -> list[str]:
    """Every profile there is."""
    return sorted(path.stem for path in (config_dir / "jurisdictions").glob("*.toml"))


@cache
def load(config_dir: Path, name: str | None) -> Jurisdiction | None:
    """The profile of this name; None when there is none, and then no trust money may be drawn (T25)."""
    if name is None or name not in names(config_dir):
        return None
    strict, own = _said(config_dir, STRICT), _said(config_dir, name)
    unconfirmed = own.get("unconfirmed", [])
    try:
        profile = _SHAPE.validate_python({**strict, **own, "unconfirmed": unconfirmed, "key": name})
    except ValidationError as wrong:
        places = ", ".join(".".join(map(str, one["loc"])) or str(one["msg"]) for one in wrong.errors())
        raise UnreadableProfile(f"config/jurisdictions/{name}.toml is not a profile: correct {places}.") from wrong
    if unknown := sorted(set(profile.unconfirmed) - _NAMES):
        raise UnreadableProfile(
            f"config/jurisdictions/{name}.toml calls {', '.join(unknown)} unconfirmed, which is no value."
        )
    return profile


def strictest(config_dir: Path) -> Jurisdiction:
    """The profile of whoever has none: nothing is drawn under it, and money waits longest."""
    found = load(config_dir, STRICT)
    if found is None:
        raise UnreadableProfile(f"config/jurisdictions/{STRICT}.toml is missing: it fills in what profiles leave out.")
    return found


def _said(config_dir: Path, name: str) -> dict[str, Any]:
    path = config_dir / "jurisdictions" / f"{name}.toml"
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as wrong:
        raise UnreadableProfile(f"{path} cannot be read: {wrong}.") from wrong
    if unknown := sorted(said.keys() - _NAMES):
        raise UnreadableProfile(f"{path} says {', '.join(unknown)}, which no profile has.")
    return said
