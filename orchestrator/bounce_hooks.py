"""Reads `config/bounces/NAME.toml`: how a relay's webhook says that a letter came back."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from orchestrator.domain.bounces import Hook
from orchestrator.settings import Misconfigured

_SHAPE = TypeAdapter(Hook)


def names(config_dir: Path) -> list[str]:
    """Every relay whose webhook we can read."""
    return sorted(path.stem for path in (config_dir / "bounces").glob("*.toml"))


@cache
def load(config_dir: Path, name: str) -> Hook:
    """How this relay says it; `Misconfigured` names the file when there is none, or what is wrong in it."""
    path = config_dir / "bounces" / f"{name}.toml"
    try:
        return _SHAPE.validate_python(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        known = ", ".join(names(config_dir))
        raise Misconfigured(
            f"[mail] bounce_hook names {name!r}, and {path} does not exist (there are {known})."
        ) from None
    except (ValidationError, tomllib.TOMLDecodeError) as wrong:
        raise Misconfigured(f"{path} does not say how a relay's webhook is read: {wrong}") from wrong
