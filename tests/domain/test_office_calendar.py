"""W8: when an office may write to its clients (F59)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.domain.office_calendar import OfficeCalendar, has_region, moment_of

NEW_YORK = ZoneInfo("America/New_York")
OFFICE = OfficeCalendar(NEW_YORK, "US-NY", time(8, 30), time(17))
ZONES = ("America/New_York", "America/St_Johns", "Europe/London", "Australia/Lord_Howe", "Australia/Sydney", "UTC")


def office(region):
    return OfficeCalendar(NEW_YORK, region, time(8, 30), time(17))


@pytest.mark.parametrize(
    ("region", "day", "closed"),
    [
        ("US", date(2026, 11, 26), True),  # Thanksgiving
        ("US-NY", date(2026, 7, 3), True),  # the 4th falls on a Saturday
        ("CA-ON", date(2026, 10, 12), True),
        ("CA-ON", date(2026, 11, 26), False),
        ("CA-QC", date(2026, 6, 24), True),
        ("CA-ON", date(2026, 6, 24), False),
        ("GB-ENG", date(2026, 4, 6), True),  # Easter Monday
        ("GB-SCT", date(2026, 4, 6), False),
        ("GB-ENG", date(2026, 12, 28), True),  # Boxing Day falls on a Saturday
        ("AU-NSW", date(2026, 1, 26), True),
        ("AU-VIC", date(2026, 11, 3), True),  # the Cup
        ("AU-NSW", date(2026, 11, 3), False),
        ("US", date(2028, 2, 29), False),
    ],
)  # fmt: skip
def test_each_country_and_region_has_its_own_days_off(region, day, closed):
    assert (office(region).why_closed(day) is not None) is closed


def test_a_weekend_and_a_day_of_the_firm_s_own_are_no_business_days():
    eve = date(2026, 12, 24)
    own = OfficeCalendar(NEW_YORK, "US", time(8, 30), time(17), (eve,))
    assert OFFICE.why_closed(date(2026, 3, 7)) == "Saturday"
    assert office("US").why_closed(eve) is None
    assert own.why_closed(eve) == "the office is closed"
    assert own.business_day(eve) == date(2026, 12, 28)


@pytest.mark.parametrize("end", [date(2026, 1, 31), date(2028, 2, 29), date(2026, 12, 31)])
def test_a_month_s_end_rolls_to_the_next_month_s_first_business_day(end):
    following = OFFICE.business_day(end + timedelta(days=1))
    assert (following.month, following.year) != (end.month, end.year)
    assert OFFICE.why_closed(following) is None


def test_nothing_is_sent_outside_the_window():
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    assert not OFFICE.is_open(monday.replace(hour=13, minute=29))  # 8:29 in New York
    assert OFFICE.is_open(monday.replace(hour=13, minute=30))
    assert OFFICE.is_open(monday.replace(hour=21, minute=59))
    assert not OFFICE.is_open(monday.replace(hour=22))
    assert not OFFICE.is_open(datetime(2026, 3, 7, 18, tzinfo=UTC))


def test_F59_a_missing_hour_is_its_next_valid_minute():
    assert moment_of(date(2026, 3, 8), time(2, 30), NEW_YORK) == datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert moment_of(date(2026, 10, 4), time(2, 15), ZoneInfo("Australia/Lord_Howe")) == datetime(
        2026, 10, 3, 15, 30, tzinfo=UTC
    )


def test_F59_a_doubled_hour_is_the_first_of_the_two():
    assert moment_of(date(2026, 11, 1), time(1, 30), NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


@given(
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.sampled_from(ZONES),
)
@example(date(2024, 11, 3), time(1, 0, fold=1), "America/New_York")
def test_F59_every_wall_time_is_one_moment_that_never_comes_before_it(day, at, name):
    zone = ZoneInfo(name)
    moment = moment_of(day, at, zone)
    wall = moment.astimezone(zone).replace(tzinfo=None)
    asked = datetime.combine(day, at)
    assert asked <= wall <= asked + timedelta(hours=1)
    assert moment.astimezone(zone).fold == 0


def test_F59_the_window_keeps_the_office_s_hours_over_both_clock_changes():
    opens = {
        day: OFFICE.window(day)[0]
        for day in (date(2026, 3, 6), date(2026, 3, 9), date(2026, 10, 30), date(2026, 11, 2))
    }
    assert [moment.strftime("%H:%M") for moment in opens.values()] == ["13:30", "12:30", "12:30", "13:30"]
    assert all(
        OFFICE.is_open(moment) and not OFFICE.is_open(moment - timedelta(minutes=1)) for moment in opens.values()
    )


def test_F59_a_firm_that_changes_its_zone_keeps_its_hours():
    sydney = OfficeCalendar(ZoneInfo("Australia/Sydney"), "AU-NSW", time(8, 30), time(17))
    moment = datetime(2026, 3, 2, 15, tzinfo=UTC)
    assert OFFICE.is_open(moment)
    assert not sydney.is_open(moment)
    assert sydney.is_open(moment + timedelta(hours=8))


def test_only_regions_whose_holidays_are_known_are_regions():
    assert all(map(has_region, ("US", "US-NY", "CA-ON", "GB-ENG", "AU-NSW")))
    assert not any(map(has_region, ("", "ny", "US-XX", "FR", "US-")))
