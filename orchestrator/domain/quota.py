"""When links that wait will find room under both quotas, and how far both will reach: pure forecasts (DESIGN §7, link budget)."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

WINDOW = timedelta(hours=24)
"""Over which Clio counts the links that were created (API notes §10)."""


AHEAD = timedelta(days=30)
"""How far a firm can see: bills that it is about to issue, and reminders that will bring a link."""

TIGHT = 0.8
"""The share of either quota at which a person is told, while there is time to do something."""


class Quota(StrEnum):
    """Clio's two limits: links that can be paid now, and links made within 24 hours."""

    ACTIVE = "active"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Use:
    """What holds room now, each by the moment at which it gives it back; `stuck` are active links whose end we do not know."""

    limit: int
    leaving_window: Sequence[datetime]
    ending: Sequence[datetime]
    stuck: int = 0
    shut_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What will be used at most; which quota will first be `tight`, and when; when first a link will have to wait."""

    most_active: int
    most_created: int
    tight: Quota | None
    tight_at: datetime | None
    short_at: datetime | None

    @property
    def most(self) -> int:
        """Of whichever quota more is used."""
        return max(self.most_active, self.most_created)


class _Places:
    """Both quotas as time goes by: each link takes a place in both and gives them back by itself."""

    def __init__(self, use: Use, *, life: timedelta, now: datetime) -> None:
        self._use, self._life = use, life
        self._window, self._ends = list(use.leaving_window), list(use.ending)
        heapq.heapify(self._window)
        heapq.heapify(self._ends)
        self._moment = max(now, use.shut_until or now)

    def take(self, wanted: datetime) -> datetime | None:
        """When a link that is wanted then gets its place, after all before it; None when only somebody else can make room."""
        moment = max(wanted, self._moment)
        while self._window and (len(self._window) >= self._use.limit > 0 or self._window[0] <= moment):
            moment = max(moment, heapq.heappop(self._window))
        while self._ends and (self.active >= self._use.limit or self._ends[0] <= moment):
            moment = max(moment, heapq.heappop(self._ends))
        if self.active >= self._use.limit:
            return None
        heapq.heappush(self._window, moment + WINDOW)
        heapq.heappush(self._ends, moment + self._life)
        self._moment = moment
        return moment

    @property
    def active(self) -> int:
        return len(self._ends) + self._use.stuck

    @property
    def created(self) -> int:
        return len(self._window)

    @property
    def tight(self) -> Quota | None:
        """The quota of which much is used; of both the one that takes longer to free."""
        ceiling = TIGHT * self._use.limit
        return Quota.ACTIVE if self.active >= ceiling else Quota.CREATED if self.created >= ceiling else None


def forecast(use: Use, *, waiting: int, life: timedelta, now: datetime) -> list[datetime | None]:
    """For each of `waiting` links in their order, when it finds room at the latest; None when only somebody else can make room.

    Links that are paid or void sooner give their active place back sooner; each new one lives for `life`.
    """
    places = _Places(use, life=life, now=now)
    return [places.take(now) for _ in range(waiting)]


def outlook(use: Use, wanted: Iterable[datetime], *, life: timedelta, now: datetime) -> Outlook:
    """How both quotas will fare until `now + AHEAD`, if links are wanted at these moments and none is paid."""
    places = _Places(use, life=life, now=now)
    most_active, most_created, short_at = places.active, places.created, None
    tight, tight_at = places.tight, now if places.tight else None
    for moment in sorted(wanted):
        at = places.take(moment)
        if at is None or at > moment:
            short_at = short_at or moment
        if at is None or at > now + AHEAD:
            break
        most_active, most_created = max(most_active, places.active), max(most_created, places.created)
        if tight is None and places.tight is not None:
            tight, tight_at = places.tight, at
    return Outlook(most_active, most_created, tight, tight_at, short_at)
