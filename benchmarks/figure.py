"""What a measurement is, and when it meets its target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Bound:
    """A second promise that the same measurement checks."""

    name: str
    value: float
    sign: Literal["≤", "≥"]
    target: float

    @property
    def met(self) -> bool:
        return meets(self.value, self.sign, self.target)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement: `value` is a ratio to `baseline`, `n` how much it rests on, `limit` what keeps it from being better."""

    value: float
    baseline: float
    n: int
    limit: str
    also: Sequence[Bound] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


Say = Callable[[str], None]
Measure = Callable[[bool, Say], Figure]
"""Measure, small if the first argument is true, telling the second what is under way."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the table of promises; `baseline` says what the value is divided by."""

    title: str
    unit: str
    sign: Literal["≤", "≥"]
    target: float
    baseline: str
    measure: Measure

    def met(self, figure: Figure) -> bool:
        return meets(figure.value, self.sign, self.target) and all(bound.met for bound in figure.also)

    def told(self, figure: Figure) -> dict[str, Any]:
        """What stands in the JSON under this metric's id."""
        return {
            "value": round(figure.value, 4),
            "target": self.target,
            "baseline": round(figure.baseline, 6),
            "n": figure.n,
            "met": self.met(figure),
            "sign": self.sign,
            "unit": self.unit,
            "title": self.title,
            "divided_by": self.baseline,
            "limit": figure.limit,
            "also": [
                {"name": one.name, "value": round(one.value, 4), "sign": one.sign, "target": one.target, "met": one.met}
                for one in figure.also
            ],
            "detail": dict(figure.detail),
        }


def meets(value: float, sign: str, target: float) -> bool:
    return value <= target if sign == "≤" else value >= target


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]
