"""Webhook subscriptions: what we want, what we know, and what Clio has. Paths and secrets stay where they are."""

from datetime import datetime
from typing import Any

from orchestrator.domain.topics import Urgency
from orchestrator.domain.webhooks import RemoteWebhook
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import LIVE
from orchestrator.storage.repository import Row
from orchestrator.usecases.keep_webhooks import HALF_LIFE
from orchestrator.usecases.read_health import DEAF_AFTER_SECONDS


def show_webhooks(rt: Runtime) -> list[dict[str, Any]]:
    """Every wanted subscription with our state of it; `missing` when there is none yet."""
    with rt.read() as work:
        known = {row["model"]: row for row in work.subscriptions.all()}
    return [
        {
            "model": wanted.model,
            "events": list(wanted.events),
            "state": known[wanted.model]["state"] if wanted.model in known else "missing",
            "webhook_id": known[wanted.model]["webhook_id"] if wanted.model in known else None,
            "expires_at": known[wanted.model]["expires_at"] if wanted.model in known else None,
            "updated_at": known[wanted.model]["updated_at"] if wanted.model in known else None,
        }
        for wanted in rt.subscriptions
    ]


def compare_webhooks(rt: Runtime) -> list[dict[str, Any]]:
    """The same beside what Clio has now: what upkeep `would` do about each. Reads Clio, changes nothing."""
    remote = {webhook.url: webhook for webhook in rt.practice(Urgency.INTERACTIVE).webhooks()}
    with rt.read() as work:
        known = {row["model"]: row for row in work.subscriptions.all()}
        now = work.now
    compared = []
    for shown in show_webhooks(rt):
        row = known.get(shown["model"])
        theirs = remote.get(row["url"]) if row else None
        compared.append(shown | {"at_clio": theirs.status if theirs else None, "would": _would(rt, row, theirs, now)})
    return compared


def ask_for_upkeep(rt: Runtime, *, by: str) -> int:
    """One upkeep of the webhooks now, whatever the clock says; returns the id of its job."""
    with rt.uow() as work:
        work.jobs.add("webhooks.upkeep", "asked", work.now.isoformat())
        work.audit.line("webhooks.asked", "webhook", "all", actor=by)
        return int(work.jobs.listed(topic="webhooks.upkeep", limit=1)[0]["id"])


def _would(rt: Runtime, row: Row | None, theirs: RemoteWebhook | None, now: datetime) -> str:
    if row is None or theirs is None or not row["url"].startswith(rt.settings.public_address + "/"):
        return "create"
    if theirs.status == "suspended" or (theirs.expires_at is not None and theirs.expires_at <= now):
        return "replace"
    if row["state"] == "pending":
        return "confirm"
    return "renew" if theirs.expires_at is not None and theirs.expires_at - now < HALF_LIFE else "keep"


def working(rt: Runtime) -> bool:
    """Whether a worker has answered the heartbeat of late."""
    with rt.read() as work:
        heartbeat = work.pulses.ages().get("heartbeat")
    return heartbeat is not None and heartbeat["age_seconds"] <= DEAF_AFTER_SECONDS


def at_rest(rt: Runtime, job_id: int) -> bool:
    """Whether this upkeep is over, and no subscription it asked for is still being made."""
    with rt.read() as work:
        job = work.jobs.get(job_id)
        pending = any(row["state"] == "pending" for row in work.subscriptions.all())
    return job is not None and job["state"] not in LIVE and not pending
