"""Transactions at LawPay as they stand: for which bill, by which page, and what our books hold of each."""

from collections.abc import Sequence
from typing import Any

from orchestrator.domain.books import BANK, UNALLOCATED
from orchestrator.domain.lawpay_payments import signed_cents
from orchestrator.domain.links import Rail
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.gateway import to_transaction
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.choose_rail import question_key
from orchestrator.usecases.show_bills import AUDIT
from orchestrator.usecases.show_exceptions import EXCEPTION
from orchestrator.usecases.show_links import LINK, facts

RAIL = Rail.LAWPAY_PAGE
OURS = "L"
"""Begins the name by which a person calls one: LawPay's own ids may begin with a hyphen, which a shell takes for an option."""


def shown(work: Work, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """These transactions in the shape of `payments list`; money that left an account stands below zero."""
    links = {row["link_id"]: work.links.get(row["link_id"]) for row in rows if row["link_id"] is not None}
    bills = work.mirror.bill_rows({link["bill_id"] for link in links.values() if link is not None})
    return [_shown(work, row, links.get(row["link_id"]), bills) for row in rows]


def show(rt: Runtime, name: str) -> dict[str, Any] | None:
    """One transaction with its page, refunds, books, exceptions and audit; None when we know none of that name."""
    with rt.read() as work:
        row = named(work, name)
        if row is None:
            return None
        link = work.links.get(row["link_id"]) if row["link_id"] is not None else None
        lines = work.journal.entries_of(row["number"], rail=RAIL)
        refunds = [work.gateway.get(refund.id) for refund in work.gateway.refunds_of(row["id"])]
        bill_id = link["bill_id"] if link is not None else None
        return {
            "payment": shown(work, [row])[0],
            "link": facts(link, LINK) if link else None,
            "allocations": [
                {"bill_id": bill_id, "bill_number": number, "amount_cents": row["booked_cents"]}
                for number in _numbers(work, bill_id)
                if row["booked_cents"]
            ]
            + [{"bill_id": None, "bill_number": None, "amount_cents": cents} for cents in _unallocated(lines) if cents],
            "reversed_by": [
                {
                    "at": refund["created_at"],
                    "event": f"refund {refund['status'].lower()}",
                    "amount_cents": refund["amount_cents"],
                }
                for refund in refunds
                if refund is not None
            ],
            "journal": [
                {
                    name: line[name]
                    for name in ("at", "event", "account", "amount_cents", "currency", "bill_id", "matter_id")
                }
                for line in lines
            ],
            "exceptions": [facts(found, EXCEPTION) for found in work.exceptions.keyed(question_key(row["id"]))],
            "audit": [facts(line, AUDIT) for line in work.audit.about("lawpay", row["number"])],
        }


def named(work: Work, name: str) -> Row | None:
    """By LawPay's own id, or by the name that `payments list` shows."""
    ours = name[len(OURS) :]
    if name.startswith(OURS) and ours.isdecimal() and (row := work.gateway.numbered(int(ours))) is not None:
        return row
    return work.gateway.get(name)


def _shown(work: Work, row: Row, link: Row | None, bills: dict[int, Row]) -> dict[str, Any]:
    bill = bills.get(link["bill_id"]) if link is not None else None
    lines = work.journal.entries_of(row["number"], rail=RAIL)
    return {
        "id": f"{OURS}{row['number']}",
        "rail": RAIL.value,
        "state": row["status"].lower(),
        "amount_cents": signed_cents(to_transaction(row)),
        "currency": row["currency"],
        "booked_cents": sum(line["amount_cents"] for line in lines if line["account"].startswith(BANK)),
        "bill_ids": [link["bill_id"]] if link is not None else [],
        "matter_ids": list(bill["matter_ids"]) if bill is not None else [],
        "account_id": row["account"] or row["account_id"],
        "created_at": row["created_at"],
        "updated_at": row["modified_at"],
        "clio_link_id": None,
        "link_id": row["link_id"],
        "bill_numbers": [bill["number"]] if bill is not None else [],
        "reversed_cents": -sum(
            line["amount_cents"] for line in lines if line["account"].startswith(BANK) and line["amount_cents"] < 0
        ),
        "lawpay_id": row["id"],
        "type": row["type"].lower(),
        "reference": row["reference"],
        "deviations": list(row["deviations"]),
    }


def _unallocated(lines: Sequence[Row]) -> list[int]:
    """What our books hold of it for no bill, if they ever held any."""
    return [-sum(line["amount_cents"] for line in lines if line["account"] == UNALLOCATED)]


def _numbers(work: Work, bill_id: int | None) -> list[str]:
    return [row["number"] for row in work.mirror.bill_rows([bill_id] if bill_id is not None else []).values()]
