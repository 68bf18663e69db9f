"""A reference was mapped → every break that it explains is decided anew, by a run of its window (W11, W15)."""

from orchestrator.domain.movements import squeezed
from orchestrator.storage.unit_of_work import Work

EXPLAINED = ("unmapped_reference", "ambiguous_reference")
"""Kinds of break that a mapping can settle."""


def reopen(work: Work, reference: str) -> int:
    """Reopen every break whose reference holds this one, and have its window run again; returns how many there are.

    One too many does no harm: a run with the same inputs changes nothing (T42).
    """
    text = squeezed(reference)
    mine = [row for row in work.breaks.standing(kinds=EXPLAINED) if text and text in squeezed(row["reference"])]
    work.breaks.reopen([row["id"] for row in mine])
    for run_id, account in sorted({(row["run_id"], row["account"]) for row in mine}):
        work.jobs.add("reconcile.window", run_id, text, account=account, run_id=run_id)
    for row in mine:
        work.audit.line("break_reopened", "break", row["id"], reference=text)
    return len(mine)
