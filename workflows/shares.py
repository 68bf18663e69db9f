"""How much of the fleet one firm may take just now; the broker tells whether anybody waits for a hand."""

import time
from pathlib import Path

from orchestrator.engine.dispatch import IN_FLIGHT, fair_share
from orchestrator.settings import Settings, firms
from workflows.app import QUEUES, key_prefix

LOOK_AGAIN_SECONDS = 10.0


class FleetShare:
    """Asked before each ringing: the whole of it for a firm that is alone, else by `fair_share`."""

    def __init__(self, settings: Settings) -> None:
        self._hands = settings.engine.hands
        self._config_dir: Path = settings.config_dir
        from orchestrator.clients.redis_pacing import redis_store  # noqa: PLC0415  `up` has no Redis, and loads no client

        self._broker = redis_store(settings.broker_url)
        self._prefix = key_prefix(dry_run=settings.dry_run)
        self._looked_at = float("-inf")
        self._alone = True

    def __call__(self) -> int:
        return IN_FLIGHT if self._is_alone() else fair_share(self._hands, self._waiting())

    def _is_alone(self) -> bool:
        """Whether there is only one profile; a firm added while we run is noticed within seconds."""
        if time.monotonic() - self._looked_at > LOOK_AGAIN_SECONDS:
            self._looked_at, self._alone = time.monotonic(), len(firms(self._config_dir)) <= 1
        return self._alone

    def _waiting(self) -> int:
        """Bells that no worker has taken yet."""
        with self._broker.pipeline(transaction=False) as asked:
            for queue in QUEUES:
                asked.llen(f"{self._prefix}{queue}")
            return sum(asked.execute())
