"""W5: an issued bill → at most one link for what is open, on the rail of its matter, within Clio's quotas."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from orchestrator.domain.asking import Ask, Silence, Together, decide, together
from orchestrator.domain.bills import Bill
from orchestrator.domain.gateway import CAME_TO_NOTHING
from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import FOR_REMINDER, Bringer, LinkState, Rail
from orchestrator.domain.matters import MatterStatus
from orchestrator.domain.payments import FELL_THROUGH
from orchestrator.domain.reasons import meaning
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.jobs import Job
from orchestrator.storage.mirror import to_bill
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.choose_rail import note_recorded, page_for, paid_elsewhere
from orchestrator.usecases.plan_draws import plan_draws
from orchestrator.usecases.take_deposits import deposits

LOUD = (
    "currency_mismatch",
    "client_missing",
    "client_email_blank",
    "client_email_invalid",
    "client_redacted",
    "no_link_account",
    "no_page_account",
    "link_ended_unseen",
)

NOTHING: Mapping[int, int] = {0: 0}
"""What no link collects, not even one of which nobody knows what it was for."""

A_REMINDER_WAITS = timedelta(days=1)
"""No longer than its day's sending window: a link made after that would be in nobody's hands."""


def ask_for_payment(rt: Runtime, work: Work, bill_ids: Collection[int]) -> None:
    """For each of these mirrored bills, bring its one link in line with what should be asked now, and say why not."""
    rows = work.mirror.bill_rows(_with_siblings(rt, work, bill_ids))
    bills = {bill_id: to_bill(row) for bill_id, row in rows.items()}
    alive = work.links.alive(bills) | _adrift(work, bills.values())
    plan_draws(rt, work, bills.values())
    note_recorded(work, bills)
    decided = _decided(rt, work, bills.values())
    shared = _shared(rt, work, bills, decided, alive)
    for link in {link["id"]: link for link in alive.values()}.values():
        if work.links.parts(link) == _wanted(decided, shared, link):
            continue
        whose = next(bill_id for bill_id, one in alive.items() if one["id"] == link["id"])
        # Where the last one takes its time to end, another takes its place once it has.
        if _let_go(work, link, decided[whose]):
            alive = {bill_id: one for bill_id, one in alive.items() if one["id"] != link["id"]}
    told = work.exceptions.keys_standing(LOUD, [f"bill:{bill_id}" for bill_id in bills])
    for bill in bills.values():
        decision = decided[bill.id]
        if bill.id not in alive and isinstance(decision, Ask):
            decision = _want(work, bill, decision, shared.get(bill.id), alive)
        _speak(work, bill, decision, before=rows[bill.id]["silence"], told=f"bill:{bill.id}" in told)
    allot(work)


def _with_siblings(rt: Runtime, work: Work, bill_ids: Collection[int]) -> set[int]:
    """Where several bills may share a link, those of a client are decided about together."""
    if rt.settings.links.several == "bill":
        return set(bill_ids)
    clients = {bill.client.id for bill in work.mirror.bills(bill_ids).values() if bill.client is not None}
    return {*bill_ids, *work.mirror.open_bill_ids_of_clients(clients)}


def what_to_ask(rt: Runtime, work: Work, bill: Bill) -> Ask | Silence:
    """`domain.asking.decide` with everything it needs from our database."""
    return _decided(rt, work, [bill])[bill.id]


def _decided(rt: Runtime, work: Work, bills: Collection[Bill]) -> dict[int, Ask | Silence]:
    """The same for many bills: what they have in common is read once."""
    accounts, elsewhere = work.mirror.accounts(), paid_elsewhere(work, bills)
    draws, into = work.draws.open_of([bill.id for bill in bills]), deposits(rt, work, bills)
    went_back = work.exceptions.keys_standing(["payment_reversed"], [f"bill:{bill.id}" for bill in bills])

    def one(bill: Bill) -> Ask | Silence:
        if (held := _held_by_settings(rt, work, bill)) is not None:
            return held
        try:
            page = page_for(rt, work, bill)
            if isinstance(page, Silence):
                return page
            return decide(
                bill,
                accounts=accounts,
                currency=rt.currency,
                account_id=rt.settings.links.account_id,
                reversed_=f"bill:{bill.id}" in went_back,
                elsewhere=elsewhere.get(bill.id),
                page=page,
                promised_cents=draws[bill.id]["amount_cents"] if bill.id in draws else 0,
                deposit=into.get(bill.id),
            )
        except Rejected as refusal:
            return Silence(refusal.reason, loud=True)

    return {bill.id: one(bill) for bill in bills}


def _held_by_settings(rt: Runtime, work: Work, bill: Bill) -> Silence | None:
    start = rt.settings.links.issued_from
    if start is not None and (bill.issued_on is None or bill.issued_on < start):
        return Silence("issued_before_start")
    if rt.settings.links.hold_closed and any(
        matter.status is MatterStatus.CLOSED for matter in work.mirror.matters(bill.matter_ids).values()
    ):
        return Silence("closed_matter_held")
    return None


def allot(work: Work) -> None:
    """Give waiting links their share of both quotas, in `waiting`'s order; tell a person once a day when some must wait."""
    if not work.links.any_waiting():
        _quota_over(work)
        return
    budget = work.links.lock_budget()
    if budget is None:
        # Unknown quota means no links (default deny); reading the account comes first, and allots again.
        work.jobs.add("account.read", "first")
        return
    if None in (work.dirty.watermark(Kind.BILL), work.dirty.watermark(Kind.LINK)):
        # Until the first look is over, higher balances may be among the bills not read yet; its end allots again.
        return
    # Read under the lock: who held it before us may have reserved some of them.
    for link in work.links.waiting(most=budget.room(work.now)):
        work.links.move(link, LinkState.RESERVED, reserved_at=work.now)
        work.jobs.add("link.create", link["id"], work.now.isoformat(), **about(work, link))
    left, cents = work.links.left_waiting()
    if left:
        later = max(filter(None, (budget.frees_at, budget.shut_until, work.now + timedelta(minutes=5))))
        again = later.replace(second=0, microsecond=0) + timedelta(minutes=1)
        work.jobs.add("links.allot", again.isoformat(), at=again)
        work.exceptions.open(
            "link_quota", "account", f"{left} links wait: {meaning('link_quota')}.", money_cents=cents
        )  # fmt: skip
    else:
        _quota_over(work)


