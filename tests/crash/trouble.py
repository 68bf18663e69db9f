"""What goes wrong, where, and at which passing: a few rows drawn from a seed, struck at the seams of the real runtime.

A blow falls at a named point of the engine or between two of them: around any commit, or just after any request. Nothing is
patched: points and calls are told by the runtime's own hooks, commits by SQLAlchemy's events.
"""

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import psycopg
import sqlalchemy as sa

from orchestrator.engine.points import Point
from tests.firm import Died


class Seam(StrEnum):
    """Where a blow may fall between two named points."""

    WRITING = "between.writing"
    COMMITTING = "between.committing"
    COMMITTED = "between.committed"
    CALLED = "between.called"


class Kind(StrEnum):
    DEATH = "death"
    FREEZE = "freeze"
    DISCONNECT = "disconnect"


Place = Point | Seam

WITHIN = {Point.EFFECT_RECORDING, Point.STEP_RECORDING, Point.RECEIPT_STORING, Seam.WRITING, Seam.COMMITTING}
"""Places inside a transaction: a process frozen there holds the database's lock, so nobody can take over from it."""

PLACES: dict[Kind, tuple[Place, ...]] = {
    Kind.DEATH: (*Point, Seam.COMMITTING, Seam.COMMITTED, Seam.CALLED),
    Kind.FREEZE: tuple(place for place in (*Point, Seam.COMMITTED, Seam.CALLED) if place not in WITHIN),
    Kind.DISCONNECT: (Seam.WRITING, Seam.COMMITTING, Seam.COMMITTED),
}


@dataclass(frozen=True, slots=True)
class Blow:
    """It falls at passings `nth` … `nth + times - 1` of its place; a freeze lasts `minutes` of the firm's time."""

    kind: Kind
    place: Place
    nth: int = 1
    times: int = 1
    minutes: int = 3

    def __str__(self) -> str:
        return f"{self.kind} at {self.place} {self.nth}" + (f"+{self.times - 1}" if self.times > 1 else "")


@dataclass
class Trouble:
    """Counts every passing of every place and strikes where the blows say; `frozen` is what the others do meanwhile."""

    blows: Sequence[Blow] = ()
    frozen: Callable[[Blow], None] = lambda _blow: None
    passed: Counter[Place] = field(default_factory=Counter)
    struck: Counter[tuple[Kind, Place]] = field(default_factory=Counter)
    asleep: bool = False

    def __call__(self, place: Place) -> None:
        if (blow := self._falls(place)) is None:
            return
        if blow.kind is Kind.DEATH:
            raise Died(place)
        if blow.kind is Kind.FREEZE:
            self.frozen(blow)
        else:
            raise sa.exc.OperationalError(str(place), None, sqlite3.OperationalError("disk I/O error"))

    def _falls(self, place: Place) -> Blow | None:
        if self.asleep:
            return None
        self.passed[place] += 1
        for blow in self.blows:
            if blow.place is place and blow.nth <= self.passed[place] < blow.nth + blow.times:
                self.struck[blow.kind, place] += 1
                return blow
        return None

    def writing(self, connection: sa.Connection) -> None:
        """A writing transaction has begun; on PostgreSQL a disconnect is the server ending the session."""
        if connection.get_execution_options().get("reading", False) or self._falls(Seam.WRITING) is None:
            return
        if connection.dialect.name == "postgresql":
            _terminate(connection)
        else:
            # As a file system that has turned read-only: the next statement that writes fails, for real.
            connection.exec_driver_sql("PRAGMA query_only=ON")

    def committing(self, connection: sa.Connection) -> None:
        """It is about to be committed."""
        if connection.dialect.name == "postgresql" and self._cut_next():
            _terminate(connection)
        else:
            self(Seam.COMMITTING)

    def _cut_next(self) -> bool:
        nth = self.passed[Seam.COMMITTING] + 1
        due = any(
            blow.kind is Kind.DISCONNECT and blow.place is Seam.COMMITTING and blow.nth <= nth < blow.nth + blow.times
            for blow in self.blows
        )
        return due and self._falls(Seam.COMMITTING) is not None


