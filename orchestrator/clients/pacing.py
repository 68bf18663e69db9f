"""The request budget of one token: sixty-second windows on real time, kept by whoever knows it best — the provider.

Every answer announces limit, requests left and the window's end. What the provider has counted, plus what we have under
way, is what is spent; so a stranger on the same token only makes our share smaller (F33), and a limit that changes is
known after one answer (F32). Before the first announcement only a few requests may be under way at once (F34), and after
a 429 exactly one, once everybody has waited (F31). The same rules stand here in Python and in `pacing.lua` for Redis.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.domain.topics import Urgency
from orchestrator.errors import Paced


@dataclass(frozen=True, slots=True)
class Rules:
    """Figures shared by both pacers; seconds are real time.

    `limit` is assumed until the provider names one. `kept` of it waits for the two highest urgencies, less and less
    towards the window's end, where the last of it is released `tail` seconds before. A request that nobody has seen
    answered for `forgotten` seconds is taken as spent. `margin` covers the rounding of the announced end: being late by
    it costs nothing, being early costs a 429. `own` caps our requests in a window at that share of the limit.
    """

    limit: int = 50
    window: float = 60.0
    kept: float = 0.2
    tail: float = 4.0
    probes: int = 2
    probe_wait: float = 0.25
    forgotten: float = 20.0
    margin: float = 1.0
    own: float = 1.0


RULES = Rules()
FIRST_SERVED = Urgency.MONEY


class LocalPacer:
    """The budget of one process; thread-safe."""

    def __init__(
        self, rules: Rules = RULES, *, now: Callable[[], float] = time.time, jitter: Callable[[], float] = random.random
    ) -> None:
        self._rules, self._now, self._jitter = rules, now, jitter
        self._lock = threading.Lock()
        self._limit = rules.limit
        self._used = self._sent = 0
        self._end = 0.0
        self._end_known = False
        self._paused = 0.0
        self._probes = rules.probes
        self._under_way: deque[float] = deque()

    def take(self, urgency: Urgency) -> None:
        with self._lock:
            wait = self._wait(urgency, self._now())
        if wait > 0:
            raise held_back(urgency, wait, self._jitter())

    def learn(self, *, limit: int | None, remaining: int | None, reset: float | None) -> None:
        with self._lock:
            now, rules = self._now(), self._rules
            if self._under_way:
                self._under_way.popleft()
            end = None if reset is None else reset + rules.margin
            if limit is None or remaining is None or (end is not None and end <= now):
                # Nothing announced, or by a window that is over: the request counts all the same.
                self._used += 1
                return
            if now >= self._paused:
                self._probes = 0
            self._turn(now)
            used = max(0, limit - remaining)
            newer = end is not None and end > self._end + 2 * rules.margin
            if end is not None and (newer or not self._end_known):
                self._sent = len(self._under_way) + 1 if newer else self._sent
                self._end, self._end_known, self._used = end, True, used
            else:
                self._end = self._end if end is None else min(self._end, end)
                self._used = max(self._used, used)
            self._limit = limit

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._paused = max(self._paused, self._now() + seconds)
            self._probes = 1

    def _turn(self, now: float) -> None:
        """Begin a new window when the old one is over; its true end is known with the next answer."""
        if now >= self._end:
            self._end, self._end_known = now + self._rules.window, False
            self._used = self._sent = 0

    def _wait(self, urgency: Urgency, now: float) -> float:
        """Zero when one request is spent now, else the seconds until one may be free."""
        rules = self._rules
        while self._under_way and self._under_way[0] <= now - rules.forgotten:
            self._under_way.popleft()
            self._used += 1
        if now < self._paused:
            return self._paused - now
        self._turn(now)
        under_way = len(self._under_way)
        if self._probes and under_way >= self._probes:
            return rules.probe_wait
        left = self._end - now
        free = self._limit - self._used - under_way
        kept = 0 if urgency <= FIRST_SERVED else self._kept(left)
        within_share = rules.own >= 1 or self._sent < max(1, math.floor(self._limit * rules.own))
        if free > kept and within_share:
            self._under_way.append(now)
            self._sent += 1
            return 0.0
        if under_way and free + under_way > kept:
            # What is under way may already be among what the provider counted; the next answer tells.
            return min(rules.probe_wait, left)
        if free > 0 and free <= kept:
            return max(rules.probe_wait / 5, left - self._left_when_kept(free - 1))
        return left

    def _kept(self, left: float) -> int:
        rules = self._rules
        share = min(1.0, max(0.0, (left - rules.tail) / (rules.window - rules.tail)))
        return math.ceil(self._limit * rules.kept * share)

    def _left_when_kept(self, requests: int) -> float:
        """Seconds before the window's end at which no more than `requests` are kept back."""
        rules = self._rules
        return rules.tail + requests / (self._limit * rules.kept) * (rules.window - rules.tail)


def held_back(urgency: Urgency, wait: float, jitter: float) -> Paced:
    """The refusal, with up to a twentieth of the wait and at most half a second added, so that not all come at once."""
    retry_after = wait + jitter * min(0.5, 0.02 + wait / 20)
    return Paced(f"The request budget has no room for {urgency.name.lower()} work yet.", retry_after=retry_after)
