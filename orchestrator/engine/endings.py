"""Each attempt at a job ends in one way: told to the log and counted once, after the commit that made it so."""

import logging
import re

import structlog

from orchestrator import errors
from orchestrator.domain.topics import PASSING
from orchestrator.storage.jobs import Job
from orchestrator.telemetry import trace
from orchestrator.telemetry.counters import VERDICTS

log = structlog.get_logger()

QUIET = frozenset({"paced"})
WELL = frozenset({"done", "adopted", "revoked", "settling", "handed_back", "topic_unknown"})


def ended(job: Job, verdict: str, *, reason: str | None = None, why: str | None = None) -> None:
    """One line and one count: what only reads and ends well is told at debug level, for it happens all the time."""
    VERDICTS.labels(trace.firm(), job.topic, verdict).inc()
    _tell(job, verdict, reason=reason, why=why)


def failed(job: Job, failure: Exception, *, revoked: str | None = None) -> None:
    """The same for an attempt that an error ended; one that nobody planned for leaves the places it passed."""
    verdict = "revoked" if revoked is not None else verdict_of(failure)
    VERDICTS.labels(trace.firm(), job.topic, verdict).inc()
    if verdict == "unplanned":
        log.error("job.ended", verdict=verdict, reason="unplanned", exc_info=failure)
    else:
        _tell(job, verdict, reason=revoked or getattr(failure, "reason", None), why=type(failure).__name__)


def verdict_of(failure: Exception) -> str:
    """The verdict's name in snake case: that of the nearest class in `orchestrator.errors`."""
    for kind in type(failure).__mro__:
        if kind.__module__ == errors.__name__ and kind is not errors.OrchestratorError:
            return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    return "unplanned"


def _tell(job: Job, verdict: str, *, reason: str | None, why: str | None) -> None:
    usual = verdict in QUIET or (verdict in WELL and job.topic in PASSING)
    level = logging.DEBUG if usual else logging.INFO if verdict in WELL else logging.WARNING
    facts = {name: value for name, value in (("reason", reason), ("why", why)) if value is not None}
    log.log(level, "job.ended", verdict=verdict, **facts)
