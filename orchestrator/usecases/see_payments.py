"""Payments that Clio Payments took, as movements: what our mirror has of them, so that the ledger can be compared with it."""

from datetime import datetime

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.movements import Movement, MovementKind, MovementStatus, Source
from orchestrator.domain.payments import FELL_THROUGH, RECEIVED, PaymentState
from orchestrator.settings import TrustSettings
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work

PAGE = 1000


def see_payments(work: Work, trust: TrustSettings) -> int:
    """Keep every payment into a configured account that is new or changed; returns how many there were."""
    accounts = {account.clio_id: account for account in trust.firm_accounts if account.clio_id is not None}
    seen, after = 0, 0
    while accounts and (page := work.mirror.payments_after(after, accounts, PAGE)):
        heads = work.movements.heads(Source.CLIO_PAYMENTS, [str(row["id"]) for row in page])
        seen += work.movements.see(
            [_movement(row, accounts[row["account_id"]], heads.get(str(row["id"]))) for row in page]
        )
        after = page[-1]["id"]
    return seen


def _moved_at(row: Row, status: MovementStatus, before: Row | None) -> datetime:
    """When the money moved: as it settled, which is when the payment was found settled first; until then, as it was made.

    Only from that day on can a line of the bank's be made of it, and an eCheck takes five days longer than a card.
    """
    if before is not None and before["status"] == status and before["at"] is not None:
        moved: datetime = before["at"]
        return moved
    made: datetime = row["updated_at"] if status is MovementStatus.SETTLED else row["created_at"]
    return made


def _movement(row: Row, account: FirmAccount, before: Row | None) -> Movement:
    state = PaymentState(row["state"])
    status = (
        MovementStatus.SETTLED if state in RECEIVED
        else MovementStatus.FAILED if state in FELL_THROUGH
        else MovementStatus.PENDING
    )  # fmt: skip
    bills, matters = row["bill_ids"], row["matter_ids"]
    at = _moved_at(row, status, before)
    return Movement(
        source=Source.CLIO_PAYMENTS, external_id=str(row["id"]), account=account.key, amount_cents=row["amount_cents"],
        currency=row["currency"], on=at.astimezone(account.zone).date(), at=at,
        kind=MovementKind.DEPOSIT, status=status, matter_id=matters[0] if len(matters) == 1 else None,
        bill_id=bills[0] if len(bills) == 1 else None, payment_id=row["id"],
    )  # fmt: skip
