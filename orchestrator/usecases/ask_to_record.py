"""W7, rail `lawpay_page`: Clio has no call that records a payment (API notes §2) → a person is asked to, by one task each."""

from typing import Any

from orchestrator.domain.bills import Bill, BillKind
from orchestrator.domain.ids import effect_key
from orchestrator.domain.money import Money
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.choose_rail import RECORD, record_key
from orchestrator.usecases.create_task import ask_by_task

TAKE_BACK = "take_back_payment"


def ask_to_record(work: Work, charge: Row, bill: Bill, *, cents: int) -> None:
    """Ask for this charge to be entered on its bill; the same charge is asked for once, on any database."""
    amount = Money(cents, charge["currency"])
    if bill.kind is BillKind.TRUST:
        _ask(
            work, RECORD, record_key(charge["id"]), charge, bill,
            title=f"Record the LawPay deposit for trust request {bill.number}: {amount}",
            text=(
                f"{amount} were paid for trust request {bill.number} on our LawPay page (transaction {charge['id']}), into the "
                "trust account, and Clio does not know it. Please record the payment on the trust request in Clio, into that "
                "trust account. Until then nobody asks the client for it again."
            ),
        )  # fmt: skip
        return
    _ask(
        work, RECORD, record_key(charge["id"]), charge, bill,
        title=f"Record the LawPay payment of invoice {bill.number}: {amount}",
        text=(
            f"{amount} were paid for invoice {bill.number} on our LawPay page (transaction {charge['id']}), and Clio does not "
            "know it. Please record the payment on the bill in Clio (Bills, Record payment), into the account it went to. "
            f"Until then nobody asks the client for it again.{_above(charge, bill, cents)}"
        ),
    )  # fmt: skip


def _above(charge: Row, bill: Bill, cents: int) -> str:
    """What came in above what is open by now: the client's, on no bill by itself (T5)."""
    if cents <= bill.balance_cents:
        return ""
    open_, over = (Money(part, charge["currency"]) for part in (bill.balance_cents, cents - bill.balance_cents))
    return f" Only {open_} are open on the bill now: {over} are the client's, to be refunded at LawPay or entered as credit."


def ask_to_take_back(work: Work, charge: Row, bill: Bill, *, cents: int, sequence: int) -> None:
    """Ask for what went back to be taken off the bill again; each time money goes back is asked for once."""
    amount = Money(cents, charge["currency"])
    _ask(
        work, TAKE_BACK, effect_key(TAKE_BACK, charge["id"], sequence), charge, bill,
        title=f"Take back the LawPay payment of invoice {bill.number}: {amount}",
        text=(
            f"{amount} of the payment for invoice {bill.number} went back (LawPay transaction {charge['id']}). If it was "
            "recorded in Clio, please delete or reduce it there; if it was not recorded yet, record only what is left."
        ),
    )  # fmt: skip


def _ask(work: Work, purpose: str, key: str, charge: Row, bill: Bill, **words: Any) -> None:
    matters = work.mirror.matters(bill.matter_ids)
    if matters:
        first = matters[min(matters)]
        ask_by_task(work, key, purpose, matter=first, bill_id=bill.id, transaction_id=charge["id"], **words)
