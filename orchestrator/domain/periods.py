"""When an account must be compared, and by when somebody must have signed it (T39). Days are the account's own (T49)."""

from datetime import date, timedelta

from orchestrator.domain.jurisdictions import Every, Jurisdiction

MONTHS = {Every.QUARTER: 3}
"""Months in a period; whatever is stricter than a quarter is compared every month."""


def month_end(day: date) -> date:
    """The last day of the month that a day lies in."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def last_period_end(today: date, every: Every) -> date:
    """The end of the last period that is over."""
    end = today.replace(day=1) - timedelta(days=1)
    while end.month % MONTHS.get(every, 1):
        end = end.replace(day=1) - timedelta(days=1)
    return end


def due_on(end: date, due_day: int) -> date:
    """The day by which a period must be signed: in the month after it, and never later than that month's end."""
    following = month_end(end + timedelta(days=1))
    return following.replace(day=min(due_day, following.day))


def overdue(profile: Jurisdiction, *, first: date | None, signed_to: date | None, today: date) -> date | None:
    """The end of the period that should be signed by now and is not; None when nothing is late, or nothing has ever moved."""
    if first is None:
        return None
    end = last_period_end(today, profile.reconcile_every)
    if due_on(end, profile.reconcile_due_day) >= today:
        end = last_period_end(end.replace(day=1), profile.reconcile_every)
    return end if first <= end and (signed_to is None or signed_to < end) else None
