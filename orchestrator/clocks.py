"""The firm's now: the database's clock in a fleet, this machine's for a file, a moved one in the sandbox."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from orchestrator.errors import Transient
from orchestrator.ports import Clock

CLOCK_CACHE_SECONDS = 0.02


COMPARE_SECONDS = 15.0


def wall_clock() -> datetime:
    return datetime.now(UTC)


class DatabaseClock:
    """PostgreSQL's clock, so that workers on machines whose clocks differ agree on every due time and wait (F60).

    It is read with a connection's first use in fifteen seconds and carried on by this machine's monotonic clock, which no
    time server sets; before the first reading it is this machine's own.
    """

    def __init__(self, engine: sa.Engine, machine: Clock = wall_clock) -> None:
        self._read = (time.monotonic(), machine())
        self._next = float("-inf")
        sa.event.listen(engine, "checkout", self._compare)

    def __call__(self) -> datetime:
        at, moment = self._read
        return moment + timedelta(seconds=time.monotonic() - at)

    def _compare(self, connection: Any, _record: Any, _proxy: Any) -> None:
        asked = time.monotonic()
        if asked < self._next:
            return
        with connection.cursor() as cursor:
            moment = cursor.execute("SELECT clock_timestamp()").fetchone()[0]
        connection.rollback()
        answered = time.monotonic()
        self._read = ((asked + answered) / 2, moment.astimezone(UTC))
        self._next = answered + COMPARE_SECONDS


class MovedClock:
    """The sandbox's clock over HTTP (DESIGN §9), asked by one thread at a time and at most every 20 ms."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        # The plain client: every transaction wants to know the time, and a browser's worth of features would cost most of it.
        self._http = kind(parts.hostname or "", parts.port, timeout=5)
        self._origin, self._path = f"{parts.scheme}://{parts.netloc}", parts.path or "/"
        self._turn = threading.Lock()
        self._seen = (float("-inf"), datetime.min.replace(tzinfo=UTC))

    def close(self) -> None:
        self._http.close()

    def ask_again(self) -> None:
        """The next answer is a fresh one: for whoever has just moved the clock."""
        self._seen = (float("-inf"), self._seen[1])

    def __call__(self) -> datetime:
        with self._turn:
            asked, now = self._seen
            if time.monotonic() - asked > CLOCK_CACHE_SECONDS:
                asked = time.monotonic()
                try:
                    now = self._ask()
                except (HTTPException, OSError):
                    # A kept connection may have been closed meanwhile; a fresh one tells whether the clock is there.
                    self._http.close()
                    now = self._ask_anew()
                self._seen = (asked, now)
            return now

    def _ask_anew(self) -> datetime:
        try:
            return self._ask()
        except (HTTPException, OSError) as away:
            raise Transient(f"{self._origin} does not answer: is the clock of ORCH_CLOCK_URL still running?") from away

    def _ask(self) -> datetime:
        self._http.request("GET", self._path)
        answer = self._http.getresponse()
        said = answer.read()
        if answer.status != HTTPStatus.OK:
            raise OSError(f"ORCH_CLOCK_URL answered {answer.status}.")
        return datetime.fromisoformat(json.loads(said)["now"])
