"""W8: hourly in the sending window of a business day, fill the due table and give each client one letter at most.

    open bills, page by page ─► due step ─► silent, with every reason
                                        ├─► the client's one letter of the day ─► reminder.send
                                        └─► a task for the attorney

A page is one transaction, and a bill is judged once a day: run twice, killed half-way or started late, it comes to the same.
"""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from orchestrator.domain.bounces import HELD
from orchestrator.domain.reasons import meaning
from orchestrator.domain.reminders import Audience, LetterState, ReminderState, Step
from orchestrator.domain.silence import Quiet
from orchestrator.engine.effects import step
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.jobs import STOPPED, Job
from orchestrator.storage.reminders import told_of
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.flag_to_attorney import flag_to_attorney
from orchestrator.usecases.judge_reminders import Judged, candidates, decide
from orchestrator.usecases.note_bounce import asked_about
from orchestrator.usecases.read_standings import read_standings

DAY_PASSED = "reminder_day_passed"
OVERTAKEN = "reminder_overtaken"
WRITTEN_TODAY = "client_written_today"
OF_ONE_ADDRESS = frozenset({*HELD.values(), "never_delivered"})
"""Reasons that one held address explains for all of a client's bills."""
IN_LOST_PAST = "mail_before_restore"


def plan_reminders(job: Job, rt: Runtime) -> None:
    """Judge every bill that has a step due and was not judged today; nothing at all when the office is closed."""
    now = rt.clock()
    today = rt.local_date(now)
    if not rt.settings.reminders.enabled or not rt.settings.office.is_open(now):
        with step(rt, job, {"open": False}):
            return
    with rt.uow(quietly=True) as work:
        _end_what_is_over(work, today)
    with rt.read() as work:
        anything, _ = candidates(rt, work, today=today, after=0)
    if anything:
        # Whole lists of the account, whatever the number of bills: a reason that has passed must not outlive itself here.
        read_standings(rt, job, [])
    after: int | None = 0
    seen = 0
    while after is not None:
        with rt.uow(quietly=True) as work:
            work.jobs.renew(job, lease_seconds=rt.settings.engine.lease_seconds)
            page, after = candidates(rt, work, today=today, after=after)
            _settle(rt, work, [decide(rt, facts, today=today, planning=True) for facts in page], today)
            seen += len(page)
    with step(rt, job, {"judged": seen}) as work:
        # Last of all: by now every bill of a client is in its letter.
        for letter in work.reminders.letters_on(today, LetterState.PLANNED):
            want_letter(rt, work, letter)


def want_letter(rt: Runtime, work: Work, letter: Row, *, at: datetime | None = None) -> None:
    """Intend this letter, at the end of the present batch (one reading serves them all), or at `at` when it was put off."""
    batch = rt.settings.mail.batch_seconds
    now = work.now.timestamp()
    soon = datetime.fromtimestamp(math.ceil(now / batch) * batch, UTC) if batch else work.now
    again = () if at is None else (at.isoformat(),)
    work.jobs.add(
        "reminder.send", letter["id"], *again, at=at or soon, letter_id=letter["id"], client_id=letter["client_id"]
    )


def _end_what_is_over(work: Work, today: date) -> None:
    """Letters of another day never leave late (F61), and nothing follows a bill that was settled."""
    ended = set(work.reminders.end_days_before(today, reason=DAY_PASSED))
    work.reminders.end_settled_bills()
    for stopped in work.jobs.listed(topic="reminder.send", states=STOPPED, limit=1000) if ended else ():
        letter = stopped["payload"]["letter_id"]
        if (
            letter in ended
            and (job_id := work.jobs.abandon("reminder.send", stopped["key"], reason=DAY_PASSED)) is not None
        ):
            work.exceptions.close_job(job_id)


