"""Readings of Clio's objects with everything a test does not care about filled in."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from orchestrator.domain.activities import Activity
from orchestrator.domain.bills import Bill, BillKind, BillState
from orchestrator.domain.contacts import Client
from orchestrator.domain.ids import effect_key
from orchestrator.domain.matters import BillingMethod, Matter, MatterStatus
from orchestrator.domain.payments import Payment, PaymentState
from orchestrator.storage.tables import breaks
from tests.firm import START

BO = Client(3, "Bo Ferris", "bo@clients.test")


def an_entry(**facts):
    entry = Activity(
        id=1, etag="e1", type="TimeEntry", worked_on=date(2026, 3, 1), quantity_seconds=Decimal(3600), price_cents=30_000,
        total_cents=30_000, flat_rate=False, contingency_fee=False, non_billable=False, no_charge=False, on_bill=False,
        billed=False, matter_id=9, user_id=2, bill_id=None, updated_at=START,
    )  # fmt: skip
    return replace(entry, **facts)


def a_bill(**facts):
    bill = Bill(
        id=5, etag="b1", number="17", state=BillState.AWAITING_PAYMENT, kind=BillKind.REVENUE, issued_on=date(2026, 3, 1),
        due_on=date(2026, 3, 31), total_cents=60_000, paid_cents=0, balance_cents=60_000, pending_cents=0, currency="USD",
        client=BO, matter_ids=(9,), next_states=frozenset({"void"}), created_at=START, updated_at=START,
    )  # fmt: skip
    return replace(bill, **facts)


def a_matter(**facts):
    matter = Matter(
        id=9, etag="m1", display_number="00001-Ferris", status=MatterStatus.OPEN, billable=True,
        billing_method=BillingMethod.HOURLY, client=BO, responsible_attorney_id=2, practice_area=None, stage=None,
        closed_on=None, updated_at=START,
    )  # fmt: skip
    return replace(matter, **facts)


def a_payment(**facts):
    payment = Payment(
        id=8, state=PaymentState.AUTHORIZED, amount_cents=60_000, currency="USD", link_id=4, bill_ids=(5,), matter_ids=(9,),
        account_id=6, created_at=START, updated_at=START,
    )  # fmt: skip
    return replace(payment, **facts)


def a_break(work, **facts):
    """The id of a stored break."""
    values = {
        "fingerprint": effect_key(*(str(facts[name]) for name in sorted(facts))), "kind": "unmapped_reference",
        "account": "iolta", "state": "open", "run_id": 1, "reference": "", "money_cents": 100, "currency": "USD",
        "cause": "", "candidates": [], "movement_ids": [1], "since": date(2026, 3, 1), "opened_at": START,
        "updated_at": START,
    } | facts  # fmt: skip
    return work.connection.execute(breaks.insert().values(**values).returning(breaks.c.id)).scalar_one()
