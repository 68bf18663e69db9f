"""What trust accounts hold, for whom, and what is planned with it: reads for the operator."""

from datetime import date, datetime
from typing import Any

from orchestrator.domain.draws import denial
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.confirm_accounts import refused
from orchestrator.usecases.plan_draws import account_facts, profile_of


def show_accounts(rt: Runtime) -> dict[str, Any]:
    """Every configured account with its class, what its ledgers sum to, and why nothing may be drawn from it, if so."""
    profile = profile_of(rt)
    with rt.read() as work:
        accounts = [
            {
                "key": account.key,
                "account_class": account.account_class.value,
                "clio_id": account.clio_id,
                "lawpay_ids": list(account.lawpay_ids),
                "bank_id": account.bank_id,
                "currency": account.currency,
                "time_zone": account.time_zone,
                "refused": refused(work, account),
                "ledgers_cents": work.trust.total(account.key) if account.is_trust else None,
                "denied": denial(account_facts(rt, work, account)) if account.is_trust else None,
            }
            for account in rt.settings.trust.firm_accounts
        ]
    return {
        "profile": profile.name if profile is not None else None,
        "confirmed_by": rt.settings.trust.confirmed_by,
        "unconfirmed": list(profile.unconfirmed) if profile is not None else [],
        "shortage_report": profile.shortage_report if profile is not None else None,
        "accounts": accounts,
    }


def show_ledgers(rt: Runtime, *, account: str | None = None, matter_id: int | None = None) -> list[dict[str, Any]]:
    """Every client ledger with what it holds and how much of that is free."""
    with rt.read() as work:
        return [_ledger(rt, work, row) for row in work.trust.ledgers(account=account, matter_id=matter_id)]


def show_ledger(
    rt: Runtime, *, ledger_id: int | None, matter_id: int | None, account: str | None, on: date | None = None,
    known_at: datetime | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Ledger cards, line by line (T7); `on` and `known_at` rebuild a past day as known now, or as known then (T44)."""
    with rt.read() as work:
        rows = work.trust.ledgers(account=account, matter_id=matter_id)
        cards = []
        for row in rows if ledger_id is None else [one for one in rows if one["id"] == ledger_id]:
            lines = [
                dict(line)
                for line in work.trust.lines_of(row["id"])
                if (on is None or line["effective_on"] <= on) and (known_at is None or line["known_at"] <= known_at)
            ]
            cards.append(
                {
                    **_ledger(rt, work, row),
                    "balance_then_cents": sum(line["amount_cents"] for line in lines),
                    "lines": lines,
                }
            )
        return cards


def show_draws(rt: Runtime, *, state: str | None = None, limit: int = 200) -> list[dict[str, Any]]:
    """Draws, the newest first, with the number of their bill."""
    with rt.read() as work:
        rows = work.draws.listed(states=[state] if state else (), limit=limit)
        bills = work.mirror.bills({row["bill_id"] for row in rows})
        return [
            {**dict(row), "bill_number": bills[row["bill_id"]].number if row["bill_id"] in bills else None}
            for row in rows
        ]


def show_holds(rt: Runtime, *, everything: bool = False) -> list[dict[str, Any]]:
    """What is in dispute or claimed; with `everything` what was released too."""
    with rt.read() as work:
        rows = work.draws.holds(standing=not everything)
        return [{"hold": f"{row['kind']}:{row['id']}", **dict(row)} for row in rows]


def _ledger(rt: Runtime, work: Work, row: Row) -> dict[str, Any]:
    account = rt.settings.trust.account_of(key=row["account"])
    zone = account.zone if account is not None else rt.settings.firm.zone
    funds = work.trust.funds(row, today=work.now.astimezone(zone).date())
    matter = work.mirror.matters([row["matter_id"]]).get(row["matter_id"])
    return {
        "id": row["id"], "account": row["account"], "kind": row["kind"], "client_id": row["client_id"] or None,
        "matter_id": row["matter_id"] or None, "matter_number": matter.display_number if matter is not None else None,
        "currency": row["currency"], "balance_cents": row["balance_cents"], "pending_cents": funds.pending_cents,
        "reserved_cents": row["reserved_cents"], "claimed_cents": row["claimed_cents"],
        "available_cents": funds.available_cents, "frozen": row["frozen"], "frozen_by": row["frozen_by"],
        "moved_on": row["moved_on"],
    }  # fmt: skip
