"""Our payment links, and what both quotas leave."""

from datetime import timedelta
from typing import Any

from orchestrator.domain.links import LinkState
from orchestrator.domain.quota import forecast
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.usecases.forecast_links import foreseen, told
from orchestrator.usecases.show_status import budget

LINK = (
    "id", "bill_id", "cycle", "rail", "state", "amount_cents", "currency", "clio_id", "url", "reason", "reserved_at",
    "expires_at", "created_at", "updated_at", "client_id", "brought_by",
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


def show_budget(rt: Runtime) -> dict[str, Any] | None:
    """Both quotas in full: who uses what, who waits until when at the latest; None before the account's users were counted."""
    with rt.read() as work:
        used = work.links.use()
        if used is None:
            return None
        row, use = used
        now, counts, waiting = work.now, work.links.counts(), work.links.waiting()
        bills = work.mirror.bill_rows([link["bill_id"] for link in waiting])
        foresight = told(*foreseen(rt, work, use))
    life = timedelta(days=rt.settings.links.days)
    # One more than wait: the last of the forecast is when the next new link would find room.
    moments = forecast(use, waiting=len(waiting) + 1, life=life, now=now)
    ours = counts.get(LinkState.RESERVED, 0) + counts.get(LinkState.LIVE, 0)
    made = len(use.leaving_window) - row["foreign_created"]
    over = [moment for moment in (*use.leaving_window, use.shut_until) if moment is not None and moment > now]
    return {
        "users": row["users"],
        "limit": use.limit,
        "active": {"ours": ours, "others": row["foreign_active"], "free": max(0, use.limit - ours - row["foreign_active"])},
        "created": {"ours": made, "others": row["foreign_created"], "free": max(0, use.limit - made - row["foreign_created"])},
        "reserved": counts.get(LinkState.RESERVED, 0),
        "counted_at": row["counted_at"],
        "shut_until": row["shut_until"] if row["shut_until"] is not None and row["shut_until"] > now else None,
        "next_frees_at": min(over, default=None),
        "next_new_link_at": moments[-1],
        "forecast": foresight,
        "waiting": [
            {
                "link_id": link["id"], "bill_id": link["bill_id"],
                "bill_number": bills[link["bill_id"]]["number"] if link["bill_id"] in bills else None,
                "amount_cents": link["amount_cents"], "currency": link["currency"], "since": link["created_at"],
                "at_the_latest": moment,
            }
            for link, moment in zip(waiting, moments, strict=False)
        ],
    }  # fmt: skip


def facts(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    """These columns of a row."""
    return {name: row[name] for name in names}