def bills_of(work: Work, link: Row) -> Collection[int]:
    """What a link asks for: its bills, or whatever the client owes where nobody knows what it was for (F57)."""
    return work.links.parts(link) or work.mirror.open_bill_ids_of_clients([link["client_id"]])


def _adrift(work: Work, bills: Collection[Bill]) -> dict[int, Row]:
    """Links of these clients of which a restored database does not know what they were for, under each of their bills."""
    clients = {bill.client.id for bill in bills if bill.client is not None}
    found = {row["client_id"]: row for row in work.links.adrift(clients)} if clients else {}
    return {bill.id: found[bill.client.id] for bill in bills if bill.client is not None and bill.client.id in found}


def about(work: Work, link: Row) -> dict[str, Any]:
    """What the job of a link says of it; `bill_ids` where it is for several."""
    said = {"link_id": link["id"], "bill_id": link["bill_id"]}
    return said if link["client_id"] is None else said | {"bill_ids": sorted(work.links.parts(link))}


def _quota_over(work: Work) -> None:
    """Nobody waits any more; after a refusal that counts only once a link was made again, or a person is told every hour."""
    if not work.exceptions.is_open("link_quota", "account"):
        return
    budget = work.links.budget()
    refused = budget is not None and budget.shut_until is not None
    if not (refused and LinkState.RESERVED in work.links.counts()):
        work.exceptions.close("link_quota", "account")


def allot_links(job: Job, rt: Runtime) -> None:
    """Close our rows of links whose time is over, then share out what room there is (W12)."""
    with step(rt, job) as work:
        over = work.links.overdue()
        for link in over:
            work.links.move(link, LinkState.EXPIRED, reason="time")
            work.audit.line("link.expired", "link", link["id"], why="time")
        ask_for_payment(rt, work, [bill_id for link in over for bill_id in bills_of(work, link)])


