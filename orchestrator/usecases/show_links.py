"""Our payment links, and what both quotas leave."""

from typing import Any

from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.usecases.show_status import budget

LINK = (
    "id", "bill_id", "cycle", "rail", "state", "amount_cents", "currency", "clio_id", "url", "reason", "reserved_at",
    "expires_at", "created_at", "updated_at",
)  # fmt: skip


def show_links(rt: Runtime, *, state: str | None, limit: int) -> dict[str, Any]:
    """The newest links first, each with its bill's number, and the budget they count against."""
    with rt.read() as work:
        rows = work.links.listed(states=[state] if state else [], limit=limit)
        bills = work.mirror.bill_rows([row["bill_id"] for row in rows])
        return {
            "links": [
                facts(row, LINK) | {"bill_number": bills[row["bill_id"]]["number"] if row["bill_id"] in bills else None}
                for row in rows
            ],
            "budget": budget(work),
        }


def facts(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    """These columns of a row."""
    return {name: row[name] for name in names}
