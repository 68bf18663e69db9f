"""Reads `config/reminders/NAME.toml`: the steps that follow an unpaid bill."""

import tomllib
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.domain.reminders import GAP_DAYS, WAYS, Action, Anchor, Audience, Channel, Sequence, Step
from orchestrator.errors import OrchestratorError


class UnreadableSequence(OrchestratorError):
    """A sequence's file is not what it must be; the sentence names file and value."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Step(_Shape):
    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    days: Annotated[int, Field(ge=0)]
    anchor: Annotated[Anchor, Field(alias="from")] = Anchor.DUE
    action: Action
    channel: Channel
    template: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = ""
    audience: Audience


class _File(_Shape):
    name: Annotated[str, Field(min_length=1)]
    days_to_pay: Annotated[int, Field(ge=0)] = 30
    gap_days: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[tuple[_Step, ...], Field(min_length=1)]


def names(config_dir: Path) -> list[str]:
    """Every sequence there is."""
    return sorted(path.stem for path in (config_dir / "reminders").glob("*.toml"))


@cache
def load(config_dir: Path, name: str) -> Sequence:
    """The sequence of this name, or `UnreadableSequence` with a sentence that says what to correct."""
    path = config_dir / "reminders" / f"{name}.toml"
    try:
        said = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError as missing:
        known = ", ".join(names(config_dir)) or "none at all"
        raise UnreadableSequence(f"There is no sequence {name!r} ({path}); there is {known}.") from missing
    except (OSError, tomllib.TOMLDecodeError) as wrong:
        raise UnreadableSequence(f"{path} cannot be read: {wrong}.") from wrong
    except ValidationError as wrong:
        raise UnreadableSequence(f"{path} is not a sequence: {_first(wrong)}.") from wrong
    _require_sense(path, said)
    steps = tuple(Step(**{name: getattr(step, name) for name in _Step.model_fields}) for step in said.steps)
    return Sequence(said.name, steps, said.days_to_pay, said.gap_days or min([GAP_DAYS, *_distances(said)]))


def in_words(sequence: Sequence) -> str:
    """What a sequence does, as a person would say it."""
    what = {
        Action.MESSAGE: "message",
        Action.MESSAGE_WITH_LINK: "message with a fresh link",
        Action.TASK: "task for the attorney",
    }
    since = {Anchor.DUE: "the due date", Anchor.ISSUED: "issue"}
    return ", ".join(f"{step.days} days after {since[step.anchor]} a {what[step.action]}" for step in sequence.steps)


def _first(wrong: ValidationError) -> str:
    error: Any = wrong.errors()[0]
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def _distances(said: _File) -> list[int]:
    """How many days lie between two steps that are counted from the same date."""
    days = [[step.days for step in said.steps if step.anchor is anchor] for anchor in Anchor]
    return [later - earlier for one in days for earlier, later in pairwise(one)]


def _require_sense(path: Path, said: _File) -> None:
    """What each value allows and the whole does not."""
    if twice := [key for key, times in Counter(step.key for step in said.steps).items() if times > 1]:
        raise UnreadableSequence(f"{path} has two steps called {twice[0]}: what was sent is remembered by that name.")
    for step in said.steps:
        if (step.channel, step.audience) != WAYS[step.action]:
            channel, audience = WAYS[step.action]
            raise UnreadableSequence(
                f"{path}: {step.key} is a {step.action}, which goes by {channel} to the {audience}."
            )
        if bool(step.template) != (step.channel is Channel.EMAIL):
            raise UnreadableSequence(
                f"{path}: {step.key} needs a template if it is a message, and none if it is a task."
            )
    for anchor in Anchor:
        days = [step.days for step in said.steps if step.anchor is anchor]
        if days != sorted(set(days)):
            raise UnreadableSequence(f"{path}: its steps must follow one another, each on a later day than the last.")
    nearest = min(_distances(said), default=None)
    if said.gap_days is not None and nearest is not None and said.gap_days > nearest:
        raise UnreadableSequence(f"{path}: gap_days is {said.gap_days}, and two of its steps are {nearest} days apart.")
