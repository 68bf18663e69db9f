"""W2: an operator approves entries, by id or all of a matter, or asks what would be approved."""

from collections.abc import Sequence
from typing import Any

from orchestrator.engine.runtime import Runtime
from orchestrator.usecases.approve_time import approve_entries
from orchestrator.usecases.show_time import show_time
from orchestrator.usecases.trial import trial

MOST = 5000
"""Entries of one matter in one go."""


def approve_by_hand(
    rt: Runtime, *, entry_ids: Sequence[int], matter_id: int | None, by: str, dry_run: bool
) -> dict[str, Any]:
    """Approve for `by` what can be approved now; returns what was, and for each of the rest why not."""
    ids = list(dict.fromkeys(entry_ids)) if matter_id is None else _of_matter(rt, matter_id)
    with trial(rt, dry_run=dry_run) as work:
        refused = approve_entries(work, rt, ids, by=by, signal="operator")
    return {
        "dry_run": dry_run,
        "approved": [entry_id for entry_id in ids if entry_id not in refused],
        "refused": [{"id": entry_id, "why": why} for entry_id, why in refused.items()],
    }


def _of_matter(rt: Runtime, matter_id: int) -> list[int]:
    return [entry["id"] for entry in show_time(rt, matter_id=matter_id, unapproved=True, limit=MOST)]
