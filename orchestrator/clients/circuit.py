"""Doors of a provider that are shut for all of our work: asked again by one request at a time, not by every job (F42)."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from orchestrator.clients.meaning import FOR_THE_FIRM, SHUT_SECONDS, notice_of
from orchestrator.errors import Shut

AT_ONCE = 1
IN_A_ROW = 3
"""A 403 may be about one record: only several in a row at the same door are about us."""


@dataclass(slots=True)
class _Door:
    status: int = 0
    refusals: int = 0
    asked_again_at: float = 0.0


class Circuit:
    """One conversation's shut doors, by method and path; thread-safe. A door is open again once it answers anything else."""

    def __init__(self, provider: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._provider, self._monotonic = provider, monotonic
        self._lock = threading.Lock()
        self._doors: dict[str, _Door] = {}

    def check(self, method: str, path: str) -> None:
        """Pass, or raise `Shut`; when a door's time is over, one request passes and the others go on waiting."""
        place = door(method, path)
        with self._lock:
            shut = self._doors.get(place)
            if shut is None or shut.refusals < _needed(shut.status):
                return
            left = shut.asked_again_at - self._monotonic()
            if left <= 0:
                shut.asked_again_at = self._monotonic() + SHUT_SECONDS
                return
        raise Shut(
            f"{self._provider} answered {shut.status} to {place}; it is asked again in {left:.0f} s.",
            retry_after=left + 1,
            notice=notice_of(self._provider, shut.status),
        )

    def answered(self, method: str, path: str, status: int) -> None:
        """Learn from an answer; one of 5xx says nothing about the door."""
        place = door(method, path)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return
        with self._lock:
            if status not in FOR_THE_FIRM:
                self._doors.pop(place, None)
                return
            known = self._doors.setdefault(place, _Door())
            known.status, known.refusals = status, known.refusals + 1
            known.asked_again_at = self._monotonic() + SHUT_SECONDS


def door(method: str, path: str) -> str:
    """Method and path with ids taken out, which is what permissions, versions and moves are about."""
    return f"{method} {_ID.sub('/{id}', path)}"


_ID = re.compile(r"/[0-9]+|(?<=/transactions)/[^/]+")
"""Clio's ids are numbers; those of LawPay's transactions are letters, digits, - and _."""


def _needed(status: int) -> int:
    return IN_A_ROW if status == HTTPStatus.FORBIDDEN else AT_ONCE
