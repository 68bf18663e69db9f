"""W8: what decides whether a client is reminded is read anew just before sending, in batches, and then judged."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from orchestrator.domain.bills import Bill
from orchestrator.domain.bounces import HELD
from orchestrator.domain.gateway import ON_ITS_WAY, Method
from orchestrator.domain.kinds import Kind
from orchestrator.domain.payments import UNDER_WAY, CreditMemo
from orchestrator.domain.silence import Hold, HoldKind, Rules, Standing, Subject
from orchestrator.domain.topics import Urgency
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import PracticeManagement
from orchestrator.storage.draws import DISPUTE
from orchestrator.storage.jobs import Job
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.choose_rail import paid_elsewhere
from orchestrator.usecases.fresh_bills import JUST_NOW
from orchestrator.usecases.plan_draws import within_reach
from orchestrator.usecases.poll_lawpay import hear_lawpay
from orchestrator.usecases.sync import read_twice
from orchestrator.usecases.sync_bills import Bills
from orchestrator.usecases.sync_matters import Matters
from orchestrator.usecases.take_deposits import deposits

MATTERS = "matters"
BALANCES = "client_balances"
CREDITS = "credit_memos"
CONTACTS = "contacts"
CONTACT_FIELDS = "contact_fields"

SOME_TIME = timedelta(minutes=2)
KEPT = timedelta(minutes=15)
"""How long a reading of the account's changes, and of a list that must be read whole, serves every judging: what they say
changes by a person's hand, and never means that a bill was paid."""

EVER = datetime(2000, 1, 1, tzinfo=UTC)
"""Before anything that Clio keeps."""


def rules_of(rt: Runtime) -> Rules:
    """The firm's own rules of silence."""
    own = rt.settings.reminders
    return Rules(
        minimum_cents=own.minimum_cents, oldest_days=own.oldest_days, grace_days=own.grace_days, stuck_days=own.stuck_days,
        hold_closed=own.hold_closed, hold_pending=own.hold_pending, fields=own.fields,
    )  # fmt: skip


def read_standings(rt: Runtime, job: Job, bill_ids: Collection[int]) -> None:
    """Make sure that all which decides about these bills was read just now, and not before the job fell due (F61, F62).

    Of n bills it costs ⌈n/200⌉ calls and a handful for lists of the account, whatever n is; nothing for what is fresh.
    """
    practice = rt.practice(Urgency(job.urgency))
    oldest = max(job.not_before, rt.clock() - JUST_NOW)
    if rt.gateway is not None:
        hear_lawpay(rt, job, younger_than=JUST_NOW)
    for name, kept, read in LISTS:
        with rt.read() as work:
            last = work.clients.read_at(name)
        if last is None or last < (oldest if kept is None else rt.clock() - kept):
            began = rt.clock()
            read(rt, practice, last)
            with rt.uow(quietly=True) as work:
                work.clients.was_read(name, at=began)
    _read_bills(rt, practice, bill_ids, oldest)


def _read_bills(rt: Runtime, practice: PracticeManagement, bill_ids: Collection[int], oldest: datetime) -> None:
    with rt.read() as work:
        rows = work.mirror.bill_rows(bill_ids)
    stale = [bill_id for bill_id in bill_ids if bill_id not in rows or rows[bill_id]["read_at"] < oldest]
    if not stale:
        return
    bills = Bills()
    read, gone = read_twice(bills, practice, stale)
    reading = bills.complete(rt, practice, read)
    with rt.uow() as work:
        bills.apply(rt, work, reading)
        bills.gone(rt, work, gone)


def _read_matters(rt: Runtime, practice: PracticeManagement, last: datetime | None) -> None:
    """What changed of any matter since the sweep or we looked: their status and custom fields."""
    with rt.read() as work:
        swept = work.dirty.watermark(Kind.MATTER)
    since = max(filter(None, (last, swept)), default=EVER)
    for page in practice.matters.changed(_overlapped(rt, since)):
        with rt.uow() as work:
            Matters().apply(rt, work, page.rows)


def _read_balances(rt: Runtime, practice: PracticeManagement, last: datetime | None) -> None:  # noqa: ARG001
    reminded = [balance.client_id for balance in practice.client_balances() if balance.clio_reminds]
    with rt.uow(quietly=True) as work:
        work.clients.put_reminded(reminded)


class Credits:
    """Credit memos by id, as `read_twice` asks for them."""

    def read(self, practice: PracticeManagement, ids: Sequence[int]) -> Sequence[CreditMemo]:
        return practice.credits.by_ids(ids)


