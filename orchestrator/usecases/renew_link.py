"""A link that lives long enough for what is about to carry it, or another in its place (W12)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.asking import Ask, Silence
from orchestrator.domain.bills import Bill
from orchestrator.domain.links import FOR_REMINDER, Bringer, LinkState, Rail
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import LIVE
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import (
    all_together,
    allot,
    another,
    ask_for_payment,
    want_link,
    want_together,
    what_to_ask,
)


@dataclass(frozen=True, slots=True)
class Fresh:
    """`link` works now; `pending` when another is on its way; `why` is the reason's code when there is none, or none fresher."""

    link: Row | None = None
    pending: bool = False
    why: str | None = None


def link_until(rt: Runtime, work: Work, bill: Bill, *, until: datetime) -> Fresh:
    """The bill's live link if it lives until then; else another is wanted in its place, or `why` says what stands against it.

    A link that works is not given up before there is room for the next, nor in the first half of its life.
    """
    ask = what_to_ask(rt, work, bill)
    link = work.links.alive([bill.id]).get(bill.id)
    if isinstance(ask, Silence):
        return Fresh(why=ask.reason)
    if link is None:
        return _made_anew(rt, work, bill, ask)
    if work.links.parts(link).get(bill.id) != ask.amount_cents:
        ask_for_payment(rt, work, [bill.id])
        return Fresh(pending=True, why="bill_changed")
    if link["state"] != LinkState.LIVE:
        return Fresh(pending=True, why="link_quota" if link["state"] == LinkState.WAITING else None)
    return _lived_out(rt, work, link, until)


def _lived_out(rt: Runtime, work: Work, link: Row, until: datetime) -> Fresh:
    expiry = work.jobs.find("link.expire", link["id"])
    if expiry is not None and expiry["state"] in LIVE:
        return Fresh(pending=True, why=link["reason"])
    if expiry is not None:
        return Fresh(link, why="link_expiry_stopped")
    if _lives(rt, work, link, until):
        return Fresh(link)
    if not renew(work, link, reason=FOR_REMINDER):
        return Fresh(link, why="link_quota")
    return Fresh(pending=True, why=FOR_REMINDER)


def renew(work: Work, link: Row, *, reason: str) -> bool:
    """End a live link so that another takes its place; False when there is no room for that one, and nothing was done."""
    budget = work.links.lock_budget()
    if budget is None or budget.room(work.now) <= work.links.spoken_for():
        return False
    work.links.note(link["id"], reason=reason)
    work.jobs.add("link.expire", link["id"], link_id=link["id"], bill_id=link["bill_id"], reason=reason)
    work.audit.line("link.renewal", "link", link["id"], bill_id=link["bill_id"], why=reason)
    return True


def _lives(rt: Runtime, work: Work, link: Row, until: datetime) -> bool:
    """A page's address has no end; of a link at Clio, what is left of its life decides."""
    if link["rail"] == Rail.LAWPAY_PAGE or link["expires_at"] is None:
        return True
    half = timedelta(days=rt.settings.links.days) / 2
    # A step so far away that no new link would live to see it must not cost one a day.
    return bool(link["expires_at"] >= min(until, work.now + half))


def _made_anew(rt: Runtime, work: Work, bill: Bill, ask: Ask) -> Fresh:
    last = work.links.last_of(bill.id)
    if last is not None and not _ran_out(work, last) and not _may_follow(work, last, bill, ask):
        return Fresh(why=_end_of(last))
    one = all_together(rt, work, bill)
    if one is not None and not work.links.alive(one.parts):
        want_together(work, one, brought_by=Bringer.REMINDER)
    else:
        want_link(work, bill, ask, brought_by=Bringer.REMINDER)
    allot(work)
    link = work.links.alive([bill.id]).get(bill.id)
    waits = link is not None and link["state"] == LinkState.WAITING
    return Fresh(pending=True, why="link_quota" if waits else None)


def _may_follow(work: Work, last: Row, bill: Bill, ask: Ask) -> bool:
    """What ended in a time that a restored database forgot is for a person to judge (F57)."""
    return last["reason"] != "link_ended_unseen" and another(work, last, bill.id, ask.amount_cents)


def _ran_out(work: Work, last: Row) -> bool:
    """Nobody ended it: its time was over, and the sequence may ask again (W12)."""
    over = last["expires_at"] is not None and last["expires_at"] <= work.now
    return last["state"] == LinkState.EXPIRED and (last["reason"] == "time" or (last["reason"] is None and over))


def _end_of(last: Row) -> str:
    match LinkState(last["state"]):
        case LinkState.REFUSED:
            return "link_refused"
        case LinkState.EXPIRED:
            # At Clio somebody may expire a link without a word; what a person ended no sequence begins again.
            return last["reason"] or "link_expired_by_hand"
        case _:
            return "link_over"
