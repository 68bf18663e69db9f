"""Signs of life of one process: a file that `--check` reads, and a thread that ends the process when none come (F52).

A container engine restarts what ends, and only that: a process that is there and deaf has to end itself.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from orchestrator.errors import OrchestratorError

log = structlog.get_logger()

LOOKS = 6
"""How often life is looked for within the time after which a process counts as deaf."""


class Silent(OrchestratorError):
    """The process on this machine shows no sign of life; the sentence says since when."""


def sign_path(run_dir: Path, part: str) -> Path:
    """The file that `part` of this machine touches while it lives."""
    return run_dir / f"{part}.alive"


def check(run_dir: Path, part: str, *, within_seconds: float) -> float:
    """Seconds since the last sign of life; `Silent` when that is too long ago, or there never was one."""
    path = sign_path(run_dir, part)
    try:
        age = time.clock_gettime(time.CLOCK_MONOTONIC) - float(path.read_text("ascii"))
    except (OSError, ValueError):
        raise Silent(f"No {part} has given a sign of life here ({path}).") from None
    if not 0 <= age <= within_seconds:
        raise Silent(f"The {part} has given no sign of life for {age:.0f} s: restart it.")
    return age


class Watchdog(threading.Thread):
    """Looks for life, leaves the sign of it, and calls `give_up` once there was none for `limit_seconds`."""

    def __init__(
        self, part: str, *, run_dir: Path, limit_seconds: float, look: Callable[[], bool], give_up: Callable[[], None]
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._part = part
        self._path = sign_path(run_dir, part)
        self._limit = limit_seconds
        self._look = look
        self._give_up = give_up
        self._over = threading.Event()
        run_dir.mkdir(parents=True, exist_ok=True)
        self._leave_sign()

    def run(self) -> None:
        every = self._limit / LOOKS
        alive_at = looked_at = time.monotonic()
        while not self._over.wait(every):
            alive = self._look()
            now = time.monotonic()
            # Frozen ourselves, we heard as little as the rest of the process: the count begins anew.
            if alive or now - looked_at > 2 * every + 30:
                alive_at = now
                with suppress(OSError):
                    self._leave_sign()
            elif now - alive_at > self._limit:
                log.error("process.deaf", part=self._part, seconds=round(now - alive_at))
                self._give_up()
                return
            looked_at = now

    def stop(self) -> None:
        """The process ends as it should: no sign is left behind."""
        self._over.set()
        with suppress(OSError):
            self._path.unlink()

    def _leave_sign(self) -> None:
        # Replaced whole: a check never reads half of it. The monotonic clock is the machine's, whoever sets its time.
        fresh = self._path.with_suffix(f".{os.getpid()}")
        fresh.write_text(str(time.clock_gettime(time.CLOCK_MONOTONIC)), "ascii")
        fresh.replace(self._path)