def _read_credits(rt: Runtime, practice: PracticeManagement, last: datetime | None) -> None:
    """Memos that changed, and those with something left: nobody says that applying one changes it."""
    for page in practice.credits.changed(_overlapped(rt, last or EVER)):
        with rt.uow(quietly=True) as work:
            work.clients.put_credits(page.rows)
    with rt.read() as work:
        open_ = work.clients.open_credits()
    if open_:
        again, gone = read_twice(Credits(), practice, open_)
        with rt.uow(quietly=True) as work:
            work.clients.put_credits(again)
            work.clients.credits_gone(gone)


def _read_contacts(rt: Runtime, practice: PracticeManagement, last: datetime | None) -> None:
    """Contacts that changed: the bills of their clients are read again, for a webhook may be lost and no sweep lists them.

    Their custom fields are kept for a firm that named one; from the day on which it did, those of every contact.
    """
    named, began = bool(rt.settings.reminders.fields), rt.clock()
    with rt.read() as work:
        since = last or work.mirror.oldest_reading() or began
        kept_since = work.clients.read_at(CONTACT_FIELDS) or EVER
    for page in practice.contacts.changed(_overlapped(rt, min(since, kept_since) if named else since)):
        with rt.uow(quietly=True) as work:
            if named:
                work.clients.put_contacts(page.rows)
            changed = [contact.id for contact in page.rows if contact.updated_at >= _overlapped(rt, since)]
            stale = work.mirror.open_bill_ids_of_clients(changed)
        _read_bills(rt, practice, stale, rt.clock())
    if named:
        with rt.uow(quietly=True) as work:
            work.clients.was_read(CONTACT_FIELDS, at=began)


def _overlapped(rt: Runtime, since: datetime) -> datetime:
    return since - timedelta(seconds=rt.settings.sweep.overlap_seconds)


LISTS: tuple[tuple[str, timedelta | None, Callable[[Runtime, PracticeManagement, datetime | None], None]], ...] = (
    (MATTERS, None, _read_matters),
    (BALANCES, KEPT, _read_balances),
    (CREDITS, SOME_TIME, _read_credits),
    (CONTACTS, SOME_TIME, _read_contacts),
)
"""What is read of the whole account, how long a reading serves (None: as long as that of a bill), and how."""


# ── from our database ──


def standings(rt: Runtime, work: Work, bill_ids: Collection[int]) -> dict[int, Standing]:
    """Everything known of these bills that can silence them, from our database; bills we do not know are left out.

    However many they are, it takes the same few statements.
    """
    bills = work.mirror.bills(bill_ids)
    rows = work.mirror.bill_rows(bills)
    matters = work.mirror.matters({matter_id for bill in bills.values() for matter_id in bill.matter_ids})
    clients = {bill.client.id for bill in bills.values() if bill.client is not None}
    fields, reminded = work.clients.fields(clients), work.clients.reminded_by_clio(clients)
    asked = work.clients.read_at(BALANCES) is not None
    holds = holds_on(work, bills.values())
    payments = _open_payments(work)
    under_way = _under_way(rt, payments)
    credit = work.clients.credit()
    for owner, cents in _unallocated(work, payments).items():
        credit[owner] = credit.get(owner, 0) + cents
    reversed_at = work.journal.reversed_at(bills)
    came_back = {row["key"] for row in work.exceptions.listed(kind="payment_reversed", limit=None)}
    disputed = {row["bill_id"]: row["amount_cents"] for row in work.draws.holds(kind=DISPUTE)}
    sent, waiting = work.messages.sent(bills), work.messages.waiting(bills)
    charges, elsewhere = work.gateway.of_bills(bills), paid_elsewhere(work, bills.values())
    in_reach, asked_for = within_reach(rt, work, bills.values()), deposits(rt, work, bills.values())
    bounced = _bounced(work, bills.values())
    retainers = work.retainers.of_bills(bills)
    found = {}
    for bill in bills.values():
        client_id = bill.client.id if bill.client is not None else None
        found[bill.id] = Standing(
            bill=bill,
            matters=tuple(matters[matter_id] for matter_id in bill.matter_ids if matter_id in matters),
            client_fields=fields.get(client_id or 0, {}),
            holds=tuple(Hold(HoldKind(row["kind"]), row["until"]) for row in holds[bill.id]),
            under_way_since=under_way.get(bill.id),
            echeck_since=_echeck_since(rt, charges.get(bill.id, ())),
            elsewhere=elsewhere[bill.id].reason if bill.id in elsewhere else None,
            reversed_=f"bill:{bill.id}" in came_back,
            reversed_on=rt.local_date(reversed_at[bill.id]) if bill.id in reversed_at else None,
            disputed_cents=disputed.get(bill.id, 0),
            trust_cents=in_reach.get(bill.id, 0),
            credit_cents=credit.get(client_id or 0, 0),
            held_address=bounced.get(bill.client.email or "") if bill.client is not None else None,
            clio_reminds=client_id in reminded if asked else None,
            retainer=bill.id in retainers,
            deposit_quiet=asked_for[bill.id].quiet if bill.id in asked_for else None,
            delivered=bill.id in sent or rows[bill.id]["sent_by_clio"],
            delivered_on=_first_day(rt, sent.get(bill.id)) if not rows[bill.id]["sent_by_clio"] else None,
            message_waits=bill.id in waiting,
            written_on=rt.local_date(sent[bill.id][-1]) if bill.id in sent else None,
        )
    return found


