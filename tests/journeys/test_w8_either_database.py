"""W8 on both databases: the same rows, the same letters."""

import pytest

from tests.databases import either_url
from tests.firm import open_firm
from tests.journeys.test_w8_reminders import FIRST, FLAG, SECOND, at, flags, letters, owed, rows

__all__ = ["either_url"]


@pytest.fixture
def either_firm(sandbox, either_url):
    with open_firm(sandbox, either_url) as firm:
        firm.work()
        yield firm


def test_a_bill_is_followed_to_its_end(either_firm):
    bills = [owed(either_firm, dollars=dollars) for dollars in (100, 200)]
    for day in (FIRST, SECOND, FLAG):
        at(either_firm, day)
    assert letters(either_firm) == [{bill["id"]: step for bill in bills} for step in ("overdue-7", "overdue-21")]
    assert len(flags(either_firm)) == len(bills)
    for bill in bills:
        assert set(rows(either_firm, bill).values()) == {("sent", None)}
        either_firm.sandbox.act("record_payment", id=bill["id"])
    at(either_firm, "2026-04-15")
    either_firm.check()
