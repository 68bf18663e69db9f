"""Which column of a bank's CSV is what: `config/statements/NAME.toml`."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from orchestrator.domain.bank_statements import UnusableStatement
from orchestrator.domain.movements import MovementKind


class Columns(BaseModel):
    """Titles in the file's header; `amount`, or `debit` and `credit`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: str
    text: str
    amount: str | None = None
    debit: str | None = None
    credit: str | None = None
    balance: str | None = None
    type: str | None = None
    id: str | None = None
    reference: str | None = None


class Mapping(BaseModel):
    """One bank's way to write CSV."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Columns
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    date_format: str = "%Y-%m-%d"
    zone: str | None = None
    decimal: Literal[".", ","] = "."
    sign: Literal["as_is", "reversed"] = "as_is"
    skip_lines: int = Field(default=0, ge=0)
    newest_first: bool = False
    opening_type: str | None = None
    closing_type: str | None = None
    types: dict[str, MovementKind] = {}

    @field_validator("zone")
    @classmethod
    def known_zone(cls, zone: str | None) -> str | None:
        try:
            return zone if zone is None or ZoneInfo(zone) else None
        except (KeyError, ValueError, OSError) as unknown:
            raise ValueError(f"{zone!r} is not a time zone name such as America/New_York") from unknown

    @model_validator(mode="after")
    def one_way_to_say_an_amount(self) -> "Mapping":
        both = self.columns.debit is not None and self.columns.credit is not None
        if (self.columns.amount is not None) == both:
            raise ValueError("columns needs either amount, or debit and credit")
        return self


def mappings(config_dir: Path) -> list[str]:
    """Every mapping there is."""
    return sorted(path.stem for path in (config_dir / "statements").glob("*.toml"))


@cache
def load_mapping(config_dir: Path, name: str) -> Mapping:
    """The mapping of this name, or `UnusableStatement` with what there is or what is wrong with it."""
    if name not in mappings(config_dir):
        known = ", ".join(mappings(config_dir)) or "none"
        raise UnusableStatement(f"There is no mapping {name}: config/statements has {known}.")
    path = config_dir / "statements" / f"{name}.toml"
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as wrong:
        places = (
            ", ".join(".".join(map(str, one["loc"])) or one["msg"] for one in wrong.errors())
            if isinstance(wrong, ValidationError)
            else str(wrong)
        )
        raise UnusableStatement(f"config/statements/{name}.toml is no mapping: correct {places}.") from wrong
