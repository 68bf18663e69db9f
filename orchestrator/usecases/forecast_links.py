"""W12: what the next thirty days will ask of both quotas of links, and a person told while there is time to do something."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from orchestrator.domain.billing import next_billing_day
from orchestrator.domain.bills import Bill
from orchestrator.domain.links import Rail
from orchestrator.domain.quota import AHEAD, Outlook, Quota, Use, outlook
from orchestrator.domain.reminders import Sequence as Steps
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.mirror import to_bill
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.choose_rail import rail_of
from orchestrator.usecases.judge_reminders import sequences_of

PAGE = 200


@dataclass(frozen=True, slots=True)
class Demand:
    """When links will be wanted: by those that wait and bills that are about to be issued, and by reminders."""

    bills: Sequence[datetime]
    reminders: Sequence[datetime]


def foreseen(rt: Runtime, work: Work, use: Use) -> tuple[Demand, Outlook]:
    """What will be wanted, and how both quotas fare with it."""
    demand = Demand(list(_by_bills(rt, work)), list(_by_reminders(rt, work)))
    life = timedelta(days=rt.settings.links.days)
    return demand, outlook(use, [*demand.bills, *demand.reminders], life=life, now=work.now)


def warning(rt: Runtime, use: Use, found: Outlook) -> str:
    """By when which quota is nearly used up, and what a firm can do about it."""
    assert found.tight_at is not None
    most = found.most_active if found.tight is Quota.ACTIVE else found.most_created
    what = "links active at once" if found.tight is Quota.ACTIVE else "links made within 24 hours"
    advice = "add users in Clio (50 links each)"
    if rt.settings.links.several == "bill":
        advice += ', or let one link serve all bills of a client ([links] several = "contact")'
    wait = f" From {rt.local_date(found.short_at):%Y-%m-%d} on, links will have to wait." if found.short_at else ""
    return (
        f"From {rt.local_date(found.tight_at):%Y-%m-%d} on, 80 % or more of Clio's {use.limit} {what} will be used, "
        f"up to {most} within 30 days.{wait} To make room: {advice}."
    )


def _by_bills(rt: Runtime, work: Work) -> Iterator[datetime]:
    """Links that wait already and bills that are being made count from now on, other work from the next billing day."""
    waiting, _ = work.links.left_waiting()
    yield from [work.now] * waiting
    if not _clio_collects(rt):
        return
    yield from [work.now] * work.billing.expected()
    day = next_billing_day(rt.local_date(work.now), rt.settings.billing.calendar_day)
    moment = _at_work(rt, day)
    if moment <= work.now + AHEAD:
        yield from [moment] * len(work.billing.decided_on("below_threshold") & work.approvals.matters_with_work())


def _clio_collects(rt: Runtime) -> bool:
    return Rail.CLIO_PAYMENTS in {rt.settings.links.rail, *(rule.rail for rule in rt.settings.links.rules)}


def _by_reminders(rt: Runtime, work: Work) -> Iterator[datetime]:
    """For each open bill, the letters of the next days that will find no link which lives until the one after."""
    if not rt.settings.reminders.enabled:
        return
    after = 0
    shared: set[int] = set()
    while page := work.mirror.open_bills_after(after, PAGE):
        after = page[-1]["id"]
        bills = [bill for bill in map(to_bill, page) if rail_of(rt, work, bill) is Rail.CLIO_PAYMENTS]
        alive, sequences = work.links.alive([bill.id for bill in bills]), sequences_of(rt, work, bills)
        for bill in bills:
            link = alive.get(bill.id)
            if link is not None and link["id"] in shared:
                continue
            wanted = _renewal(rt, work, bill, link, sequences[bill.id])
            if wanted is not None:
                yield wanted
            if wanted is not None and link is not None and link["client_id"] is not None:
                shared.add(link["id"])


def _renewal(rt: Runtime, work: Work, bill: Bill, link: Row | None, sequence: Steps) -> datetime | None:
    """When a letter first finds no link that lives until the next; one made then outlives the other letters of these days."""
    if link is not None and link["expires_at"] is None:
        return None  # it is being made, or waits and is counted as such
    today = rt.local_date(work.now)
    for step in sequence.steps:
        on = sequence.on(step, bill)
        if not step.is_letter or on is None or not today <= on <= today + AHEAD:
            continue
        until = sequence.next_on(step, bill) or on
        if link is None or rt.local_date(link["expires_at"]) <= until:
            return max(work.now, _at_work(rt, on))
    return None


def _at_work(rt: Runtime, day: date) -> datetime:
    return datetime.combine(day, time(12), rt.settings.firm.zone)


def told(demand: Demand, found: Outlook) -> dict[str, Any]:
    """The forecast as `links budget` shows it."""
    return {
        "days": AHEAD.days, "wanted_by_bills": len(demand.bills), "wanted_by_reminders": len(demand.reminders),
        "most_active": found.most_active, "most_created": found.most_created, "tight_quota": found.tight,
        "tight_at": found.tight_at, "short_at": found.short_at,
    }  # fmt: skip
