from calendar import monthrange
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.billing import Rules, Verdict, Work, decide, last_billing_day
from orchestrator.domain.contacts import Client, EmailProblem
from orchestrator.domain.matters import BillingMethod, Matter, MatterStatus
from orchestrator.domain.reasons import REASONS

TODAY = date(2026, 3, 2)
MATTER = Matter(
    id=1, etag="e", display_number="00001-X", status=MatterStatus.OPEN, billable=True, billing_method=BillingMethod.HOURLY,
    client=Client(2, "Bo", "bo@clients.test"), responsible_attorney_id=3, practice_area=None, stage="Active", closed_on=None,
    updated_at=datetime(2026, 3, 1, tzinfo=UTC),
)  # fmt: skip
RULES = Rules(threshold_cents=50_000, calendar_day=28, flat_fee_date_field="Billing Date", flat_fee_stages=("Closing",))
RECENT = date(2026, 3, 1)


PLENTY = Work(60_000, RECENT)


def decided(matter=MATTER, work: Work | None = PLENTY, **facts):
    given_facts = {
        "rules": RULES,
        "today": TODAY,
        "redacted": False,
        "asked": False,
        "drafted": False,
        "last_end": None,
    } | facts
    return decide(matter, work, **given_facts)


def flat(**facts):
    return replace(MATTER, billing_method=BillingMethod.FLAT, **facts)


TABLE = {
    "threshold": (decided(), Verdict.ASK, "hourly"),
    "exactly the threshold": (decided(work=Work(50_000, RECENT)), Verdict.ASK, "hourly"),
    "below_threshold": (decided(work=Work(49_999, RECENT)), Verdict.WAIT, ""),
    "calendar": (decided(work=Work(1, date(2026, 2, 28))), Verdict.ASK, "hourly"),
    "no_approved_time": (decided(work=None), Verdict.WAIT, ""),
    "zero_amount": (decided(work=Work(0, RECENT)), Verdict.FILTERED, ""),
    "zero_amount of credits": (decided(work=Work(-5, RECENT)), Verdict.FILTERED, ""),
    "contingency": (
        decided(replace(MATTER, billing_method=BillingMethod.CONTINGENCY)), Verdict.FILTERED, ""
    ),
    "non_billable": (decided(replace(MATTER, billable=False)), Verdict.FILTERED, ""),
    "values_redacted": (decided(redacted=True), Verdict.FILTERED, ""),
    "matter_pending": (decided(replace(MATTER, status=MatterStatus.PENDING)), Verdict.FILTERED, ""),
    "client_missing": (decided(replace(MATTER, client=None)), Verdict.FILTERED, ""),
    "client_email_blank": (
        decided(replace(MATTER, client=Client(2, "Bo", None, EmailProblem.BLANK))), Verdict.FILTERED, ""
    ),
    "request_open": (decided(asked=True), Verdict.WAIT, ""),
    "period_asked": (decided(last_end=TODAY), Verdict.WAIT, ""),
    "draft_open": (decided(last_end=TODAY, drafted=True), Verdict.WAIT, ""),
    "matter_closed": (decided(replace(MATTER, status=MatterStatus.CLOSED), Work(1, RECENT)), Verdict.ASK, "final"),
    "flat_fee_date": (decided(flat(custom_fields={"Billing Date": "2026-03-02"})), Verdict.ASK, "flat_fee"),
    "flat_fee_stage": (decided(flat(stage="Closing")), Verdict.ASK, "flat_fee"),
    "flat_fee_not_due": (decided(flat(custom_fields={"Billing Date": "2026-03-03"})), Verdict.WAIT, ""),
    "flat_fee_not_due by an unreadable date": (
        decided(flat(custom_fields={"Billing Date": "soon"})), Verdict.WAIT, ""
    ),
    "flat_fee_not_due whatever it comes to": (decided(flat(), Work(10**9, date(2020, 1, 1))), Verdict.WAIT, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_each_case_has_its_verdict_and_reason(case):
    decision, verdict, kind = TABLE[case]
    code = "threshold" if case == "exactly the threshold" else case.split()[0]
    assert (decision.verdict, decision.reason, decision.kind) == (verdict, code, kind)


@given(
    st.sampled_from(BillingMethod), st.sampled_from(MatterStatus), st.booleans(), st.booleans(), st.booleans(),
    st.none() | st.builds(Work, st.integers(-100, 100_000), st.dates(date(2025, 1, 1), TODAY)),
    st.none() | st.dates(date(2025, 1, 1), date(2027, 1, 1)), st.sampled_from([None, *EmailProblem]),
)  # fmt: skip
def test_nothing_is_ever_asked_for_against_a_filter(method, status, billable, redacted, asked, work, end, problem):  # noqa: PLR0917
    client = Client(2, "Bo", None if problem else "bo@clients.test", problem)
    matter = replace(MATTER, billing_method=method, status=status, billable=billable, client=client)
    decision = decided(matter, work, redacted=redacted, asked=asked, last_end=end)
    assert decision.reason in REASONS
    if decision.verdict is Verdict.ASK:
        assert billable
        assert not redacted
        assert not asked
        assert method is not BillingMethod.CONTINGENCY
        assert status is not MatterStatus.PENDING
        assert problem is None
        assert work is not None
        assert work.cents > 0
        assert end is None or end < TODAY
        assert decision.kind


@given(st.dates(date(2023, 1, 1), date(2029, 12, 31)), st.integers(1, 31))
def test_the_last_billing_day_is_the_newest_one_that_is_not_ahead(today, day):
    found = last_billing_day(today, day)
    assert found <= today
    assert found.day == min(day, monthrange(found.year, found.month)[1])
    # Nothing between it and today is a billing day as well.
    probe = found + timedelta(days=1)
    while probe <= today:
        assert probe.day != min(day, monthrange(probe.year, probe.month)[1])
        probe += timedelta(days=1)


@pytest.mark.parametrize("day", range(1, 32))
@pytest.mark.parametrize("year", [2027, 2028])
def test_every_month_has_exactly_one_billing_day_leap_years_included(day, year):
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(366 if year == 2028 else 365)]
    assert sum(last_billing_day(today, day) == today for today in days) == 12


def test_a_billing_day_that_a_month_lacks_falls_on_its_last():
    assert last_billing_day(date(2028, 2, 29), 31) == date(2028, 2, 29)
    assert last_billing_day(date(2027, 2, 28), 30) == date(2027, 2, 28)
    assert last_billing_day(date(2027, 3, 30), 31) == date(2027, 2, 28)
    assert last_billing_day(date(2027, 1, 14), 15) == date(2026, 12, 15)
