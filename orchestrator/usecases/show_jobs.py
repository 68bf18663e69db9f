"""Jobs and their lives, without the unguessable parts of webhook addresses."""

import re
from typing import Any

from orchestrator.domain.reasons import advice, meaning
from orchestrator.domain.topics import Urgency
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.usecases.show_links import facts

LISTED = (
    "id", "topic", "key", "state", "attempts", "not_before", "reason", "detail", "created_at", "updated_at",
)  # fmt: skip
LIFE = (*LISTED, "payload", "intent", "evidence", "sent_at", "holder", "fence")

TOKEN = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{4})[A-Za-z0-9_-]{39}(?![A-Za-z0-9_-])")
"""43 characters of base64: the part of a webhook's address that nobody may guess (keep_webhooks)."""


def show_jobs(rt: Runtime, *, state: str | None, topic: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest jobs first."""
    with rt.read() as work:
        rows = work.jobs.listed(states=[state] if state else [], topic=topic, limit=limit)
        return [job_facts(row, LISTED) for row in rows]


def show_job(rt: Runtime, job_id: int) -> dict[str, Any] | None:
    """One job's whole life, with what its reason means and what to do; None when there is none of this id."""
    with rt.read() as work:
        row = work.jobs.get(job_id)
        return job_facts(row) if row else None


def job_facts(row: Row, names: tuple[str, ...] = LIFE) -> dict[str, Any]:
    """These columns of a job, its urgency by name, and its reason in words."""
    shown = {name: _masked(value) for name, value in facts(row, names).items()}
    words = {"meaning": meaning(row["reason"]) or None, "advice": advice(row["reason"]) or None}
    return shown | {"urgency": Urgency(row["urgency"]).name.lower()} | words


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return TOKEN.sub(r"\1…", value)
    return {name: _masked(part) for name, part in value.items()} if isinstance(value, dict) else value
