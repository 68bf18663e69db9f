"""W8: what will go out on a day, to whom, and what will not and why. The planner's own judgement, and nothing is written."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from orchestrator.domain.reasons import meaning
from orchestrator.domain.reminders import Audience, LetterState, ReminderState, Step
from orchestrator.domain.silence import Quiet
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.judge_reminders import Facts, Judged, candidates, count_candidates, decide
from orchestrator.usecases.plan_reminders import WRITTEN_TODAY

FARTHEST = timedelta(days=366)
_AWAY = (LetterState.SENT, LetterState.UNKNOWN, LetterState.WITHDRAWN)
"""Of a letter in one of these states no more is to come on its day."""

Seen = Callable[[int, int], None]
"""Called with how many bills were judged, of how many."""


def preview_reminders(rt: Runtime, on: date, *, seen: Seen = lambda _done, _of: None) -> dict[str, Any]:
    """Everything that happens on this day if nothing changes before it; `Rejected` for a day gone by or far away."""
    with rt.read() as work:
        today = rt.local_date(work.now)
        if not today <= on <= today + FARTHEST:
            raise Rejected(f"{on} is not a day that can be previewed: choose one from {today} to {today + FARTHEST}.")
        days = list(_days(rt, work, today, on))
        written = {row["client_id"] for row in work.reminders.letters_on(on, *_AWAY)}
        judged = list(_judged(rt, work, on, days, seen)) if days and days[-1] == on else []
    closed = _why_nothing(rt, on, days)
    letters: dict[int, list[Judged]] = defaultdict(list)
    tasks, silent = [], []
    for one in judged:
        # Of a bill that never arrived the step that is judged says it all.
        for step, why in one.early if one.facts.standing.delivered else ():
            silent.append(_bill(one, on) | _named(step) | {"reasons": [_reason(why)]})
        if one.step is None:
            continue
        client = one.bill.client
        if one.quiets:
            silent.append(_bill(one, on) | {"reasons": [_reason(quiet) for quiet in one.quiets]})
        elif one.step.audience is Audience.ATTORNEY:
            tasks.append(_bill(one, on) | {"attorney_id": one.facts.standing.matters[0].responsible_attorney_id})
        elif client is not None and client.id in written:
            silent.append(_bill(one, on) | {"reasons": [_reason(Quiet(WRITTEN_TODAY))]})
        elif client is not None:
            letters[client.id].append(one)
    return {
        "on": on,
        "closed": closed,
        "approve": rt.settings.reminders.approve_batches,
        "letters": [_letter(client_id, ones, on) for client_id, ones in sorted(letters.items())],
        "tasks": tasks,
        "silent": silent,
        "skipped": [_bill(one, on) | {"step": step.key} for one in judged for step in one.skipped],
    }


def _days(rt: Runtime, work: Work, today: date, on: date) -> Iterator[date]:
    """The business days from now on up to this one: what goes out before it is done by then."""
    office = rt.settings.office
    first = today if work.now < office.window(today)[1] else today + timedelta(days=1)
    for number in range((on - first).days + 1):
        day = first + timedelta(days=number)
        if office.why_closed(day) is None:
            yield day


def _why_nothing(rt: Runtime, on: date, days: Sequence[date]) -> str | None:
    if not rt.settings.reminders.enabled:
        return meaning("reminders_off")
    if days and days[-1] == on:
        return None
    return rt.settings.office.why_closed(on) or "its sending window is over"


def _judged(rt: Runtime, work: Work, on: date, days: Sequence[date], seen: Seen) -> Iterator[Judged]:
    after: int | None = 0
    total, done = count_candidates(rt, work, today=on), 0
    while after is not None:
        page, after = candidates(rt, work, today=on, after=after, again=True)
        yield from (_on_the_last(rt, facts, days) for facts in page)
        done += len(page)
        seen(done, total)


def _on_the_last(rt: Runtime, facts: Facts, days: Sequence[date]) -> Judged:
    """How a bill stands on the last of these days, after everything that is done about it on those before."""
    done: dict[str, date | None] = {}
    for day in days[:-1]:
        one = decide(rt, facts, today=day, planning=True, also_done=done)
        done |= {step.key: None for step in one.skipped}
        if one.step is not None and not one.quiets:
            done[one.step.key] = day
    return decide(rt, facts, today=days[-1], planning=True, also_done=done)


def _letter(client_id: int, ones: Sequence[Judged], on: date) -> dict[str, Any]:
    client = ones[0].bill.client
    assert client is not None
    held = any(
        row["state"] == ReminderState.HELD for one in ones for row in one.facts.known.values() if row["letter_on"] == on
    )
    return {
        "client_id": client_id, "client_name": client.name, "to": client.email, "held": held,
        "bills": [_bill(one, on) for one in ones],
    }  # fmt: skip


def _bill(one: Judged, on: date) -> dict[str, Any]:
    due_on = one.facts.sequence.due_on(one.bill)
    return {
        "bill_id": one.bill.id, "bill_number": one.bill.number, "client_name": one.bill.client.name if one.bill.client else None,
        **_named(one.step),
        "amount_cents": one.bill.open_cents, "currency": one.bill.currency, "due_on": due_on,
        "days_overdue": (on - due_on).days if due_on is not None else None,
    }  # fmt: skip


def _named(step: Step | None) -> dict[str, Any]:
    if step is None:
        return dict.fromkeys(("step", "action", "template"))
    return {"step": step.key, "action": step.action, "template": step.template}


def _reason(quiet: Quiet) -> dict[str, Any]:
    return {"reason": quiet.reason, "words": meaning(quiet.reason), "until": quiet.until}
