from datetime import date

import pytest

from orchestrator.domain.jurisdictions import Every
from orchestrator.domain.periods import due_on, last_period_end, overdue
from orchestrator.jurisdictions import load
from tests.firm import CONFIG

STRICT = load(CONFIG, "strict")
JANUARY = date(2026, 1, 31)


@pytest.mark.parametrize(
    ("today", "every", "end"),
    [
        (date(2026, 3, 1), Every.MONTH, date(2026, 2, 28)),
        (date(2026, 3, 31), Every.MONTH, date(2026, 2, 28)),
        (date(2026, 3, 31), Every.QUARTER, date(2025, 12, 31)),
        (date(2026, 4, 1), Every.QUARTER, date(2026, 3, 31)),
        (date(2024, 3, 1), Every.FIVE_WEEKS, date(2024, 2, 29)),
    ],
)
def test_a_period_ends_with_its_last_month(today, every, end):
    assert last_period_end(today, every) == end


def test_a_due_day_that_a_month_lacks_is_its_last():
    assert due_on(JANUARY, 31) == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("today", "signed_to", "late"),
    [
        (date(2026, 2, 25), None, None),
        (date(2026, 2, 26), None, JANUARY),
        (date(2026, 2, 26), JANUARY, None),
        (date(2026, 3, 1), None, JANUARY),
        (date(2026, 3, 26), JANUARY, date(2026, 2, 28)),
    ],
)
def test_T39_a_period_is_late_after_its_due_day(today, signed_to, late):
    assert overdue(STRICT, first=date(2026, 1, 5), signed_to=signed_to, today=today) == late


def test_T39_an_account_on_which_nothing_moved_is_never_late():
    assert overdue(STRICT, first=None, signed_to=None, today=date(2026, 12, 1)) is None
    assert overdue(STRICT, first=date(2026, 2, 3), signed_to=None, today=date(2026, 2, 28)) is None
