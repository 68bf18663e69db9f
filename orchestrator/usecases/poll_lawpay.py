"""W7, W10: LawPay's list of events → each transaction read again by its id → movements, books, and what a person must see.

Events are hints, its list is the truth (gateway notes §5): it is read from the watermark less an overlap, an event that was
seen before is passed over, and the watermark moves only in the commit that holds what was read (F43). A place in a list that
shifts while it is read is worth nothing, so the next page is asked for by the moment at which the last one ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.gateway import GatewayEvent, Transaction, TransactionStatus, TransactionType
from orchestrator.domain.ids import effect_key
from orchestrator.domain.lawpay_payments import doubt_about, movements_of
from orchestrator.domain.reasons import meaning
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Away, Rejected
from orchestrator.ports import Gateway
from orchestrator.storage.gateway import to_transaction
from orchestrator.storage.jobs import Job
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases import sync_bills
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.choose_rail import HELD_BY_LAWPAY, question_key
from orchestrator.usecases.match_lawpay import judge, link_of

FIRST_LOOK = timedelta(days=400)
"""How far the first poll looks back; a return may come 60 days after its payment, a refund 180."""

BETWEEN_PAGES = timedelta(seconds=1)
"""How far before the end of one page the next begins: whether `start_date` is inclusive is published nowhere."""

ACCOUNTS_EVERY = timedelta(hours=12)
ACCOUNTS = "lawpay.accounts"
UNREAD = ("lawpay_not_found", "lawpay_refused", "lawpay_unreadable")
"""Why a transaction could not be read; one that is read after all asks for nobody."""

PULSE = "lawpay.poll"
RING_AGAIN_SECONDS = 5.0
LONG_UNDER_WAY = timedelta(days=2)
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """Transactions as they were from `read_at` on, the bills they may be for read after them, and what could not be read."""

    transactions: Sequence[Transaction]
    bills: sync_bills.Reading
    unread: Sequence[tuple[str, Rejected]]
    read_at: datetime


def poll(job: Job, rt: Runtime) -> None:
    """Read what LawPay has seen since we last looked, to the end of its list; nothing, for a firm that let go of it.

    A first look takes hours: the ticks that fall due meanwhile leave it to that one, and a ring waits until it is over.
    """
    with rt.read() as work:
        another = work.jobs.another_under_way(job)
    if another and job.payload.get("bell"):
        raise Away("Another poll is under way.", retry_after=RING_AGAIN_SECONDS)
    read = catch_up(rt, job) if rt.gateway is not None and not another else 0
    with step(rt, job, {"read": read}) as work:
        work.pulses.beat(PULSE)


def catch_up(rt: Runtime, job: Job) -> int:
    """As `poll`, for the job that must know now; returns how many transactions were read."""
    assert rt.gateway is not None
    with rt.uow(quietly=True) as work:
        feed = work.gateway.open_feed(rt.cipher.nonce)
        work.gateway.begin_poll()
        now, ages = work.now, work.pulses.ages()
    judged = ages[ACCOUNTS]["facts"]["digest"] if ACCOUNTS in ages else None
    if feed["accounts_read_at"] is None or feed["accounts_read_at"] < now - ACCOUNTS_EVERY or judged != _configured(rt):
        read_accounts(rt)
        look_again(rt)
    overlap = timedelta(seconds=rt.settings.sweep.overlap_seconds)
    since = feed["watermark"] - overlap if feed["watermark"] is not None else now - FIRST_LOOK
    page: int | None = 1
    count = 0
    while page is not None:
        found = rt.gateway.events_since(since, page)
        count += _take(rt, found.rows, job)
        newest = max((event.created_at for event in found.rows), default=since) - BETWEEN_PAGES
        if found.onward is None:
            page = None
        elif newest > since:
            since, page = newest, 1
        else:
            page += 1  # more events in one moment than a page holds
    with rt.uow(quietly=True) as work:
        work.gateway.polled()
    return count


def look_again(rt: Runtime) -> None:
    """Read anew what has been on its way for long: how long LawPay keeps its events is published nowhere (gateway notes §2)."""
    with rt.read() as work:
        waiting = work.gateway.on_their_way(before=work.now - LONG_UNDER_WAY)
    for start in range(0, len(waiting), AT_ONCE):
        reading = _read(rt, set(waiting[start : start + AT_ONCE]))
        with rt.uow() as work:
            apply(rt, work, reading)


def hear_lawpay(rt: Runtime, job: Job, *, younger_than: timedelta) -> None:
    """Catch up, unless the list was read to its end so lately: before a client is asked for what may have been paid (F62)."""
    with rt.read() as work:
        feed, now = work.gateway.feed(), work.now
    if feed is None or feed["polled_at"] is None or feed["polled_at"] < now - younger_than:
        catch_up(rt, job)


def _take(rt: Runtime, events: Sequence[GatewayEvent], job: Job) -> int:
    """One page: what its new events name is read, and kept in the commit that moves the watermark past them."""
    with rt.read() as work:
        known = work.gateway.known_events([event.id for event in events])
    new = [event for event in events if event.id not in known]
    reading = _read(rt, {event.transaction_id for event in new if event.transaction_id is not None})
    with rt.uow() as work:
        work.gateway.add_events(new)
        apply(rt, work, reading)
        if events:
            work.gateway.read_to(max(event.created_at for event in events))
        work.pulses.beat(PULSE)
        # A long list outlasts any lease; whoever took over meanwhile has this page too.
        work.jobs.renew(job, lease_seconds=rt.settings.engine.lease_seconds)
    return len(reading.transactions)


def _read(rt: Runtime, ids: set[str]) -> Reading:
    """These transactions, the charges of those that are refunds, and the bills of the links that they name, read last."""
    assert rt.gateway is not None
    read_at = rt.clock()
    seen: dict[str, Transaction] = {}
    unread = _read_each(rt.gateway, ids, seen)
    parents = {one.charge_id for one in seen.values() if one.charge_id is not None} - seen.keys()
    unread += _read_each(rt.gateway, parents, seen)
    with rt.read() as work:
        named = (link_of(work, one.reference) for one in seen.values() if one.type is TransactionType.CHARGE)
        bill_ids = {link["bill_id"] for link in named if link is not None}
    practice, bills = rt.practice(Urgency.MONEY), sync_bills.Bills()
    found = practice.bills.by_ids(sorted(bill_ids)) if bill_ids else ()
    ordered = sorted(seen.values(), key=lambda one: (one.created_at, one.id))
    return Reading(ordered, bills.complete(rt, practice, found), unread, read_at)


def _read_each(gateway: Gateway, ids: set[str], seen: dict[str, Transaction]) -> list[tuple[str, Rejected]]:
    """Add each to `seen`; one that is refused for good keeps no other from being read."""
    unread = []
    for transaction_id in sorted(ids):
        try:
            seen[transaction_id] = gateway.transaction(transaction_id)
        except Rejected as refusal:
            unread.append((transaction_id, refusal))
    return unread


def apply(rt: Runtime, work: Work, reading: Reading) -> None:
    """Keep the readings, then let each charge that they touch have its consequence; repeating this is harmless."""
    for transaction_id, refusal in reading.unread:
        work.exceptions.open(
            refusal.reason, question_key(transaction_id), f"Transaction {transaction_id} at LawPay: {refusal}"
        )
    charges: dict[str, None] = {}
    for seen in reading.transactions:
        row = _keep(rt, work, seen, reading.read_at)
        if row is not None:
            charges[seen.charge_id or seen.id] = None
    fresh = {bill.id: bill for bill in reading.bills.bills}
    touched = [bill_id for charge_id in charges if (bill_id := judge(rt, work, charge_id, fresh)) is not None]
    # A second payment of a page is the first once that came to nothing.
    beside = work.gateway.unmatched(beside=charges)
    touched += [bill_id for row in beside if (bill_id := judge(rt, work, row["id"], fresh)) is not None]
    # Judged first: a bill that was paid, or recorded, a moment ago would have ended the page that it was paid on.
    sync_bills.Bills().apply(rt, work, reading.bills)
    ask_for_payment(rt, work, [bill_id for bill_id in touched if bill_id not in fresh])


def _keep(rt: Runtime, work: Work, seen: Transaction, read_at: datetime) -> Row | None:
    """The row of this reading, and its movements; None when a newer reading is kept already."""
    account = rt.settings.trust.account_of(lawpay_id=seen.account_id)
    row = work.gateway.put(seen, account=account.key if account else None, read_at=read_at)
    if row is None:
        return None
    completed_at = row["completed_at"] or work.gateway.completed_event(seen.id)
    if completed_at is None and seen.status is TransactionStatus.COMPLETED:
        completed_at = seen.modified_at
    work.gateway.note(seen.id, completed_at=completed_at)
    if account is None:
        _open_about(work, "lawpay_account_unknown", seen.account_id, seen.account_id)
    work.exceptions.close_all(UNREAD, question_key(seen.id))
    zone = account.zone if account is not None else rt.settings.firm.zone
    work.movements.see(
        movements_of(seen, account=account.key if account else None, zone=zone, completed_at=completed_at)
    )
    return row


def read_accounts(rt: Runtime) -> None:
    """Which accounts LawPay has, and whether it agrees about their class; what a doubt held back is decided about anew."""
    assert rt.gateway is not None
    accounts = rt.gateway.accounts()
    with rt.uow() as work:
        work.gateway.put_accounts(accounts)
        for said in accounts:
            account = rt.settings.trust.account_of(lawpay_id=said.id)
            doubt = doubt_about(account, said)
            if doubt is not None and account is not None:
                _open_about(work, doubt, said.id, account.key)
            # That nobody configured an account matters once money moves on it.
            settled = {"lawpay_account_unknown"} if account is not None else set()
            work.exceptions.close_all(
                settled | {"lawpay_trust_unknown", "account_class_disagrees"} - {doubt}, _about(said.id)
            )
        work.pulses.beat(ACCOUNTS, digest=_configured(rt))
        for row in _placed(rt, work):
            judge(rt, work, row["charge_id"] or row["id"], {})
        held = [bill_id for row in work.gateway.unmatched() if (bill_id := judge(rt, work, row["id"], {})) is not None]
        ask_for_payment(rt, work, [*held, *work.mirror.silenced(HELD_BY_LAWPAY)])


def _placed(rt: Runtime, work: Work) -> list[Row]:
    """Give what moved on an account before anybody configured it to that account; returns what was placed."""
    ids = [lawpay_id for account in rt.settings.trust.firm_accounts for lawpay_id in account.lawpay_ids]
    placed = work.gateway.unplaced(ids)
    for row in placed:
        account = rt.settings.trust.account_of(lawpay_id=row["account_id"])
        assert account is not None
        work.gateway.note(row["id"], account=account.key)
        seen, completed_at = to_transaction(row), row["completed_at"]
        work.movements.see(movements_of(seen, account=account.key, zone=account.zone, completed_at=completed_at))
    return placed


def _configured(rt: Runtime) -> str:
    """The accounts that the firm has configured: with others, LawPay's are judged anew without waiting for their hour."""
    known = (f"{one.key}:{one.account_class}:{','.join(one.lawpay_ids)}" for one in rt.settings.trust.firm_accounts)
    return effect_key("accounts", *sorted(known), *sorted(rt.settings.lawpay.pages))


def _open_about(work: Work, code: str, account_id: str, name: str) -> None:
    if not work.exceptions.is_open(code, _about(account_id)):
        work.exceptions.open(code, _about(account_id), f"LawPay account {account_id} ({name}): {meaning(code)}.")


def _about(account_id: str) -> str:
    return f"lawpay:account:{account_id}"
