"""The request budget of one token for all processes that reach the same Redis, whose client only they need to load."""

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.resources import files

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.clients.pacing import FIRST_SERVED, RULES, LocalPacer, Rules, held_back
from orchestrator.domain.topics import Urgency

log = structlog.get_logger()

FALLBACK = replace(RULES, own=0.25)
"""While Redis is away each of up to four worker processes keeps to a quarter (F51)."""


class RedisPacer:
    """The budget of one token, shared by every process that reaches the same Redis.

    `token` answers with the access token in use now; it is asked only before a request, and only a digest of it is
    stored. Redis' own clock decides, so the clocks of the workers may differ (F60). While Redis is away, each process
    keeps to its share on its own (F51).
    """

    def __init__(
        self,
        store: redis.Redis,
        token: Callable[[], str],
        rules: Rules = RULES,
        *,
        fallback: LocalPacer | None = None,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._token, self._rules, self._jitter, self._now = token, rules, jitter, now
        self._fallback = fallback or LocalPacer(FALLBACK, jitter=jitter)
        self._script = store.register_script(files(__package__).joinpath("pacing.lua").read_text())
        self._away = _Away()
        self._digest = ""

    def take(self, urgency: Urgency) -> None:
        # Only here: `learn` and `pause` follow an answer, which an error from the token's keeper must never hide.
        self._digest = hashlib.sha256(self._token().encode()).hexdigest()[:16]
        reply = self._run("take", int(urgency <= FIRST_SERVED))
        if reply is None:
            self._fallback.take(urgency)
        elif reply > 0:
            raise held_back(urgency, reply, self._jitter())

    def learn(self, *, limit: int | None, remaining: int | None, reset: float | None) -> None:
        left = "" if reset is None else reset - self._now()
        self._run("learn", "" if limit is None else limit, "" if remaining is None else remaining, left)
        self._fallback.learn(limit=limit, remaining=remaining, reset=reset)

    def pause(self, seconds: float) -> None:
        self._run("pause", seconds)
        self._fallback.pause(seconds)

    def _run(self, verb: str, *args: float | str) -> float | None:
        """Seconds to wait, or None while Redis is away; a lost Redis is asked again after a few seconds, not at once."""
        if self._away.now():
            return None
        rules = self._rules
        figures = (rules.limit, rules.window, rules.kept, rules.tail, rules.probes, rules.probe_wait, rules.forgotten,
                   rules.margin, rules.own)  # fmt: skip
        key = f"pacer:{{{self._digest}}}"
        try:
            wait = self._script(keys=[key, f"{key}:sent"], args=[verb, *figures, *args])
        except redis.RedisError as error:
            self._away.begin(type(error).__name__)
            return None
        self._away.end()
        return float(wait)


@dataclass(slots=True)
class _Away:
    """Whether Redis is left alone for now; tells the log once when that begins and once when it ends."""

    ask_again: float = 5.0
    _until: float | None = field(default=None, init=False)

    def now(self) -> bool:
        return self._until is not None and time.monotonic() < self._until

    def begin(self, kind: str) -> None:
        if self._until is None:
            log.warning("pacer.redis_away", kind=kind)
        self._until = time.monotonic() + self.ask_again

    def end(self) -> None:
        if self._until is not None:
            self._until = None
            log.info("pacer.redis_back")


def redis_store(url: str) -> redis.Redis:
    """A Redis client that answers or fails within a second: waiting for Redis must never cost a lease."""
    return redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 1))
