"""When a matter should be billed: a pure decision with a reason, every time (W3)."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from orchestrator.domain.matters import BillingMethod, Matter, MatterStatus


class Verdict(StrEnum):
    ASK = "ask"
    WAIT = "wait"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a matter now; `reason` is a code of `domain.reasons`."""

    verdict: Verdict
    reason: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """The approved, unbilled work of one matter."""

    cents: int
    earliest: date


@dataclass(frozen=True, slots=True)
class Rules:
    """The firm's triggers; amounts in cents, `calendar_day` 29–31 falling on a short month's last day."""

    threshold_cents: int
    calendar_day: int
    flat_fee_date_field: str
    flat_fee_stages: tuple[str, ...]


def decide(
    matter: Matter, work: Work | None, *, rules: Rules, today: date, redacted: bool, asked: bool,
    drafted: bool, last_end: date | None,
) -> Decision:  # fmt: skip
    """Whether to ask for a bill on `today` (the office's date); filters come before triggers, so a reason is never money.

    `asked` and `drafted` say that a request or a draft bill of the matter is open, `last_end` up to which day it was asked.
    """
    for applies, verdict, reason in (
        (matter.billing_method is BillingMethod.CONTINGENCY, Verdict.FILTERED, "contingency"),
        (not matter.billable, Verdict.FILTERED, "non_billable"),
        (redacted, Verdict.FILTERED, "values_redacted"),
        (work is None, Verdict.WAIT, "no_approved_time"),
        (work is not None and work.cents <= 0, Verdict.FILTERED, "zero_amount"),
        (matter.status is MatterStatus.PENDING, Verdict.FILTERED, "matter_pending"),
        (matter.client is None, Verdict.FILTERED, "client_missing"),
        (asked, Verdict.WAIT, "request_open"),
        (last_end is not None and last_end >= today and drafted, Verdict.WAIT, "draft_open"),
        (last_end is not None and last_end >= today, Verdict.WAIT, "period_asked"),
    ):
        if applies:
            return Decision(verdict, reason)
    if matter.client is not None and matter.client.email_problem is not None:
        return Decision(Verdict.FILTERED, matter.client.email_problem)
    assert work is not None
    return _trigger(matter, work, rules, today)


def _trigger(matter: Matter, work: Work, rules: Rules, today: date) -> Decision:
    if matter.status is MatterStatus.CLOSED:
        return Decision(Verdict.ASK, "matter_closed", "final")
    if matter.billing_method is BillingMethod.FLAT:
        return _flat_fee(matter, rules, today)
    if work.cents >= rules.threshold_cents:
        return Decision(Verdict.ASK, "threshold", "hourly")
    if work.earliest <= last_billing_day(today, rules.calendar_day):
        return Decision(Verdict.ASK, "calendar", "hourly")
    return Decision(Verdict.WAIT, "below_threshold")


def _flat_fee(matter: Matter, rules: Rules, today: date) -> Decision:
    scheduled = _date(matter.custom_fields.get(rules.flat_fee_date_field))
    if scheduled is not None and scheduled <= today:
        return Decision(Verdict.ASK, "flat_fee_date", "flat_fee")
    if matter.stage in rules.flat_fee_stages:
        return Decision(Verdict.ASK, "flat_fee_stage", "flat_fee")
    return Decision(Verdict.WAIT, "flat_fee_not_due")


def last_billing_day(today: date, day: int) -> date:
    """The most recent billing day on or before `today`."""
    this_month = today.replace(day=min(day, calendar.monthrange(today.year, today.month)[1]))
    if this_month <= today:
        return this_month
    year, month = (today.year, today.month - 1) if today.month > 1 else (today.year - 1, 12)
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def next_billing_day(today: date, day: int) -> date:
    """The first billing day after `today`."""
    first_of_next = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    this_month = last_billing_day(first_of_next - timedelta(days=1), day)
    return this_month if this_month > today else last_billing_day(_month_end(first_of_next), day)


def _month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _date(value: str | None) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        # A date nobody can read is no date: the matter waits, and `bills list --why` shows that it does.
        return None
