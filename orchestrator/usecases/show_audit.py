"""T47: the audit lines, looked at and taken out; every figure of another page leads back to one of them."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, TextIO

from orchestrator.domain.audit_chain import Line
from orchestrator.engine.runtime import Runtime
from orchestrator.usecases.show_links import facts

LINE = ("seq", "at", "actor", "action", "subject_kind", "subject_id", "facts", "prev", "hash")


def show_audit(
    rt: Runtime, *, subject: tuple[str, str] | None, actor: str | None, action: str | None, since: date | None, limit: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """The newest lines first; `since` is a date at the office."""
    began = datetime.combine(since, time(), rt.settings.firm.zone).astimezone(UTC) if since else None
    with rt.read() as work:
        rows = work.audit.listed(subject=subject, actor=actor, action=action, since=began, limit=limit)
        return [facts(row, LINE) for row in rows]


def export_audit(rt: Runtime, out: TextIO, *, told: Callable[[int], None] = lambda _: None) -> int:
    """Write the whole chain, a JSON object a line, in order and with its hashes; returns how many lines."""
    count = 0
    with rt.read() as work:
        for line in work.audit.lines():
            out.write(json.dumps(as_facts(line), sort_keys=True) + "\n")
            count += 1
            if count % 1000 == 0:
                told(count)
    return count


def as_facts(line: Line) -> dict[str, Any]:
    """A line as plain values, its moment as the hash has it."""
    return {name: getattr(line, name) for name in LINE} | {"at": line.at.astimezone(UTC).isoformat()}
