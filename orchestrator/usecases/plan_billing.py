"""W3: hourly, decide for every matter with work whether a bill should be asked for, and keep the reason."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.domain.billing import Decision, Rules, Verdict, decide
from orchestrator.domain.billing import Work as Approved
from orchestrator.domain.bills import UNISSUED
from orchestrator.domain.ids import effect_key
from orchestrator.domain.kinds import Kind
from orchestrator.domain.matters import Matter
from orchestrator.domain.reasons import meaning
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.approvals import ApprovedEntry
from orchestrator.storage.jobs import Job
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.create_task import ask_for_bill
from orchestrator.usecases.lost_past import lost_days
from orchestrator.usecases.sync import read_twice
from orchestrator.usecases.sync_activities import Activities
from orchestrator.usecases.sync_bills import Bills
from orchestrator.usecases.sync_matters import Matters

DATA_PROBLEMS = (
    "values_redacted",
    "client_missing",
    "client_email_blank",
    "client_email_invalid",
    "client_redacted",
    "zero_amount",
)
"""Filters that hold money back until somebody corrects the data: a person is told."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A matter with what was decided about it."""

    matter: Matter
    entries: Sequence[ApprovedEntry]
    decision: Decision

    @property
    def cents(self) -> int:
        return sum(entry.total_cents for entry in self.entries)


def plan_billing(job: Job, rt: Runtime) -> None:
    """Decide; re-read first what holds matters back, and of what is to be asked the entries and the open drafts; then ask."""
    with rt.read() as work:
        decided = _decide(rt, work)
    if held := {one.matter.id for one in decided if one.decision.reason in DATA_PROBLEMS}:
        _reread_held(rt, job, held)
        with rt.read() as work:
            decided = _decide(rt, work)
    asking = [one for one in decided if one.decision.verdict is Verdict.ASK]
    if asking:
        _reread(rt, job, asking)
    with step(rt, job, {"asking": len(asking)}) as work:
        drafts = work.billing.drafts_by_matter()
        before = {row["matter_id"]: row["reason"] for row in work.billing.decisions()}
        for candidate in _decide(rt, work):
            verdict, reason = candidate.decision.verdict, candidate.decision.reason
            if verdict is Verdict.ASK:
                verdict, reason = _ask(rt, work, candidate, drafts)
            work.billing.decided(candidate.matter.id, verdict=verdict, reason=reason, amount_cents=candidate.cents)
            if verdict is not Verdict.ASK and before.get(candidate.matter.id) != reason:
                work.audit.line("billing.withheld", "matter", candidate.matter.id, why=reason, cents=candidate.cents)
            _tell(work, candidate, reason)


def _decide(rt: Runtime, work: Work) -> list[Candidate]:
    approved: dict[int, list[ApprovedEntry]] = defaultdict(list)
    for entry in work.approvals.approved_unbilled():
        approved[entry.matter_id].append(entry)
    redacted = {row["matter_id"] for row in work.approvals.redacted()}
    # One that was held back for its data is decided about once more when its work is gone: nobody is wanted for it then.
    held = {row["matter_id"] for row in work.billing.decisions() if row["reason"] in DATA_PROBLEMS}
    matters = work.mirror.matters(approved.keys() | redacted | held)
    drafts = work.billing.drafts_by_matter()
    asked, ends = work.billing.asked_matters(), work.billing.last_period_ends()
    rules = Rules(
        threshold_cents=rt.settings.billing.threshold_cents,
        calendar_day=rt.settings.billing.calendar_day,
        flat_fee_date_field=rt.settings.billing.flat_fee_date_field,
        flat_fee_stages=rt.settings.billing.flat_fee_stages,
    )
    today = rt.local_date(work.now)
    found = []
    for matter in matters.values():
        entries = approved.get(matter.id, [])
        summed = (
            Approved(sum(entry.total_cents for entry in entries), min(entry.worked_on for entry in entries))
            if entries
            else None
        )
        decision = decide(
            matter, summed, rules=rules, today=today, redacted=matter.id in redacted, asked=matter.id in asked,
            drafted=matter.id in drafts, last_end=ends.get(matter.id),
        )  # fmt: skip
        found.append(Candidate(matter, entries, decision))
    return found


