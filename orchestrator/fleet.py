"""The firms that one process works for: each built when first needed, left alone while in trouble, closed when unused."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from orchestrator.bootstrap import begin, build
from orchestrator.engine.lineage import watch
from orchestrator.engine.runtime import Runtime
from orchestrator.settings import Misconfigured, UnknownFirm, load

log = structlog.get_logger()

REST_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""How long a firm in trouble is left alone, each time anew: waiting for a dead database would cost the others their hands."""

UNUSED_SECONDS = 600.0
OPEN_DATABASES = 8


@dataclass
class _Place:
    """One firm in this process; seconds are of the monotonic clock."""

    runtime: Runtime | None = None
    lent: int = 0
    used_at: float = 0.0
    connected: bool = False
    troubles: int = 0
    rests_until: float = 0.0
    begun: bool = False
    kept: bool = False


class Registry:
    """Runtimes by firm, thread-safe. At most `open_databases` firms stay connected; one unused for ten minutes is closed.

    `strangers` counts messages that named a firm which does not exist.
    """

    def __init__(
        self,
        make: Callable[[str], Runtime] | None = None,
        *,
        open_databases: int = OPEN_DATABASES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make or (lambda firm: build(load(firm), firm, connections=1))
        self._open_databases = open_databases
        self._now = now
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()
        self.strangers = 0

    def put(self, runtime: Runtime) -> None:
        """Work with this very runtime, for good."""
        self._places[runtime.firm] = _Place(runtime, begun=True, kept=True)

    @contextmanager
    def lend(self, firm: str) -> Iterator[Runtime | None]:
        """The firm's runtime while the block runs, or None when there is no such firm or it rests.

        What the block raises is this firm's trouble and ends here: the firm rests, and nobody else is held up.
        """
        place = self._ready(firm)
        try:
            yield place.runtime if place else None
        except Exception as trouble:  # noqa: BLE001  whatever it is, the other firms' work goes on
            self._rest(firm, trouble)
        else:
            if place:
                place.troubles = 0
        finally:
            if place:
                self._give_back(place)

    def close(self) -> None:
        """Close every runtime that was built here."""
        with self._lock:
            for place in self._places.values():
                if place.runtime is not None and not place.kept:
                    place.runtime.close()
            self._places.clear()

    def _ready(self, firm: str) -> _Place | None:
        place = None
        try:
            place = self._take(firm)
            if place is not None and place.runtime is not None and not place.begun:
                begin(place.runtime)
                # Before its first claim: bells may have been rung for a database that is older by now (F57).
                watch(place.runtime)
                place.begun = True
        except UnknownFirm:
            self.strangers += 1
            # Not its name: whoever can write into our broker chose it, and may have chosen a person's.
            log.warning("firm.unknown", count=self.strangers)
        except Exception as trouble:  # noqa: BLE001  a wrong profile, a missing secret, a database that is away
            self._rest(firm, trouble)
            if place is not None:
                self._give_back(place)
        else:
            return place
        return None

    def _take(self, firm: str) -> _Place | None:
        with self._lock:
            self._close_unused()
            place = self._places.get(firm) or _Place()
            if self._now() < place.rests_until:
                return None
            if place.runtime is None:
                place.runtime = self._built(firm)
                self._places[firm] = place
            place.lent, place.used_at, place.connected = place.lent + 1, self._now(), True
            return place

    def _built(self, firm: str) -> Runtime:
        runtime = self._make(firm)
        for other in self._places.values():
            if other.runtime is not None and other.runtime.uow.engine.url == runtime.uow.engine.url:
                runtime.close()
                raise Misconfigured(f"{firm} and {other.runtime.firm} have the same database: each firm needs its own.")
        return runtime

    def _give_back(self, place: _Place) -> None:
        with self._lock:
            place.lent, place.used_at = place.lent - 1, self._now()
            connected = [other for other in self._places.values() if other.connected and not other.kept]
            idle = sorted((other for other in connected if not other.lent), key=lambda other: other.used_at)
            for other in idle[: max(0, len(connected) - self._open_databases)]:
                assert other.runtime is not None
                other.runtime.uow.engine.dispose()
                other.connected = False

    def _rest(self, firm: str, trouble: Exception) -> None:
        with self._lock:
            place = self._places.setdefault(firm, _Place())
            seconds = REST_SECONDS[min(place.troubles, len(REST_SECONDS) - 1)]
            place.troubles += 1
            place.rests_until = self._now() + seconds
        log.warning("firm.rests", firm=firm, seconds=seconds, error=type(trouble).__name__)

    def _close_unused(self) -> None:
        over = self._now() - UNUSED_SECONDS
        for firm, place in list(self._places.items()):
            if not place.lent and not place.kept and place.runtime is not None and place.used_at < over:
                place.runtime.close()
                del self._places[firm]
