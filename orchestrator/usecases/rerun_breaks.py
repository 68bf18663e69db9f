"""A reference was mapped → every break that it explains is decided anew, by a run of its window (W11, W15)."""

from collections import defaultdict

from orchestrator.domain.ids import effect_key
from orchestrator.domain.movements import Source
from orchestrator.domain.references import Provider, Resolved, normalise
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work

UNNAMED = ("unmapped_reference", "ambiguous_reference")
"""Kinds that end when the lookup table knows one matter for their text."""

MISNAMED = ("wrong_matter", "missing_in_clio")
"""Kinds that may come out otherwise when the matter of their very text changes."""

EXPLAINED = (*UNNAMED, *MISNAMED)
"""Every kind that a mapping may settle."""


def reopen(work: Work, *references: str) -> int:
    """Reopen every break that is explained since these were mapped, and have its window run again; returns how many.

    One too many does no harm: a run with the same inputs changes nothing (T42).
    """
    texts = {text for reference in references if (text := normalise(reference))}
    unnamed = work.breaks.standing(kinds=UNNAMED)
    mine = [row for row, named in zip(unnamed, _resolve(work, unnamed), strict=True) if named]
    mine += [row for row in work.breaks.standing(kinds=MISNAMED) if normalise(row["reference"]) in texts]
    work.breaks.reopen([row["id"] for row in mine])
    # Mapped, taken back and mapped again, a text has its window run each time.
    cause = effect_key(work.now, *sorted(texts))
    for run_id, account in sorted({(row["run_id"], row["account"]) for row in mine}):
        work.jobs.add("reconcile.window", run_id, cause, account=account, run_id=run_id)
    for row in mine:
        work.audit.line("break_reopened", "break", row["id"], reference=normalise(row["reference"]))
    return len(mine)


def _resolve(work: Work, rows: list[Row]) -> list[bool]:
    """Whether the reference of each names one matter now, where it was written."""
    lines = work.movements.rows_of([ident for row in rows for ident in row["movement_ids"]])
    texts: dict[str, set[str]] = defaultdict(set)
    where: list[tuple[str, str]] = []
    for row in rows:
        provider = _provider({lines[ident]["source"] for ident in row["movement_ids"] if ident in lines})
        texts[provider].add(row["reference"])
        where.append((provider, row["reference"]))
    said = {provider: work.references.resolve_all(provider, of) for provider, of in texts.items()}
    return [isinstance(said[provider][text], Resolved) for provider, text in where]


def provider_of(work: Work, row: Row) -> Provider:
    """Whose word the reference of a break is."""
    lines = work.movements.rows_of(row["movement_ids"])
    return _provider({line["source"] for line in lines.values()})


def _provider(sources: set[str]) -> Provider:
    return Provider.BANK if sources == {Source.BANK} else Provider.LAWPAY
