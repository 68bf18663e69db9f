"""Stored deliveries taken as if they had just come: their objects are looked at again, which is harmless (F19)."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from orchestrator.domain.kinds import Kind
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row


def show_receipts(rt: Runtime, *, limit: int, kind: str | None = None) -> list[dict[str, Any]]:
    """The newest stored deliveries: what each says, and how often it came."""
    with rt.read() as work:
        return [dict(row) for row in work.receipts.listed(limit=limit, kind=kind)]


def find_receipts(rt: Runtime, *, ids: Collection[int] = (), since: datetime | None = None) -> list[dict[str, Any]]:
    """What a replay of these would look at; changes nothing."""
    with rt.read() as work:
        return [dict(row) for row in work.receipts.listed(ids=ids, since=since)]


def replay_receipts(
    rt: Runtime, *, by: str, ids: Collection[int] = (), since: datetime | None = None
) -> dict[str, int]:  # fmt: skip
    """Mark the objects of these deliveries as changed; returns how many objects of each kind will be read again."""
    with rt.uow() as work:
        rows = work.receipts.listed(ids=ids, since=since)
        marks = marks_of(rows)
        for kind, objects in marks.items():
            work.dirty.mark(kind, objects)
        work.audit.line("webhooks.replayed", "webhook", "all", actor=by, receipts=len(rows))
    return {kind.value: len(objects) for kind, objects in marks.items()}


def marks_of(rows: Collection[Row | dict[str, Any]]) -> dict[Kind, set[int]]:
    """The objects that deliveries name, by kind; a bad delivery names none."""
    marks: dict[Kind, set[int]] = defaultdict(set)
    for row in rows:
        if row["kind"] is not None and row["object_id"] is not None:
            marks[Kind(row["kind"])].add(row["object_id"])
    return dict(sorted(marks.items()))
