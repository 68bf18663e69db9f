"""The firm's clock and the dispatcher, in one loop: new slots become jobs, due jobs become bells."""

import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime

import structlog

from orchestrator.engine.dispatch import Ring, Share, whole
from orchestrator.engine.runtime import Runtime
from orchestrator.engine.schedule import Beat
from workflows.app import ring_on

log = structlog.get_logger()

LONGEST_PAUSE_SECONDS = 5.0
"""How long a firm in trouble is left alone: what is away does not come back faster for being asked."""

LOOK_AGAIN_SECONDS = 15.0
"""How soon a profile that was added or taken away is noticed."""


def beat_loop(
    rt: Runtime, ring: Ring, share: Share = whole, *, stop: threading.Event, poll_seconds: float,
    nudge: threading.Event | None = None, turned: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Tick and ring for one firm until `stop`; `nudge` wakes it early, `turned` hears of each round, in trouble or not."""
    beat = Beat(rt)
    troubles = 0
    while not stop.is_set():
        if nudge is not None:
            nudge.clear()
        try:
            beat.tick(datetime.now(UTC))
            ring_on(rt, ring, share)
        except Exception as trouble:  # noqa: BLE001  the loop outlives its database and its broker
            troubles += 1
            log.warning("beat.trouble", firm=rt.firm, error=type(trouble).__name__)
        else:
            troubles = 0
        turned()
        (nudge or stop).wait(max(poll_seconds, min(float(troubles), LONGEST_PAUSE_SECONDS)))


def attend(
    roster: Callable[[], Collection[str]], serve: Callable[[str, threading.Event], None], *, stop: threading.Event
) -> None:
    """`serve(firm, over)` for every firm of the roster until `stop`, each in a thread of its own.

    A firm whose database hangs keeps nobody else waiting. One that fails is begun again; one that left is told so.
    """
    attended: dict[str, tuple[threading.Thread, threading.Event]] = {}
    while not stop.is_set():
        names = set(roster())
        for firm in names - attended.keys():
            over = threading.Event()
            thread = threading.Thread(
                target=_again_and_again, args=(serve, firm, over), name=f"firm-{firm}", daemon=True
            )
            attended[firm] = (thread, over)
            thread.start()
        for firm in attended.keys() - names:
            attended.pop(firm)[1].set()
        stop.wait(LOOK_AGAIN_SECONDS)
    for _, over in attended.values():
        over.set()
    for thread, _ in attended.values():
        # One that hangs in its database is left behind: its transaction rolls back when the process ends.
        thread.join(timeout=1)


def _again_and_again(serve: Callable[[str, threading.Event], None], firm: str, over: threading.Event) -> None:
    while not over.is_set():
        try:
            serve(firm, over)
        except Exception as trouble:  # noqa: BLE001  a profile that is being written, a secret that is not there yet
            log.warning("firm.trouble", firm=firm, error=type(trouble).__name__)
            over.wait(LONGEST_PAUSE_SECONDS)
