"""When links that wait will find room under both quotas: a pure forecast (DESIGN §7, link budget)."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(hours=24)
"""Over which Clio counts the links that were created (API notes §10)."""


@dataclass(frozen=True, slots=True)
class Use:
    """What holds room now, each by the moment at which it gives it back; `stuck` are active links whose end we do not know."""

    limit: int
    leaving_window: Sequence[datetime]
    ending: Sequence[datetime]
    stuck: int = 0
    shut_until: datetime | None = None


def forecast(use: Use, *, waiting: int, life: timedelta, now: datetime) -> list[datetime | None]:
    """For each of `waiting` links in their order, when it finds room at the latest; None when only somebody else can make room.

    Links that are paid or void sooner give their active place back sooner; each new one lives for `life`.
    """
    window, ends = list(use.leaving_window), list(use.ending)
    heapq.heapify(window)
    heapq.heapify(ends)
    moment = max(now, use.shut_until or now)
    found: list[datetime | None] = []
    for _ in range(waiting):
        while len(window) >= use.limit > 0:
            moment = max(moment, heapq.heappop(window))
        while ends and (len(ends) + use.stuck >= use.limit or ends[0] <= moment):
            moment = max(moment, heapq.heappop(ends))
        if len(ends) + use.stuck >= use.limit:
            return [*found, *[None] * (waiting - len(found))]
        found.append(moment)
        heapq.heappush(window, moment + WINDOW)
        heapq.heappush(ends, moment + life)
    return found