def _shared(
    rt: Runtime, work: Work, bills: Mapping[int, Bill], decided: Mapping[int, Ask | Silence], alive: Collection[int]
) -> dict[int, Together]:
    """The one link that several bills should share, under each of them; a bill that should get none again keeps its own way."""
    if rt.settings.links.several == "bill":
        return {}
    clients: dict[int, list[Bill]] = defaultdict(list)
    for bill in bills.values():
        if bill.client is not None:
            clients[bill.client.id].append(bill)
    found: dict[int, Together] = {}
    for theirs in clients.values():
        one = together(theirs, decided)
        if one is not None and not any(
            _barred(work, bill_id, cents) for bill_id, cents in one.parts.items() if bill_id not in alive
        ):
            found |= dict.fromkeys(one.parts, one)
    return found


def _wanted(decided: Mapping[int, Ask | Silence], shared: Mapping[int, Together], link: Row) -> Mapping[int, int]:
    """What a link of its kind would have to collect now, in cents by bill; no cents of its bill if there should be none."""
    one = shared.get(link["bill_id"])
    if one is not None:
        return one.parts if link["client_id"] is not None else NOTHING
    decision = decided.get(link["bill_id"])
    single = isinstance(decision, Ask) and link["client_id"] is None
    return {link["bill_id"]: decision.amount_cents} if single and isinstance(decision, Ask) else NOTHING


def all_together(rt: Runtime, work: Work, bill: Bill) -> Together | None:
    """The one link for all that this bill's client owes, where the firm wants such links and nothing stands against it."""
    if rt.settings.links.several == "bill":
        return None
    bills = work.mirror.bills(_with_siblings(rt, work, [bill.id])).values()
    return together(bills, _decided(rt, work, bills))


def still_asked(rt: Runtime, work: Work, link: Row) -> Ask | Silence:
    """What to ask for with this link, if that is what it was made for; else why not, `link_replaced` for another amount."""
    bill = work.mirror.bills([link["bill_id"]]).get(link["bill_id"])
    if bill is None:
        return Silence("bill_gone")
    if link["client_id"] is not None:
        one = all_together(rt, work, bill)
        return one.ask if one is not None and one.parts == work.links.parts(link) else Silence("link_replaced")
    decision = what_to_ask(rt, work, bill)
    if isinstance(decision, Ask) and decision.amount_cents != link["amount_cents"]:
        return Silence("link_replaced")
    return decision


def _want(work: Work, bill: Bill, ask: Ask, one: Together | None, alive: Collection[int]) -> Ask | Silence:
    if one is not None:
        if bill.id == one.lead and not any(part in alive for part in one.parts):
            want_together(work, one, brought_by=_bringer(work, work.links.last_of(bill.id)))
        return ask
    if (barred := _barred(work, bill.id, ask.amount_cents)) is not None:
        return barred
    want_link(work, bill, ask, brought_by=_bringer(work, work.links.last_of(bill.id)))
    return ask


def _barred(work: Work, bill_id: int, cents: int) -> Silence | None:
    """Why this much of a bill, whose last link is over, is not asked for again by itself."""
    last = work.links.last_of(bill_id)
    if last is None:
        return None
    if not another(work, last, bill_id, cents):
        return Silence("link_over")
    if last["reason"] == "link_ended_unseen" and work.links.parts(last).get(bill_id) == cents:
        # We expired it for a reason that has passed, or a person did on purpose: only a person knows (F57).
        return Silence("link_ended_unseen", loud=True)
    return None


def _bringer(work: Work, last: Row | None) -> Bringer:
    """A reminder brings the link that was made for it, while it waits for it; every other link gets a message of its own."""
    made_way = last is not None and last["state"] == LinkState.EXPIRED and last["reason"] == FOR_REMINDER
    if made_way and last is not None and work.now - last["updated_at"] < A_REMINDER_WAITS:
        return Bringer.REMINDER
    return Bringer.MESSAGE


