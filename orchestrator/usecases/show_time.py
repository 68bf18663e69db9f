"""Unbilled time: what is approved, by whom, and what the rest is waiting for."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.usecases.show_links import facts

ENTRY = (
    "id", "matter_id", "type", "worked_on", "total_cents", "changed_at", "approved_by", "approved_at", "signal",
)  # fmt: skip

STATES: tuple[tuple[str, Callable[[Row, datetime], Any]], ...] = (
    ("approved", lambda entry, _: entry["approved_at"]),
    ("not billable", lambda entry, _: entry["non_billable"] or entry["no_charge"]),
    ("without a matter", lambda entry, _: entry["matter_id"] is None),
    ("hidden from us", lambda entry, _: entry["total_cents"] is None),
    ("hidden from us", lambda entry, _: entry["type"] == "TimeEntry" and entry["quantity_seconds"] is None),
    ("resting", lambda entry, rested: entry["changed_at"] > rested),
    ("ready", lambda _entry, _rested: True),
)
"""The first that applies; only `ready` entries can be approved now."""


def show_time(rt: Runtime, *, matter_id: int | None, unapproved: bool, limit: int) -> list[dict[str, Any]]:
    """Entries that are on no bill, the newest change first, each with its state of approval."""
    with rt.read() as work:
        rows = work.approvals.listed(matter_id=matter_id, limit=limit)
        rested = work.now - timedelta(seconds=rt.settings.approval.quiet_seconds)
        matters = work.mirror.matters({row["matter_id"] for row in rows} - {None})
    numbers = {matter.id: matter.display_number for matter in matters.values()}
    shown = [
        facts(row, ENTRY) | {"state": _state(row, rested), "matter_number": numbers.get(row["matter_id"])} for row in rows
    ]  # fmt: skip
    return [entry for entry in shown if not (unapproved and entry["state"] == "approved")]


def approvable(rt: Runtime, *, entry_ids: Sequence[int]) -> list[int]:
    """Those of these entries that could be approved now."""
    with rt.read() as work:
        rested = work.now - timedelta(seconds=rt.settings.approval.quiet_seconds)
        return [entry["id"] for entry in work.approvals.resting(changed_before=rested, entry_ids=entry_ids)]


def _state(entry: Row, rested: datetime) -> str:
    return next(state for state, applies in STATES if applies(entry, rested))
