"""A day's deposits in one line of the bank's: found by sum, and only where nothing else it could be (T16)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple


class Credit(NamedTuple):
    """A line of the bank's that may be a whole day's, or a weekend's, deposits."""

    id: int
    on: date
    amount_cents: int


BATCH_DAYS = 4
"""A deposit may gather a long weekend."""

SETTLE_DAYS = 7
"""And come so many days after the last of its days."""


NET_SHARE = 0.06
"""A deposit that is short by no more than this may have had fees taken out of it (T16)."""


def nets(totals: Mapping[date, int], lines: Iterable[Credit]) -> dict[int, date]:
    """Which day's gross each line falls a little short of: only where line and day are each other's only fit."""
    fits = [
        (line.id, line.on - timedelta(days=back))
        for line in lines
        for back in range(SETTLE_DAYS + 1)
        if 0 < (cents := totals.get(line.on - timedelta(days=back), 0)) - line.amount_cents <= cents * NET_SHARE
    ]
    ids, days = Counter(ident for ident, _ in fits), Counter(day for _, day in fits)
    return {ident: day for ident, day in fits if ids[ident] == days[day] == 1}


def batches(totals: Mapping[date, int], lines: Iterable[Credit]) -> dict[int, tuple[date, ...]]:
    """Which days each line is the sum of: only where line and days are each other's only fit."""
    days = sorted(day for day, cents in totals.items() if cents)
    sums: dict[int, list[tuple[date, ...]]] = {}
    for start in range(len(days)):
        for length in range(1, BATCH_DAYS + 1):
            run = tuple(days[start : start + length])
            if len(run) == length and (run[-1] - run[0]).days < BATCH_DAYS:
                sums.setdefault(sum(totals[day] for day in run), []).append(run)
    fits = [
        (credit.id, run)
        for credit in lines
        for run in sums.get(credit.amount_cents, ())
        if timedelta(0) <= credit.on - run[-1] <= timedelta(days=SETTLE_DAYS)
    ]
    by_credit: dict[int, list[tuple[date, ...]]] = {}
    by_day: dict[date, set[int]] = {}
    for ident, run in fits:
        by_credit.setdefault(ident, []).append(run)
        for day in run:
            by_day.setdefault(day, set()).add(ident)
    return {
        ident: runs[0]
        for ident, runs in by_credit.items()
        if len(runs) == 1 and all(by_day[day] == {ident} for day in runs[0])
    }
