"""Bills as they stand, each with what we did about it, or why we are silent."""

from typing import Any

from orchestrator.domain.reasons import meaning
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.links import ALIVE
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.show_exceptions import EXCEPTION
from orchestrator.usecases.show_links import LINK, facts

BILL = (
    "id", "number", "state", "kind", "client_name", "matter_ids", "total_cents", "paid_cents", "balance_cents",
    "pending_cents", "currency", "issued_on", "due_on", "request_id", "silence", "updated_at",
)  # fmt: skip
REQUEST = (
    "id", "matter_id", "kind", "period_start", "period_end", "state", "amount_cents", "currency", "entry_ids", "key", "task_id",
    "bill_id", "created_at", "updated_at",
)  # fmt: skip
ENTRY = ("id", "type", "worked_on", "total_cents", "matter_id")
MESSAGE = ("id", "step", "link_id", "state", "message_id", "reason", "sent_at", "communication_id", "created_at")
PAYMENT = ("id", "state", "amount_cents", "currency", "link_id", "booked_cents", "created_at", "updated_at")
AUDIT = ("at", "actor", "action", "subject_kind", "subject_id", "facts")
MATTER = ("id", "display_number", "status", "billing_method")
DECISION = ("matter_id", "verdict", "reason", "amount_cents", "decided_at")


def show_bills(rt: Runtime, *, state: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest bills first, each with the state of its link or the reason there is none."""
    with rt.read() as work:
        rows = work.mirror.listed_bills(states=[state] if state else [], limit=limit)
        alive = work.links.alive([row["id"] for row in rows])
        return [
            facts(row, BILL)
            | {"link": alive[row["id"]]["state"] if row["id"] in alive else None, "why_silent": meaning(row["silence"]) or None}
            for row in rows
        ]  # fmt: skip


def show_bill(rt: Runtime, bill_id: int) -> dict[str, Any]:
    """Everything we know and did about one bill that is here (`find_bill`)."""
    with rt.read() as work:
        row = work.mirror.bill_rows([bill_id])[bill_id]
        links = work.links.of_bill(bill_id)
        request = work.billing.get(row["request_id"]) if row["request_id"] else None
        return {
            "bill": facts(row, BILL),
            "client_email": row["client_email"],
            "why_silent": meaning(row["silence"]) or None,
            "matters": [
                {name: getattr(matter, name) for name in MATTER}
                for matter in work.mirror.matters(row["matter_ids"]).values()
            ],
            "request": facts(request, REQUEST) if request else None,
            "entries": [facts(entry, ENTRY) for entry in work.mirror.entries_on_bills([bill_id])],
            "links": [facts(link, LINK) for link in links],
            "link_alive": any(link["state"] in ALIVE for link in links),
            "messages": [facts(message, MESSAGE) for message in work.messages.of_bill(bill_id)],
            "payments": _payments(work, bill_id, [link["clio_id"] for link in links if link["clio_id"]]),
            "exceptions": [facts(found, EXCEPTION) for found in work.exceptions.about("bill", bill_id)],
            "audit": _audit(work, bill_id, [link["id"] for link in links], row["request_id"]),
        }


def show_requests(rt: Runtime, *, limit: int) -> list[dict[str, Any]]:
    """The newest billing requests first, each with its matter's number."""
    with rt.read() as work:
        return _with_matters(work, [facts(row, REQUEST) for row in work.billing.listed(limit=limit)])


def show_decisions(rt: Runtime, *, limit: int) -> list[dict[str, Any]]:
    """For each matter with work, the last decision whether to ask for a bill, and why."""
    with rt.read() as work:
        rows = work.billing.decisions(limit=limit)
        return _with_matters(work, [facts(row, DECISION) | {"why": meaning(row["reason"])} for row in rows])


def _with_matters(work: Work, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    matters = work.mirror.matters({row["matter_id"] for row in rows})
    numbers = {matter.id: matter.display_number for matter in matters.values()}
    return [row | {"matter_number": numbers.get(row["matter_id"])} for row in rows]


def _payments(work: Work, bill_id: int, clio_links: list[int]) -> list[dict[str, Any]]:
    by_link = {row["id"] for row in work.mirror.payments_of_links(clio_links)}
    found = work.mirror.payments(by_link | work.journal.payments_of_bill(bill_id))
    return [facts(found[payment_id], PAYMENT) for payment_id in sorted(found)]


def _audit(work: Work, bill_id: int, link_ids: list[int], request_id: int | None) -> list[dict[str, Any]]:
    about = [("bill", bill_id), *(("link", link_id) for link_id in link_ids)]
    about += [("request", request_id)] if request_id else []
    lines = [line for kind, subject in about for line in work.audit.about(kind, subject)]
    return [facts(line, AUDIT) for line in sorted(lines, key=lambda line: line["seq"])]
