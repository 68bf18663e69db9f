"""What the place where a trust account is held asks of whoever keeps it: the profile table of the trust rules, as values."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Every(StrEnum):
    """How often bank, book and client ledgers must be compared (T39)."""

    BANK_STATEMENT = "bank_statement"
    MONTH = "month"
    FIVE_WEEKS = "five_weeks"
    QUARTER = "quarter"


SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Jurisdiction:
    """One profile. Days are calendar days in the account's zone unless they are called business days.

    `unconfirmed` names the values that come from a secondary source: the firm's lawyer confirms them before relying on them.
    """

    key: str
    name: str
    reconcile_every: Every
    reconcile_due_day: int
    notice: str
    notice_business_days: int
    keep_years: int
    keep_from: str
    hold_days_card: int
    hold_days_echeck: int
    draw_age_alert_days: int
    client_notice_days: int
    pay_out_days: int
    idle_days: int
    shortage_cure_business_days: int
    shortage_report: str
    dispute_after_draw: str
    remarks: str
    sources: tuple[str, ...]
    unconfirmed: tuple[str, ...]

    def hold_days(self, *, card: bool) -> int:
        """Days between a deposit's date and its use: what nobody said was a card waits as long as an eCheck (T13)."""
        return self.hold_days_card if card else self.hold_days_echeck

    def may_draw_from(self, notice_delivered_on: date) -> date:
        """The first day on which a draw may be made after its notice was delivered (T18)."""
        day, left = notice_delivered_on, self.notice_business_days
        while left:
            day += timedelta(days=1)
            left -= day.weekday() < SATURDAY
        return day
