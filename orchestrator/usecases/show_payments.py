"""Payments as they stand: for which bill, by which link, what our books hold of each, and what took it back."""

from collections.abc import Sequence
from typing import Any

from orchestrator.domain.books import BANK
from orchestrator.domain.links import Rail
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases import show_lawpay
from orchestrator.usecases.show_bills import AUDIT
from orchestrator.usecases.show_exceptions import EXCEPTION
from orchestrator.usecases.show_links import LINK, facts

PAYMENT = (
    "id", "state", "amount_cents", "currency", "booked_cents", "bill_ids", "matter_ids", "account_id", "created_at", "updated_at",
)  # fmt: skip
LINE = ("at", "event", "account", "amount_cents", "currency", "bill_id", "matter_id")


def show_payments(rt: Runtime, *, state: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest payments of both rails first, each with its bills' numbers, our link, and what was booked and went back."""
    with rt.read() as work:
        at_clio = _shown(work, work.mirror.listed_payments(states=[state] if state else [], limit=limit))
        told = work.gateway.listed(states=[state.upper()] if state else [], limit=limit)
        both = [*at_clio, *show_lawpay.shown(work, told)]
        return sorted(both, key=lambda payment: payment["created_at"], reverse=True)[:limit]


def show_payment(rt: Runtime, name: str) -> dict[str, Any] | None:
    """One payment with its link, its allocations, every movement of the books, exceptions and audit; None when unknown.

    A number is Clio's, anything else LawPay's.
    """
    if not name.isdecimal():
        return show_lawpay.show(rt, name)
    payment_id = int(name)
    with rt.read() as work:
        row = work.mirror.payments([payment_id]).get(payment_id)
        if row is None:
            return None
        [shown] = _shown(work, [row])
        lines = work.journal.entries_of(payment_id)
        link = work.links.by_clio_ids([row["link_id"]]).get(row["link_id"]) if row["link_id"] else None
        return {
            "payment": shown,
            "link": facts(link, LINK) if link else None,
            "allocations": _allocations(work, lines),
            "reversed_by": [
                {"at": line["at"], "event": line["event"], "amount_cents": -line["amount_cents"]}
                for line in lines
                if line["account"].startswith(BANK) and line["amount_cents"] < 0
            ],
            "journal": [facts(line, LINE) for line in lines],
            "exceptions": [facts(found, EXCEPTION) for found in work.exceptions.about("payment", payment_id)],
            "audit": [facts(line, AUDIT) for line in work.audit.about("payment", payment_id)],
        }


def _shown(work: Work, rows: Sequence[Row]) -> list[dict[str, Any]]:
    bills = work.mirror.bill_rows({bill_id for row in rows for bill_id in row["bill_ids"]})
    links = work.links.by_clio_ids([row["link_id"] for row in rows if row["link_id"] is not None])
    shown = []
    for row in rows:
        link = links.get(row["link_id"])
        # A payment that Clio ties to no bill may still have come through a link of ours, which names one.
        ids = row["bill_ids"] or ([link["bill_id"]] if link else [])
        taken = -sum(
            line["amount_cents"]
            for line in work.journal.entries_of(row["id"])
            if line["account"].startswith(BANK) and line["amount_cents"] < 0
        )
        shown.append(
            facts(row, PAYMENT)
            | {
                "rail": Rail.CLIO_PAYMENTS.value,
                "clio_link_id": row["link_id"],
                "link_id": link["id"] if link else None,
                "bill_numbers": [bills[bill_id]["number"] if bill_id in bills else str(bill_id) for bill_id in ids],
                "reversed_cents": taken,
                "lawpay_id": None,
                "type": "charge",
                "reference": None,
                "deviations": [],
            }
        )
    return shown


def _allocations(work: Work, lines: Sequence[Row]) -> list[dict[str, Any]]:
    """What stands on each bill now, by our books: a credit on what was receivable is money that settled it."""
    standing: dict[int | None, int] = {}
    for line in lines:
        if not line["account"].startswith(BANK):
            where = line["bill_id"] if line["account"] == "receivable" else None
            standing[where] = standing.get(where, 0) - line["amount_cents"]
    bills = work.mirror.bill_rows([bill_id for bill_id in standing if bill_id is not None])
    return [
        {
            "bill_id": bill_id,
            "bill_number": bills[bill_id]["number"] if bill_id in bills else None,
            "amount_cents": cents,
        }
        for bill_id, cents in standing.items()
        if cents or bill_id is not None
    ]