def _settle(rt: Runtime, work: Work, page: Sequence[Judged], today: date) -> None:
    """Write down what was decided about a page of bills."""
    lost = _lost_until(rt, work)
    waiting = LetterState.HELD if rt.settings.reminders.approve_batches else LetterState.PLANNED
    speaking = [one for one in page if one.step is not None and not one.quiets and not _forgotten(one, lost)]
    clients = {
        one.bill.client.id
        for one in speaking
        if one.step is not None and one.step.is_letter and one.bill.client is not None
    }
    letters = work.reminders.open_letters(clients, today, waiting) if clients else {}
    rows: list[dict[str, Any]] = []
    for one in page:
        rows += [_passed_over(one, skipped, today) for skipped in one.skipped]
        rows += [_row(one, step, ReminderState.SILENT, today, quiets=(why,)) for step, why in one.early]
        if one.step is None or _under_way(one):
            continue
        if _forgotten(one, lost):
            rows.append(_row(one, one.step, ReminderState.SKIPPED, today, quiets=(Quiet(IN_LOST_PAST),)))
        elif one.quiets:
            rows.append(_row(one, one.step, ReminderState.SILENT, today, quiets=one.quiets))
        elif one.step.audience is Audience.ATTORNEY:
            flag_to_attorney(work, one, one.facts.standing.matters[0], today=today)
            rows.append(_row(one, one.step, ReminderState.PLANNED, today))
        else:
            rows.append(_in_letter(one, one.step, letters, today))
        _tell(work, one, one.facts.known.get(one.step.key))
    work.reminders.put(rows)


def _in_letter(one: Judged, step: Step, letters: dict[int, Row], today: date) -> dict[str, Any]:
    assert one.bill.client is not None  # a bill without a client is silent
    letter = letters[one.bill.client.id]
    state = {LetterState.PLANNED: ReminderState.PLANNED, LetterState.HELD: ReminderState.HELD}.get(letter["state"])
    if state is None:
        return _row(one, step, ReminderState.SILENT, today, quiets=(Quiet(WRITTEN_TODAY),))
    return _row(one, step, state, today, letter_id=letter["id"])


def _passed_over(one: Judged, step: Step, today: date) -> dict[str, Any]:
    """An earlier step that is too late for: never judged, it was skipped; silent until now, it keeps its reasons."""
    before = one.facts.known.get(step.key)
    if before is None:
        return _row(one, step, ReminderState.SKIPPED, today, quiets=(Quiet(OVERTAKEN),))
    kept = {name: before[name] for name in ("reason", "reasons", "silent_since")} if before["reason"] else {}
    return _row(one, step, ReminderState.SUPERSEDED, today, quiets=(Quiet(OVERTAKEN),)) | kept


def _row(
    one: Judged, step: Step, state: ReminderState, today: date, *, quiets: Sequence[Quiet] = (), letter_id: int | None = None
) -> dict[str, Any]:  # fmt: skip
    before = one.facts.known.get(step.key)
    return {
        "bill_id": one.bill.id, "step": step.key, "state": state, "due_on": one.on(step), "looked_on": today,
        "letter_id": letter_id, **told_of(quiets, since=before["silent_since"] if before is not None else None, today=today),
    }  # fmt: skip


def _tell(work: Work, judged: Judged, before: Row | None) -> None:
    """Note in the audit what a bill is silent for when that is new, and ask for a person where only one can mend it."""
    bill, quiets = judged.bill, judged.quiets
    reason = quiets[0].reason if quiets else None
    if quiets and (before is None or before["reason"] != reason):
        work.audit.line("reminder.withheld", "bill", bill.id, why=reason)
    loud = {one.reason for one in quiets if one.loud}
    for one in sorted(loud):
        if not work.exceptions.is_open(one, f"bill:{bill.id}") and not (
            one in OF_ONE_ADDRESS and asked_about(work, bill.client)
        ):
            work.exceptions.open(
                one, f"bill:{bill.id}", f"Bill {bill.number} gets no reminder: {meaning(one)}.",
                subject=("bill", bill.id), money_cents=bill.open_cents,
            )  # fmt: skip
    # Of the steps before this one as well: what they asked for may have been mended on the day between.
    told = {one["reason"] for row in judged.facts.known.values() for one in row["reasons"] or () if one["loud"]}
    if gone := told - loud:
        work.exceptions.close_all(gone, f"bill:{bill.id}")


def _under_way(one: Judged) -> bool:
    """Its task was intended already, and what becomes of it decides."""
    row = one.facts.known.get(one.step.key) if one.step is not None else None
    return row is not None and row["state"] == ReminderState.PLANNED and row["letter_id"] is None


def _lost_until(rt: Runtime, work: Work) -> date | None:
    """The last day of a past that this database lost; None when it has its past (F57)."""
    recovered = work.lineage.life().recovered_at
    return None if recovered is None else rt.local_date(recovered)


def _forgotten(one: Judged, lost: date | None) -> bool:
    """Due in the part of the past that was lost: whether it was sent nobody can say, so the next step is the next message."""
    return lost is not None and one.step is not None and one.on(one.step) <= lost
