"""W11: what a text means and why, what a matter is and was called, and which texts nobody can place."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from orchestrator.domain.movements import Source
from orchestrator.domain.references import Ambiguous, Provider, Resolved, hints
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import CHUNK, Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.map_reference import said
from orchestrator.usecases.show_links import facts

LINE = (
    "id", "provider", "kind", "reference", "matter_id", "current", "source", "since", "ended_at", "withdrawn_at",
)  # fmt: skip
TEXT = ("source", "reference", "movements", "first_on", "last_on")
PROVIDER = {
    Source.CLIO_LEDGER: Provider.CLIO, Source.CLIO_PAYMENTS: Provider.CLIO, Source.LAWPAY: Provider.LAWPAY,
    Source.BANK: Provider.BANK,
}  # fmt: skip
"""Whose words a text is that a source of movements carried."""

MATTER = ("id", "display_number", "status", "custom_number", "client_reference")


def show_reference(rt: Runtime, text: str, *, provider: str) -> dict[str, Any]:
    """What a text from this provider means, every line that is written like it, and the matters it may name."""
    with rt.read() as work:
        found = work.references.resolve(provider, text)
        lines = [facts(row, LINE) for row in work.references.written(text)]
        named = [found.matter_id] if isinstance(found, Resolved) else []
        named += found.candidates if isinstance(found, Ambiguous) else []
        return {
            "reference": text, "provider": provider, "resolution": said(found), "lines": lines,
            "matters": _matters(work, named), "hints": [] if named else _hints(work, provider, text),
        }  # fmt: skip


def show_matter(rt: Runtime, matter_id: int) -> dict[str, Any] | None:
    """Everything a matter is or was called; None when we know of no such matter."""
    with rt.read() as work:
        matters = _matters(work, [matter_id])
        lines = [facts(row, LINE) for row in work.references.of_matter(matter_id)]
        return {"matter": matters[0], "lines": lines} if matters else None


def unmapped_references(rt: Runtime, *, source: str | None, limit: int) -> list[dict[str, Any]]:
    """What movements carry for a matter and nobody can place, the most money first; hints are for a person's eye only."""
    found: list[dict[str, Any]] = []
    with rt.read() as work:
        texts = work.references.texts_without_id()
        while piece := list(islice(texts, CHUNK)):
            found += _unplaced(work, [row for row in piece if source in (None, row["source"])])
            found = sorted(found, key=lambda one: (-one["money_cents"], one["reference"], one["source"]))[:limit]
        for one in found:
            one["hints"] = _hints(work, PROVIDER[one["source"]], one["reference"])
    return found


def _unplaced(work: Work, rows: list[Row]) -> Iterator[dict[str, Any]]:
    for source in sorted({row["source"] for row in rows}):
        mine = [row for row in rows if row["source"] == source]
        answers = work.references.resolve_all(PROVIDER[source], [row["reference"] for row in mine])
        for row in mine:
            if not isinstance(answer := answers[row["reference"]], Resolved):
                candidates = list(answer.candidates) if isinstance(answer, Ambiguous) else []
                # SQLite gives back a sum as it likes.
                yield facts(row, TEXT) | {"money_cents": int(row["money_cents"]), "candidates": candidates}


def list_references(rt: Runtime, *, kind: str | None, provider: str | None, limit: int) -> list[dict[str, Any]]:
    """Standing lines of the table, the newest first."""
    with rt.read() as work:
        return [facts(row, LINE) for row in work.references.listed(kind=kind, provider=provider, limit=limit)]


def _hints(work: Work, provider: str, text: str) -> list[dict[str, Any]]:
    """What parts of a text would mean by themselves: where a person may look first."""
    parts = work.references.resolve_all(provider, hints(text))
    return [said(part) | {"part": word} for word, part in parts.items() if isinstance(part, Resolved)]


def _matters(work: Work, ids: list[int]) -> list[dict[str, Any]]:
    found = work.mirror.matters(ids)
    return [{name: getattr(found[one], name) for name in MATTER} for one in sorted(found)]
