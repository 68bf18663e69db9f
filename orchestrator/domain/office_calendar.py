"""When an office is at work: its business days, and the hours in which clients may be written to (F59).

Which days are holidays a maintained library says, of the country and its region. Days are the office's own dates.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

SATURDAY = 5
COUNTRIES = ("US", "CA", "GB", "AU")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class OfficeCalendar:
    """One office: `region` is a country or one of its parts (`US-NY`), `closed` the days on which the firm itself is away."""

    zone: ZoneInfo
    region: str
    opens: time
    closes: time
    closed: Collection[date] = ()

    def why_closed(self, day: date) -> str | None:
        """Why nothing is sent on this day, in words; None on a business day."""
        if day.weekday() >= SATURDAY:
            return f"{day:%A}"
        return _holidays(self.region).get(day) or ("the office is closed" if day in self.closed else None)

    def is_open(self, moment: datetime) -> bool:
        """Whether this moment lies in the sending window of a business day."""
        day = moment.astimezone(self.zone).date()
        opens, closes = self.window(day)
        return self.why_closed(day) is None and opens <= moment < closes

    def window(self, day: date) -> tuple[datetime, datetime]:
        """When the sending window of a day opens and closes."""
        return moment_of(day, self.opens, self.zone), moment_of(day, self.closes, self.zone)

    def business_day(self, day: date) -> date:
        """This day, or the first business day after it."""
        while self.why_closed(day) is not None:
            day += timedelta(days=1)
        return day


def moment_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When a clock on the office's wall shows this: a doubled hour's first, a missing one's next valid minute (F59)."""
    wall = datetime.combine(day, at).replace(fold=0)
    while (moment := wall.replace(tzinfo=zone).astimezone(UTC)).astimezone(zone).replace(tzinfo=None) != wall:
        wall += _MINUTE
    return moment


def has_region(region: str) -> bool:
    """Whether we know the holidays of this country, or of this part of it."""
    country, _, part = region.partition("-")
    return region in COUNTRIES or (country in COUNTRIES and part in holidays.country_holidays(country).subdivisions)


@cache
def _holidays(region: str) -> holidays.HolidayBase:
    country, _, part = region.partition("-")
    return holidays.country_holidays(country, subdiv=part or None)