def want_link(work: Work, bill: Bill, ask: Ask, *, brought_by: Bringer) -> None:
    """One more link for a bill that has none alive; `allot` gives it its share, a page needs none."""
    work.links.want(
        bill_id=bill.id, rail=ask.rail, amount_cents=ask.amount_cents, currency=ask.currency, account_id=ask.account_id,
        account=ask.account, brought_by=brought_by,
    )  # fmt: skip
    work.audit.line("link.wanted", "bill", bill.id, cents=ask.amount_cents)
    if ask.rail is Rail.LAWPAY_PAGE:
        link = work.links.alive([bill.id])[bill.id]
        work.jobs.add("page.open", link["id"], link_id=link["id"], bill_id=bill.id)


def want_together(work: Work, one: Together, *, brought_by: Bringer) -> None:
    """One link for all that a client owes, none of whose bills has one alive."""
    ask = one.ask
    work.links.want(
        bill_id=one.lead, rail=ask.rail, amount_cents=ask.amount_cents, currency=ask.currency, account_id=ask.account_id,
        brought_by=brought_by, client_id=one.client_id, parts=one.parts,
    )  # fmt: skip
    work.audit.line("link.wanted", "bill", one.lead, cents=ask.amount_cents, bills=list(one.parts))


def another(work: Work, last: Row, bill_id: int, cents: int) -> bool:
    """Whether a bill that had a link gets another by itself: when the amount changed, when we let the last one go for a
    reason that has passed, or when the payment made with it fell through or went back.

    A link that ran out, or that a person expired, is not silently remade: the reminder sequence decides about those.
    """
    if work.links.parts(last).get(bill_id) != cents or last["state"] == LinkState.WITHDRAWN:
        return True
    if last["state"] == LinkState.EXPIRED:
        return last["reason"] not in (None, "time", "link_expired_by_hand")
    if last["rail"] == Rail.LAWPAY_PAGE:
        paid = work.gateway.of_link(last["id"])
        return bool(paid) and all(
            charge["status"] in CAME_TO_NOTHING or (charge["completed_at"] and charge["standing_cents"] == 0)
            for charge in paid
        )
    if last["state"] != LinkState.USED or last["clio_id"] is None:
        return False
    made = work.mirror.payments_of_links([last["clio_id"]])
    return bool(made) and all(
        payment["state"] in FELL_THROUGH or (payment["booked_cents"] == 0 and work.journal.events_of(payment["id"]) > 0)
        for payment in made
    )


def _let_go(work: Work, link: Row, decision: Ask | Silence) -> bool:
    """The link no longer fits its bill; True when it is over now. One being made right now is judged again when it exists."""
    reason = "link_replaced" if isinstance(decision, Ask) else decision.reason
    match LinkState(link["state"]):
        case LinkState.WAITING:
            work.links.move(link, LinkState.WITHDRAWN, reason=reason)
            return True
        case LinkState.LIVE if link["rail"] == Rail.LAWPAY_PAGE:
            close_page(work, link, reason=reason)
            return True
        case LinkState.LIVE:
            # Kept with the link as well: whoever sees it end first, we know that it was our doing.
            work.links.note(link["id"], reason=reason)
            work.jobs.add("link.expire", link["id"], link_id=link["id"], bill_id=link["bill_id"], reason=reason)
        case _:
            pass
    return False


def close_page(work: Work, link: Row, *, reason: str) -> None:
    """Nobody can expire a page's address: it is over in our books, and what is paid on it from now on is a person's."""
    work.links.move(link, LinkState.EXPIRED, reason=reason)
    work.audit.line("link.expired", "link", link["id"], why=reason)


def _speak(work: Work, bill: Bill, decision: Ask | Silence, *, before: str | None, told: bool) -> None:
    """Remember why a bill gets no link, and ask for a person or stop asking; `told` says that one is asked for by now."""
    silence = decision if isinstance(decision, Silence) else None
    reason = silence.reason if silence is not None else None
    if reason != before and work.mirror.silence(bill.id, reason) and reason is not None:
        work.audit.line("link.withheld", "bill", bill.id, why=reason)
    loud = silence.reason if silence is not None and silence.loud else None
    if loud in LOUD:
        work.exceptions.open(
            loud, f"bill:{bill.id}", f"Bill {bill.number} gets no payment link: {meaning(loud)}.",
            subject=("bill", bill.id), money_cents=bill.open_cents,
        )  # fmt: skip
    if told:
        work.exceptions.close_all(set(LOUD) - {loud}, f"bill:{bill.id}")
