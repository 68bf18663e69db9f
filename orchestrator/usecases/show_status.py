"""How everything stands, on one page: life signs, work, money, and what waits for a person."""

import dataclasses
from typing import Any

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.read_health import read_health


def show_status(rt: Runtime) -> dict[str, Any]:
    """Every count an administrator looks at, under stable names; moments are aware, money is cents."""
    health = read_health(rt)
    with rt.read() as work:
        return {
            "firm": rt.firm,
            "dry_run": rt.settings.dry_run,
            "at": work.now,
            "ready": health.ready,
            "findings": health.findings,
            "jobs": work.jobs.counts(),
            "recovery": _recovery(work),
            "oldest_due_seconds": health.facts["oldest_due_seconds"],
            "next_due_at": work.jobs.next_due(),
            "bills": work.billing.counts(),
            "links": work.links.counts() | {"budget": budget(work)},
            "messages": work.messages.counts(),
            "payments": work.mirror.payment_counts(),
            "exceptions": work.exceptions.open_counts(),
            "sweeps": work.dirty.summary(),
            "webhooks": {row["model"]: row["state"] for row in work.subscriptions.all()},
            "receipts": work.receipts.counts(),
            "pulses": health.facts["pulses"],
            "books": {"balance_cents": work.journal.balance(), "held_cents": work.journal.held()},
        }


def _recovery(work: Work) -> dict[str, Any] | None:
    """The last recovery, or the one under way; None for a database that never lost anything."""
    life = work.lineage.life()
    if life.began_at is None:
        return None
    facts = {name: getattr(life, name) for name in ("cause", "since", "began_at", "adopted_at", "recovered_at")}
    return {"recovering": life.recovering, **facts}


def budget(work: Work) -> dict[str, Any] | None:
    """Both link quotas as they are now; None before the account's users were counted."""
    found = work.links.budget()
    return dataclasses.asdict(found) | {"room": found.room(work.now)} if found else None
