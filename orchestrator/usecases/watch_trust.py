"""Daily: what no list of changes shows (a deleted line), and what time alone makes a matter for a person (T3, T6, T33, T34)."""

from collections.abc import Iterable
from datetime import date, timedelta

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.draws import DrawState
from orchestrator.domain.kinds import Kind
from orchestrator.domain.matters import MatterStatus
from orchestrator.domain.money import Money
from orchestrator.domain.movements import MovementStatus, Source
from orchestrator.domain.topics import Urgency
from orchestrator.domain.trust import BankLine, LedgerKind
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import Job
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.plan_draws import profile_of, trust_accounts, withdraw
from orchestrator.usecases.replenish import replenish
from orchestrator.usecases.sync_ledger import LedgerLines

UNLISTED = timedelta(days=3)
"""How long after its bill was settled an authorised draw may be missing from the ledger before it counts as not made."""


def watch_trust(job: Job, rt: Runtime) -> None:
    """Compare every configured ledger line by line, then look at everything that only grows older."""
    practice, syncing = rt.practice(Urgency(job.urgency)), LedgerLines()
    listed = {
        account.key: {line.id: line for line in practice.ledger_of(account.clio_id)}
        for account in rt.settings.trust.firm_accounts
        if account.clio_id is not None
    }
    with rt.read() as work:
        missing = {ident for key, lines in listed.items() for ident in _known(work, key) - lines.keys()}
    # A list may lag behind (F40): only what a second look by id does not show either is gone.
    there = {line.id for line in syncing.read(practice, sorted(missing))} if missing else set()
    with step(rt, job, {"gone": len(missing - there)}) as work:
        if missing - there:
            syncing.gone(rt, work, sorted(missing - there))
        work.dirty.mark(Kind.LEDGER, there | _unposted(rt, work, listed))
        replenish(rt, work, work.mirror.open_matter_ids())
        for account in trust_accounts(rt):
            _grown_old(rt, work, account)


def _known(work: Work, account: str) -> set[int]:
    seen = work.movements.current(account=account, source=Source.CLIO_LEDGER)
    return {int(one.external_id) for one in seen if one.status is not MovementStatus.VOIDED}


def _unposted(rt: Runtime, work: Work, listed: dict[str, dict[int, BankLine]]) -> set[int]:
    """Lines that no trust ledger shows as they are: new, changed, or refused while the account's class was in doubt."""
    found: set[int] = set()
    for account in trust_accounts(rt):
        standing = work.trust.all_standing(account.key)
        for line in listed.get(account.key, {}).values():
            row = standing.get(str(line.id))
            if row is None or row["told_at"] is None or row["told_at"] < line.updated_at:
                found.add(line.id)
    return found


def _grown_old(rt: Runtime, work: Work, account: FirmAccount) -> None:
    today = work.now.astimezone(account.zone).date()
    ledgers = work.trust.ledgers(account=account.key)
    matters = work.mirror.matters([row["matter_id"] for row in ledgers if row["matter_id"]])
    closed = {ident for ident, matter in matters.items() if matter.status is MatterStatus.CLOSED}
    profile = profile_of(rt)
    for row in ledgers:
        holds = row["balance_cents"] > 0
        own = row["kind"] == LedgerKind.FIRM_CHARGES
        _ask(work, "trust_closed_matter", row, holds and row["matter_id"] in closed)
        _ask(work, "trust_firm_money", row, own and row["balance_cents"] > rt.settings.trust.firm_money_cap_cents)
        idle = profile is not None and _days(row["moved_on"], today) > profile.idle_days
        _ask(work, "trust_idle", row, holds and not own and idle)
    if profile is not None:
        _linger(work, account, today, profile.draw_age_alert_days)
    _never_made(work, account)


def _ask(work: Work, kind: str, row: Row, applies: bool) -> None:
    key = f"ledger:{row['id']}"
    if applies and not work.exceptions.is_open(kind, key):
        amount = Money(row["balance_cents"], row["currency"])
        work.exceptions.open(
            kind, key, f"Ledger {row['id']} ({row['kind']}) of {row['account']} holds {amount}.",
            subject=("matter", row["matter_id"]) if row["matter_id"] else None, money_cents=row["balance_cents"],
        )  # fmt: skip
    elif not applies:
        work.exceptions.close(kind, key)


def _linger(work: Work, account: FirmAccount, today: date, most: int) -> None:
    """Earned, billed, undisputed money is alerted when it lies longer than the profile allows (T3)."""
    for draw in _open(work, account):
        key = f"draw:{draw['id']}"
        age = _days(draw["proposed_at"].astimezone(account.zone).date(), today)
        if age >= most and not work.exceptions.is_open("trust_draw_lingers", key):
            amount = Money(draw["amount_cents"], draw["currency"])
            work.exceptions.open(
                "trust_draw_lingers", key, f"Draw {draw['id']} of {amount} has waited for {age} days.",
                subject=("bill", draw["bill_id"]), money_cents=draw["amount_cents"],
            )  # fmt: skip


def _never_made(work: Work, account: FirmAccount) -> None:
    """An authorised draw whose bill was settled without it gives its promise back."""
    for draw in _open(work, account):
        bill = work.mirror.bills([draw["bill_id"]]).get(draw["bill_id"])
        # Counted from what settled it, not from the authorisation: that may be this very draw, whose line is read after the bill.
        settled = bill is not None and bill.open_cents <= 0 and bill.updated_at <= work.now - UNLISTED
        if draw["state"] == DrawState.AUTHORISED and settled:
            withdraw(work, draw, "trust_draw_not_posted")


def _open(work: Work, account: FirmAccount) -> Iterable[Row]:
    states = (DrawState.PROPOSED, DrawState.AUTHORISED)
    return [row for row in work.draws.listed(states=states, limit=10_000) if row["account"] == account.key]


def _days(since: date | None, today: date) -> int:
    return (today - since).days if since is not None else 0
