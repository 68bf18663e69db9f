"""Which steps after its due date an unpaid bill came to, and which of them nothing answered: told from the journal alone.

The days of the steps are given by whoever asks; which day is a business day is worked out here, and the worker's own
planning has no part in it.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from orchestrator.sandbox.clock import moment_of
from orchestrator.sandbox.journal import Facts
from orchestrator.sandbox.oracle import about

NAMED = re.compile(r"\b(?:bill|invoice) (?:no\. )?(\d+)", re.IGNORECASE)
OPENS, CLOSES = time(8), time(18)
"""A bill that is owed at both hours of its day was owed while the office was at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Where and when: its zone, the country or part of it whose holidays it keeps, and days on which nobody was there."""

    zone: str = "America/New_York"
    region: str = "US"
    closed: tuple[date, ...] = ()

    def business_day(self, day: date) -> date:
        """This day, or the first after it on which the office is at work."""
        public = _holidays(self.region)
        while day.weekday() >= 5 or day in public or day in self.closed:
            day += timedelta(days=1)
        return day

    def at(self, day: date, hour: time) -> datetime:
        return datetime.combine(day, hour, ZoneInfo(self.zone))


@dataclass
class _Life:
    """One bill through time."""

    moments: list[datetime] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)

    def as_of(self, moment: datetime) -> Facts | None:
        place = bisect_right(self.moments, moment)
        return self.facts[place - 1] if place else None


def unanswered(entries: Iterable[Facts], steps: Collection[Facts], *, office: Office, until: datetime) -> list[Facts]:
    """Steps (`key`, `days`, `from` due or issued, `action`) that a bill came to while it was owed, and nobody took.

    A message answers a step by its headers, a task by the bill's number in its words.
    """
    lives: dict[int, _Life] = defaultdict(_Life)
    mailed: set[tuple[int, str]] = set()
    tasks: set[str] = set()
    for entry in entries:
        if entry["kind"] == "bill.moved":
            lives[entry["id"]].moments.append(moment_of(entry["at"]))
            lives[entry["id"]].facts.append(entry)
        elif entry["kind"] == "mail.accepted":
            mailed.update(about(entry))
        elif entry["kind"] == "task.created" and entry.get("by") == "app":
            tasks.update(NAMED.findall(f"{entry['name']} {entry['description']}"))
    found = []
    for ident, life in lives.items():
        for step, on in _came_to(life, steps, office, until):
            number = str(life.facts[-1]["number"])
            answered = number in tasks if step["action"] == "task" else (ident, step["key"]) in mailed
            if not answered:
                found.append({"bill_id": ident, "number": number, "step": step["key"], "on": on.isoformat()})
    return found


def _came_to(life: _Life, steps: Collection[Facts], office: Office, until: datetime) -> Iterator[tuple[Facts, date]]:
    """The steps whose day came while money was owed on the bill, under the due date that it had on that day."""
    for step in steps:
        anchor = f"{step.get('from', 'due')}_at"
        for began in sorted({facts[anchor] for facts in life.facts if facts[anchor]}):
            on = office.business_day(date.fromisoformat(began) + timedelta(days=step["days"]))
            first, last = (life.as_of(office.at(on, hour)) for hour in (OPENS, CLOSES))
            if office.at(on, CLOSES) <= until and _owed(first, anchor, began) and _owed(last, anchor, began):
                yield step, on
                break


def _owed(bill: Facts | None, anchor: str, began: str) -> bool:
    return (
        bill is not None
        and bill["bill_kind"] == "revenue_kind"
        and bill["state"] == "awaiting_payment"
        and bill["balance"] > 0
        and bill[anchor] == began
    )


@cache
def _holidays(region: str) -> Any:
    country, _, part = region.partition("-")
    return holidays.country_holidays(country, subdiv=part or None)
