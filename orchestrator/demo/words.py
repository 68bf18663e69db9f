"""What people said and what was away: the demo's own record, for the reasons that no sandbox can know of."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from orchestrator.demo.days import OFFICE


@dataclass(frozen=True, slots=True)
class Word:
    """A reason of the runbook that stood from one day of the office to another; None is for good, or everybody."""

    reason: str
    first: date
    last: date | None = None
    bill: int | None = None
    client: int | None = None

    def about(self, bill: Mapping[str, Any], on: date) -> bool:
        whose = self.bill in (None, bill["id"]) and self.client in (None, bill["client_id"])
        return whose and self.first <= on and (self.last is None or on <= self.last)


@dataclass
class Words:
    """What was said, under the name of the thing that it was about."""

    said: dict[str, list[Word]] = field(default_factory=lambda: defaultdict(list))

    def say(self, name: str, word: Word) -> None:
        self.said[name].append(word)

    def over(self, name: str, on: date) -> None:
        """What was said of it stood until this day at the latest; nothing to do when nothing was."""
        self.said[name] = [replace(word, last=min(on, word.last or on)) for word in self.said[name]]

    def stood(self, bill: Mapping[str, Any], on: date) -> list[str]:
        return [word.reason for words in self.said.values() for word in words if word.about(bill, on)]


def office_date(moment: datetime) -> date:
    return moment.astimezone(OFFICE).date()