def hear(engine: sa.Engine, trouble: Callable[[], Trouble]) -> None:
    """Let whatever trouble there is now strike at this engine's writing transactions."""

    def committing(connection: sa.Connection) -> None:
        _writable(connection)
        trouble().committing(connection)

    sa.event.listen(engine, "begin", lambda connection: trouble().writing(connection))
    sa.event.listen(engine, "commit", committing)
    sa.event.listen(engine, "rollback", _writable)


def _writable(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only=OFF")


def _terminate(connection: sa.Connection) -> None:
    mine: Any = connection.connection.dbapi_connection
    url = connection.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as another:
        another.execute("SELECT pg_terminate_backend(%s, 2000)", [mine.info.backend_pid])


CALLS = {
    "link": "POST /clio_payments/links",
    "task": "POST /tasks",
    "note": "POST /notes",
    "communication": "POST /communications",
    "mark": "PATCH /matters/{id}",
    "expiry": "PATCH /clio_payments/links/{id}",
}
READS = (
    "GET /clio_payments/links",
    "GET /clio_payments/links/{id}",
    "GET /clio_payments/payments",
    "GET /bills",
    "GET /activities",
    "GET /matters",
    "GET /matters/{id}",
    "GET /notes",
    "GET /tasks",
    "GET /communications",
)

LOST = (
    ("lose_answer", {}),
    ("drop_before", {}),
    ("status_after", {"code": 502}),
    ("truncate", {}),
    ("empty", {}),
    ("html", {}),
    ("create_later", {"after_seconds": 40}),
)
"""Outcomes after which nobody knows: on a write they lead to settling and searching."""

ANSWERED = (
    ("status", {"code": 503}),
    ("status", {"code": 500}),
    ("status", {"code": 401}),
    ("status", {"code": 403}),
    ("status", {"code": 410}),
    ("status", {"code": 422}),
    ("status", {"code": 422, "body": {"error": {"type": "UnprocessableEntityError", "message": "limit exceeded"}}}),
    ("not_found", {}),
    ("stale_etag", {}),
    ("retry_after", {"value": 1}),
    ("retry_after", {"value": -5}),
    ("retry_after", {"value": 86_400}),
    ("retry_after", {"value": "Mon, 02 Mar 2026 15:00:00 GMT", "header": "Retry-At"}),
    ("retry_after", {}),
)
SLOW = (("drip", {"bytes_per_second": 20}), ("delay", {"seconds": 1.5}))
"""Past the deadline of the exchange, having been done."""

PAGES = (("empty_data", {}), ("paging_loop", {}), ("paging_foreign_host", {}))
MAIL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop_after_data", {}),
    ("refuse", {}),
    ("reply", {"code": 451}),
    ("reply", {"code": 421, "stage": "mail"}),
    ("reply", {"code": 552, "stage": "data"}),
)

Weather = tuple[str, str, dict[str, Any]]


def provoked(place: Place) -> tuple[Weather, ...]:
    """What must happen outside for a life to pass this place at all."""
    lost: Weather = (CALLS["link"], "lose_answer", {})
    return {
        Point.EFFECT_SETTLING: (lost, ("GET /clio_payments/links", "status", {"code": 503, "skip": 1})),
        Point.EFFECT_SEARCHED: (lost,),
        Point.EFFECT_ADOPTED: (lost,),
        Point.VERDICT_REACHED: (lost,),
        Point.VERDICT_RECORDED: (lost,),
    }.get(place, ())


def weather(dice: random.Random, most: int) -> list[Weather]:
    """Up to `most` outcomes at places that a life passes, and sometimes a relay in trouble."""
    found: list[Weather] = []
    for _ in range(dice.randint(0, most)):
        if dice.random() < 0.6:
            on = dice.choice(list(CALLS.values()))
            kinds = dice.choices([LOST, ANSWERED, SLOW], [12, 6, 1])[0]
        else:
            on = dice.choice(READS)
            kinds = dice.choices([LOST, ANSWERED, SLOW, PAGES], [6, 6, 1, 5])[0]
        do, params = dice.choice(kinds)
        if do == "create_later" and not on.startswith("POST"):
            do, params = "lose_answer", {}
        found.append((on, do, {**params, "skip": dice.randint(0, 2)}))
    if dice.random() < 0.25:
        do, params = dice.choice(MAIL)
        found.append(("smtp", do, {**params, "skip": dice.randint(0, 1)}))
    return found
