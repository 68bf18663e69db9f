"""The calendar of a story: its first day, the hours at which things happen, and the office that is closed at weekends."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

BEGIN = date(2026, 3, 2)
"""A Monday six days before clocks change in New York."""

OFFICE = ZoneInfo("America/New_York")
MORNING, NOON, AFTERNOON, CLOSING, EVENING = time(9, 10), time(11, 30), time(14, 10), time(16, 40), time(19, 30)

Moment = tuple[datetime, str, Mapping[str, Any]]
"""When, what and with which facts: an event of the story before it has its number."""


def begin() -> datetime:
    """The moment before the first event."""
    return moment(0, time(8, 0))


def end(days: int) -> datetime:
    """The moment after the last."""
    return begin() + timedelta(days=days)


def date_of(day: int) -> date:
    return BEGIN + timedelta(days=day)


def weekend(day: int) -> bool:
    return date_of(day).weekday() > 4  # noqa: PLR2004


def workday(share: float, days: int) -> int:
    """The day at this share of the story, or the next one on which the office is open."""
    return office_day(int(share * days))


def office_day(day: int) -> int:
    while weekend(day):
        day += 1
    return day


def moment(day: int, at: time, *, minutes: int = 0) -> datetime:
    return datetime.combine(date_of(day), at, OFFICE).astimezone(UTC) + timedelta(minutes=minutes)
