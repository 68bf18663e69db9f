"""Which steps after its due date an unpaid bill came to, and which of them nothing answered: told from the journal alone.

The days of the steps are given by whoever asks; which day is a business day is worked out here, and the worker's own
planning has no part in it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from orchestrator.sandbox.clock import moment_of
from orchestrator.sandbox.hindrances import Hindrances, Life, Limits
from orchestrator.sandbox.journal import Facts, about

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

    def date_of(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.zone)).date()


def unanswered(
    entries: Iterable[Facts], steps: Collection[Facts], *, office: Office, until: datetime, limits: Limits | None = None
) -> list[Facts]:
    """Steps (`key`, `days`, `from` due or issued, `action`) that a bill came to while it was owed, and nobody took.

    A message answers a step by its headers, a task by the bill's number in its words. `stood` is all that the record
    shows against it on its day.
    """
    record = Hindrances(limits or Limits())
    mailed: set[tuple[int, str]] = set()
    tasks: set[str] = set()
    for entry in entries:
        record.hear(entry)
        if entry["kind"] == "mail.accepted":
            mailed.update(about(entry))
        elif entry["kind"] == "task.created" and entry.get("by") == "app":
            tasks.update(NAMED.findall(f"{entry['name']} {entry['description']}"))
    found = []
    for ident, life in list(record.bills.items()):
        for step, on in _came_to(life, steps, office, until, record.arrived(ident, until)):
            number = str(life.facts[-1]["number"])
            answered = number in tasks if step["action"] == "task" else (ident, step["key"]) in mailed
            if not answered:
                stood = record.stood(ident, office.at(on, OPENS), office.at(on, CLOSES))
                found.append(
                    {"bill_id": ident, "number": number, "step": step["key"], "on": on.isoformat(), "stood": stood}
                )
    return found


def _came_to(
    life: Life, steps: Collection[Facts], office: Office, until: datetime, arrived: Sequence[Facts]
) -> Iterator[tuple[Facts, date]]:
    """The steps whose day came while money was owed on the bill, under the due date that it had on that day.

    A bill that arrived after its own date is followed up from there: nobody is late with what they never saw.
    """
    seen = office.date_of(moment_of(arrived[0]["at"])) if arrived else date.min
    for step in steps:
        anchor = f"{step.get('from', 'due')}_at"
        for began in sorted({facts[anchor] for facts in life.facts if facts[anchor]}):
            on = office.business_day(max(date.fromisoformat(began), seen) + timedelta(days=step["days"]))
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
