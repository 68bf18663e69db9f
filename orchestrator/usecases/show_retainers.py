"""What each matter with an evergreen level has in trust, what is asked for it, and why nobody is asked."""

from typing import Any

from orchestrator.domain.evergreen import missing_cents
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.usecases.replenish import UNREADABLE, below, quiet


def show_retainers(rt: Runtime) -> list[dict[str, Any]]:
    """One row for each open matter that has a level, or whose field cannot be read; the lowest first."""
    rows = []
    with rt.read() as work:
        for matter in work.mirror.matters(work.mirror.open_matter_ids()).values():
            try:
                level, balance = below(rt, work, matter)
            except Rejected:
                level, balance = None, None
            if level is None and balance is not None:
                continue
            retainer = work.retainers.open_of(matter.id)
            missing = missing_cents(level, balance) if level is not None and balance is not None else None
            why = UNREADABLE if level is None else quiet(rt, work, matter) if missing and retainer is None else None
            rows.append({
                "matter_id": matter.id, "matter": matter.display_number, "currency": rt.currency, "balance_cents": balance,
                "threshold_cents": level.threshold_cents if level else None,
                "target_cents": level.target_cents if level else None, "missing_cents": missing,
                "state": retainer["state"] if retainer else None,
                "asked_cents": retainer["amount_cents"] if retainer else None,
                "bill_id": retainer["bill_id"] if retainer else None, "why": why,
            })  # fmt: skip
    return sorted(rows, key=lambda row: (-(row["missing_cents"] or 0), row["matter_id"]))
