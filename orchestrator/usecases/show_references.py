"""W11: what a text means and why, what a matter is and was called, and which texts nobody can place."""

from typing import Any

from orchestrator.domain.references import Ambiguous, Resolved
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.map_reference import said
from orchestrator.usecases.show_links import facts

LINE = (
    "id", "provider", "kind", "reference", "matter_id", "current", "source", "since", "ended_at", "withdrawn_at",
)  # fmt: skip
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
            "matters": _matters(work, named),
        }  # fmt: skip


def show_matter(rt: Runtime, matter_id: int) -> dict[str, Any] | None:
    """Everything a matter is or was called; None when we know of no such matter."""
    with rt.read() as work:
        matters = _matters(work, [matter_id])
        lines = [facts(row, LINE) for row in work.references.of_matter(matter_id)]
        return {"matter": matters[0], "lines": lines} if matters else None


def list_references(rt: Runtime, *, kind: str | None, provider: str | None, limit: int) -> list[dict[str, Any]]:
    """Standing lines of the table, the newest first."""
    with rt.read() as work:
        return [facts(row, LINE) for row in work.references.listed(kind=kind, provider=provider, limit=limit)]


def _matters(work: Work, ids: list[int]) -> list[dict[str, Any]]:
    found = work.mirror.matters(ids)
    return [{name: getattr(found[one], name) for name in MATTER} for one in sorted(found)]
