"""W8: a person approves the day's batch, where the firm wants one to (`[reminders] approve_batches`)."""

from datetime import date
from typing import Any

from orchestrator.domain.reminders import LetterState
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.usecases.plan_reminders import want_letter
from orchestrator.usecases.trial import trial


def approve_reminders(rt: Runtime, on: date, *, by: str, dry_run: bool) -> dict[str, Any]:
    """Let the held letters of the office's present day leave, on the word of `by`; `Rejected` says why none may.

    Each is judged once more before it leaves: what was approved in the morning and paid at noon is not sent.
    """
    with trial(rt, dry_run=dry_run) as work:
        today = rt.local_date(work.now)
        if on != today:
            raise Rejected(f"Only today's batch ({today}) can be approved: no letter of another day is ever sent.")
        if work.now >= rt.settings.office.window(today)[1]:
            raise Rejected(f"The sending window of {today} is over: what is still due is in the next day's batch.")
        held = list(work.reminders.letters_on(on, LetterState.HELD))
        if not held:
            raise Rejected(f"No letter of {on} waits for approval.")
        bills = 0
        for letter in held:
            bills += work.reminders.approve(letter, by=by)
            want_letter(rt, work, letter)
        work.audit.line("reminders.approved", "day", on.isoformat(), actor=by, letters=len(held), bills=bills)
    return {"dry_run": dry_run, "on": on, "letters": len(held), "bills": bills}
