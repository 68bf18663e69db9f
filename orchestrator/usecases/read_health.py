"""Whether the parts are alive and doing their work; each finding says what is wrong and what to do."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orchestrator.engine.runtime import Runtime
from orchestrator.usecases.lost_past import recovery_said

DEAF_AFTER_SECONDS = 90.0
"""A heartbeat goes through the broker every 15 s; this long without one, workers are deaf whatever they look like (F52)."""

SWEEPS_LATE = 3
RENEWAL_LATE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Health:
    """`ready` is False as soon as there is a finding."""

    ready: bool
    findings: list[str]
    facts: dict[str, Any]


def read_health(rt: Runtime) -> Health:
    """Look at every sign of life in the database; raises when the database does not answer."""
    findings = []
    with rt.read() as work:
        ages = work.pulses.ages()
        now = work.now
        subscriptions = work.subscriptions.all()
        jobs, oldest = work.jobs.counts(), work.jobs.oldest_due()
        recovering = recovery_said(work)
    if recovering is not None:
        findings.append(recovering)
    heartbeat, beat = ages.get("heartbeat"), ages.get("beat")
    if beat is None or beat["age_seconds"] > DEAF_AFTER_SECONDS:
        findings.append("The beat process is silent: start or restart `orchestrator beat`.")
    elif heartbeat is None or heartbeat["age_seconds"] > DEAF_AFTER_SECONDS:
        findings.append("No worker answers the heartbeat: restart `orchestrator worker`.")
    late = timedelta(seconds=rt.settings.sweep.interval_seconds * SWEEPS_LATE)
    stale = sorted(
        name for name, age in ages.items() if name.startswith("sweep.") and now - age["at"] > late
    )  # fmt: skip
    if stale:
        findings.append(f"Sweeps are late ({', '.join(stale)}): see `orchestrator jobs list --topic sweep`.")
    unheard = ages.get("lawpay.poll") if rt.gateway is not None else None
    if unheard is not None and now - unheard["at"] > timedelta(seconds=rt.settings.lawpay.poll_seconds * SWEEPS_LATE):
        findings.append("LawPay's events were not read for long: see `orchestrator jobs list --topic lawpay.poll`.")
    lapsing = [
        row["model"]
        for row in subscriptions
        if row["expires_at"] is not None and row["expires_at"] - now < RENEWAL_LATE
    ]
    if lapsing:
        findings.append(
            f"Webhooks lapse soon and were not renewed ({', '.join(lapsing)}): run `orchestrator webhooks sync`."
        )
    facts = {
        "jobs": jobs,
        "oldest_due_seconds": (now - oldest).total_seconds() if oldest else 0.0,
        "pulses": {name: round(age["age_seconds"], 1) for name, age in ages.items()},
    }
    return Health(not findings, findings, facts)
