"""A firm that keeps trust money: one IOLTA account, one signatory, one reviewer, California's profile, confirmed."""

from datetime import timedelta
from typing import Any

from orchestrator.sandbox import SandboxHandle
from orchestrator.usecases.authorise_draw import authorise_by_hand, record_notice
from tests.firm import Firm

HOLD = 11
"""Days after which every deposit has cleared."""


def trust_settings(sandbox: SandboxHandle, **said: Any) -> dict[str, Any]:
    """The `[trust]` of a profile, for the sandbox's own accounts."""
    accounts = sandbox.state()["bank_accounts"]
    return {
        "accounts": [
            {"key": "iolta", "account_class": "trust", "clio_id": accounts["trust"]},
            {"key": "operating", "account_class": "operating", "clio_id": accounts["operating"]},
        ],
        "jurisdiction": "california",
        "confirmed_by": "Ada Quill",
        "signatories": [{"name": "Ada Quill", "clio_user_id": sandbox.state()["users"]["ada"]}],
        "reviewers": ["Nora Harbor"],
        "trust_first": True,
        **said,
    }


def deposit(firm: Firm, dollars: float = 1000, *, clear: bool = True, **facts: Any) -> dict[str, Any]:
    """Client money into trust, known here, and cleared unless `clear` is false."""
    line = firm.sandbox.act("deposit_trust", **{"matter_id": firm.matter(), "amount": dollars} | facts)
    if clear:
        firm.later(days=HOLD)
    else:
        firm.later(minutes=16)
    return line


def draws(firm: Firm, bill_id: int | None = None) -> list[dict[str, Any]]:
    """Every draw, the oldest first."""
    with firm.rt.read() as work:
        found = work.draws.listed(limit=1000) if bill_id is None else reversed(work.draws.of_bill(bill_id))
        return [dict(row) for row in found][::-1]


def notice(firm: Firm, draw_id: int, **facts: Any) -> dict[str, Any]:
    told = {"what": "invoice by e-mail", "channel": "email", "delivered_at": firm.rt.clock() - timedelta(minutes=1)}
    return record_notice(firm.rt, draw_id, **{**told, "by": "iris", "dry_run": False, **facts})


def authorise(firm: Firm, draw_id: int, by: str = "Ada Quill") -> dict[str, Any]:
    return authorise_by_hand(firm.rt, draw_id, by=by, dry_run=False)


def authorised(firm: Firm, draw_id: int) -> dict[str, Any]:
    notice(firm, draw_id)
    return authorise(firm, draw_id)


def apply_in_clio(firm: Firm, draw: dict[str, Any], dollars: float | None = None) -> None:
    """A person records the payment from trust in Clio, and the worker hears of it."""
    amount = draw["amount_cents"] / 100 if dollars is None else dollars
    firm.sandbox.act("apply_trust", id=draw["bill_id"], amount=amount)
    firm.later(minutes=16)


def judged(firm: Firm) -> None:
    """What must hold of trust money after anything at all."""
    with firm.rt.read() as work:
        for account in ("iolta",):
            for row in work.trust.ledgers(account=account):
                lines = work.trust.lines_of(row["id"])
                assert row["balance_cents"] == sum(line["amount_cents"] for line in lines)
                assert row["balance_cents"] >= 0 or row["frozen"]
                assert row["reserved_cents"] <= row["balance_cents"] or row["frozen"]
                assert row["reserved_cents"] == work.draws.promised_by_ledger().get(row["id"], 0)
                balance = 0
                for line in lines:
                    balance += line["amount_cents"]
                    assert line["balance_cents"] == balance
    firm.check()
