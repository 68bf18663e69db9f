"""The mark in a fleet's Redis, whose client a firm without one does not load."""

import redis
import structlog

from orchestrator.errors import Transient
from orchestrator.storage.lineage import Reached
from orchestrator.storage.marks import understood, written

log = structlog.get_logger()


class RedisMark:
    """A key in the broker, which is backed up with nothing."""

    lasting = False

    def __init__(self, store: redis.Redis, key: str) -> None:
        self._store = store
        self._key = key

    def read(self) -> Reached | None:
        try:
            found = self._store.get(self._key)
        except redis.RedisError as away:
            raise Transient(f"Redis does not answer ({type(away).__name__}).") from away
        return understood(found) if isinstance(found, bytes) else None

    def write(self, reached: Reached) -> None:
        try:
            self._store.set(self._key, written(reached))
        except redis.RedisError as trouble:
            log.warning("lineage.unmarked", kind=type(trouble).__name__)
