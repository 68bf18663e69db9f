"""What can be measured in the database, read when asked for: one cheap query each, over what is open."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: what it means, its labels beside `firm`, and whether it only ever rises."""

    meaning: str
    labels: tuple[str, ...] = ()
    counter: bool = False


FAMILIES = {
    "orchestrator_up": Family("Whether the firm's database answered; all else is missing when it is 0."),
    "orchestrator_jobs": Family("Jobs that are not over, or wait for a person.", ("topic", "state")),
    "orchestrator_jobs_due": Family("Jobs that are due or in a worker's hands.", ("topic",)),
    "orchestrator_jobs_oldest_due_seconds": Family("How long the longest waiting job has been due.", ("topic",)),
    "orchestrator_exceptions_open": Family("What waits for a person.", ("kind",)),
    "orchestrator_messages": Family("Client messages by state.", ("state",)),
    "orchestrator_links": Family("Our payment links by state.", ("state",)),
    "orchestrator_links_limit": Family("Links the account may have active, and may make in 24 hours."),
    "orchestrator_links_active": Family("Links that count as active, others' included."),
    "orchestrator_links_created": Family("Links made in the last 24 hours, others' included."),
    "orchestrator_dirty_marks": Family("Objects that changed and wait to be read.", ("kind",)),
    "orchestrator_sweep_found_total": Family(
        "Changes that a sweep found and no webhook had told.", ("kind",), counter=True
    ),
    "orchestrator_pulse_age_seconds": Family("Real time since a part last did its work.", ("part",)),
    "orchestrator_webhook_expires_seconds": Family("The firm's time until a webhook lapses.", ("model",)),
}


class Figure(NamedTuple):
    family: str
    labels: tuple[str, ...]
    value: float


def read_metrics(rt: Runtime) -> list[Figure]:
    """Every figure of the firm now; raises when the database does not answer."""
    with rt.read() as work:
        return [Figure("orchestrator_up", (), 1), *_jobs(work), *_waiting(work), *_links(work), *_life(work)]


def _jobs(work: Work) -> Iterator[Figure]:
    due: dict[str, int] = {}
    oldest: dict[str, Any] = {}
    for row in work.jobs.backlog():
        yield Figure("orchestrator_jobs", (row["topic"], row["state"]), row["jobs"])
        due[row["topic"]] = due.get(row["topic"], 0) + row["due"]
        if row["oldest"] is not None:
            oldest[row["topic"]] = min(row["oldest"], oldest.get(row["topic"], row["oldest"]))
    for topic, count in due.items():
        yield Figure("orchestrator_jobs_due", (topic,), count)
        age = (work.now - oldest[topic]).total_seconds() if topic in oldest else 0.0
        yield Figure("orchestrator_jobs_oldest_due_seconds", (topic,), age)


def _waiting(work: Work) -> Iterator[Figure]:
    for kind, count in work.exceptions.open_counts().items():
        yield Figure("orchestrator_exceptions_open", (kind,), count)
    for state, count in work.messages.counts().items():
        yield Figure("orchestrator_messages", (state,), count)
    for kind, facts in work.dirty.summary().items():
        yield Figure("orchestrator_dirty_marks", (kind,), float(str(facts["waiting"])))
        yield Figure("orchestrator_sweep_found_total", (kind,), float(str(facts["found_by_sweep"])))


def _links(work: Work) -> Iterator[Figure]:
    for state, count in work.links.counts().items():
        yield Figure("orchestrator_links", (state,), count)
    budget = work.links.budget()
    if budget is not None:
        yield Figure("orchestrator_links_limit", (), budget.limit)
        yield Figure("orchestrator_links_active", (), budget.active)
        yield Figure("orchestrator_links_created", (), budget.created)


def _life(work: Work) -> Iterator[Figure]:
    for part, pulse in work.pulses.ages().items():
        yield Figure("orchestrator_pulse_age_seconds", (part,), pulse["age_seconds"])
    for row in work.subscriptions.all():
        if row["expires_at"] is not None:
            left = (row["expires_at"] - work.now).total_seconds()
            yield Figure("orchestrator_webhook_expires_seconds", (row["model"],), left)
