"""The firm's clock and the dispatcher, in one loop: new slots become jobs, due jobs become bells."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog

from orchestrator.engine.dispatch import Ring
from orchestrator.engine.runtime import Runtime
from orchestrator.engine.schedule import Beat
from workflows.app import ring_on

log = structlog.get_logger()


def beat_loop(
    firms: Iterable[Runtime], ring: Ring, *, stop: threading.Event, nudge: threading.Event, poll_seconds: float
) -> None:
    """Tick and ring until `stop`; `nudge` wakes it early. One firm's trouble never keeps another's bells silent."""
    beats = [(rt, Beat(rt)) for rt in firms]
    while not stop.is_set():
        nudge.clear()
        troubled = False
        for rt, beat in beats:
            try:
                beat.tick(datetime.now(UTC))
                ring_on(rt, ring)
            except Exception as trouble:  # noqa: BLE001  the loop outlives its database and its broker
                log.warning("beat.trouble", firm=rt.firm, error=type(trouble).__name__)
                troubled = True
        # In trouble, once a second at most: what is away does not come back faster for being asked.
        nudge.wait(max(poll_seconds, 1.0) if troubled else poll_seconds)