def _reread_held(rt: Runtime, job: Job, matter_ids: Collection[int]) -> None:
    """What holds these back, as it is now: that our user may see more, or a client has an address, changes no matter."""
    practice = rt.practice(Urgency(job.urgency))
    with rt.read() as work:
        hidden = sorted(row["id"] for row in work.approvals.redacted() if row["matter_id"] in matter_ids)
    matters = practice.matters.by_ids(sorted(matter_ids))
    entries = practice.activities.by_ids(hidden) if hidden else ()
    with rt.uow() as work:
        Matters().apply(rt, work, matters)
        Activities().apply(rt, work, entries)


def _reread(rt: Runtime, job: Job, asking: Sequence[Candidate]) -> None:
    """The entries that would be billed, and every draft in the account, as they are now: two list reads and a batch."""
    practice = rt.practice(Urgency(job.urgency))
    read_at = rt.clock()
    wanted = {entry.entry_id for candidate in asking for entry in candidate.entries}
    activities, bills = Activities(), Bills()
    entries, gone = read_twice(activities, practice, wanted)
    drafts = bills.complete(
        rt, practice, [bill for state in sorted(UNISSUED) for bill in practice.bills_in_state(state)]
    )
    with rt.uow() as work:
        activities.apply(rt, work, entries)
        # No list shows what was deleted: were its webhook lost, this reading is the only one to tell.
        activities.gone(rt, work, gone)
        bills.apply(rt, work, drafts)
        # A draft that the list no longer shows was issued or deleted meanwhile: it is read before anyone relies on it.
        shown = {bill.id for bill in drafts.bills}
        known = {
            row["id"] for rows in work.billing.drafts_by_matter().values() for row in rows if row["read_at"] < read_at
        }
        work.dirty.mark(Kind.BILL, known - shown)


def _ask(rt: Runtime, work: Work, candidate: Candidate, drafts: Mapping[int, Sequence[Row]]) -> tuple[Verdict, str]:
    matter, kind = candidate.matter, candidate.decision.kind
    today = rt.local_date(work.now)
    start = min(entry.worked_on for entry in candidate.entries)
    key, *other_keys = (
        effect_key("billing-request", matter.id, start, day, kind) for day in (today, *lost_days(rt, work))
    )
    request: dict[str, Any] = {
        "matter_id": matter.id, "kind": kind, "period_start": start, "period_end": today, "key": key,
        "amount_cents": candidate.cents, "currency": matter.currency or rt.currency,
        "entry_ids": [entry.entry_id for entry in candidate.entries],
    }  # fmt: skip
    open_ = drafts.get(matter.id, ())
    if open_:
        return _adopt(work, request, open_[0])
    request_id = work.billing.ask(state="asked", **request)
    if request_id is None:
        work.audit.line("request.duplicate", "matter", matter.id, period_end=today.isoformat(), kind=kind)
        return Verdict.WAIT, "period_asked"
    work.audit.line(
        "request.made", "request", request_id, matter_id=matter.id, cents=candidate.cents, why=candidate.decision.reason
    )
    ask_for_bill(
        work, request, request_id=request_id, matter=matter, why=candidate.decision.reason, other_keys=other_keys
    )
    return Verdict.ASK, candidate.decision.reason


def _adopt(work: Work, request: Mapping[str, Any], draft: Row) -> tuple[Verdict, str]:
    """The article's double-billing question: an open bill of the matter is adopted, the attempt logged, a person told."""
    if draft["request_id"] is None:
        request_id = work.billing.ask(state="billed", bill_id=draft["id"], **request)
        if request_id is not None:
            work.mirror.bill_answers(draft["id"], request_id)
    work.audit.line("request.duplicate", "bill", draft["id"], matter_id=request["matter_id"])
    work.exceptions.open(
        "duplicate_bill_request", f"bill:{draft['id']}",
        f"Bill {draft['number']} of matter {request['matter_id']} is still {draft['state']}; no second bill was asked for.",
        subject=("bill", draft["id"]), money_cents=request["amount_cents"],
    )  # fmt: skip
    return Verdict.WAIT, "draft_open"


def _tell(work: Work, candidate: Candidate, reason: str) -> None:
    key = f"matter:{candidate.matter.id}"
    if reason in DATA_PROBLEMS:
        work.exceptions.open(
            reason, key, f"Matter {candidate.matter.display_number} is not billed: {meaning(reason)}.",
            subject=("matter", candidate.matter.id), money_cents=candidate.cents,
        )  # fmt: skip
    work.exceptions.close_all(set(DATA_PROBLEMS) - {reason}, key)