def _first_day(rt: Runtime, moments: Sequence[datetime] | None) -> date | None:
    return rt.local_date(moments[0]) if moments else None


def _bounced(work: Work, bills: Iterable[Bill]) -> dict[str, str]:
    """Of the addresses of these bills' clients, as they are now, those to which nothing may go, and why."""
    addresses = {bill.client.email for bill in bills if bill.client is not None and bill.client.email is not None}
    return {address: HELD[state] for address, state in work.bounces.held_among(addresses).items()}


def holds_on(work: Work, bills: Iterable[Bill]) -> Mapping[int, list[Row]]:
    """People's holds on each bill, by its id: its own, those of its matters and of its client."""
    subjects: dict[Subject, dict[int, tuple[int, ...]]] = {subject: {} for subject in Subject}
    for bill in bills:
        subjects[Subject.BILL][bill.id] = (bill.id,)
        subjects[Subject.MATTER][bill.id] = bill.matter_ids
        subjects[Subject.CLIENT][bill.id] = (bill.client.id,) if bill.client is not None else ()
    found: dict[int, list[Row]] = defaultdict(list)
    for subject, of_bills in subjects.items():
        by_id: dict[int, list[Row]] = defaultdict(list)
        for row in work.holds.standing(subject, {ident for ids in of_bills.values() for ident in ids}):
            by_id[row["subject_id"]].append(row)
        for bill_id, ids in of_bills.items():
            found[bill_id] += [row for ident in ids for row in by_id[ident]]
    return found


OpenPayments = Sequence[tuple[Row, set[int]]]


def _open_payments(work: Work) -> OpenPayments:
    """Clio's payments that have not come to an end or to a bill, each with the bills it is or was meant for."""
    rows = work.mirror.payments(work.mirror.payments_under_way())
    links = work.links.by_clio_ids([row["link_id"] for row in rows.values() if row["link_id"] is not None])
    parts = work.links.parts_of(links.values())
    meant = {link_id: parts[link["id"]].keys() for link_id, link in links.items()}
    return [(row, {*row["bill_ids"], *meant.get(row["link_id"], ())}) for row in rows.values()]


def _under_way(rt: Runtime, payments: OpenPayments) -> dict[int, date]:
    """Since when a payment of each bill is on its way, the oldest first."""
    found: dict[int, date] = {}
    for row, bill_ids in payments:
        if row["state"] in UNDER_WAY:
            since = rt.local_date(row["created_at"])
            found |= {bill_id: min(since, found.get(bill_id, since)) for bill_id in bill_ids}
    return found


def _unallocated(work: Work, payments: OpenPayments) -> dict[int, int]:
    """Money that came in and no bill has taken, in cents by client: of the bill it was meant for, or of its matter."""
    found: dict[int, int] = defaultdict(int)
    taken_by_none = [(row, bill_ids) for row, bill_ids in payments if row["state"] not in UNDER_WAY]
    bills = work.mirror.bills({ident for _, bill_ids in taken_by_none for ident in bill_ids})
    matters = work.mirror.matters({ident for row, _ in taken_by_none for ident in row["matter_ids"]})
    for row, bill_ids in taken_by_none:
        clients = {bills[ident].client for ident in bill_ids if ident in bills}
        clients |= {matters[ident].client for ident in row["matter_ids"] if ident in matters}
        for owner in {client.id for client in clients if client is not None}:
            found[owner] += row["amount_cents"]
    return found


def _echeck_since(rt: Runtime, charges: Iterable[Row]) -> date | None:
    """Since when an eCheck made at LawPay settles; Clio says of no payment whether it is one."""
    made = [
        rt.local_date(charge["created_at"])
        for charge in charges
        if charge["method"] == Method.BANK and charge["status"] in ON_ITS_WAY
    ]
    return min(made, default=None)
