"""W2, W3: what a person must do → one Clio task for the responsible attorney, carrying a stable key."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from orchestrator.domain.draws import DrawState
from orchestrator.domain.ids import short_key
from orchestrator.domain.kinds import Kind
from orchestrator.domain.matters import Matter
from orchestrator.domain.money import Money
from orchestrator.domain.reasons import meaning
from orchestrator.domain.tasks import TaskAsk
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.errors import NeedsReview
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.choose_rail import RECORD, to_record

DUE_IN = timedelta(days=3)


def ask_for_bill(
    work: Work, request: Mapping[str, Any], *, request_id: int, matter: Matter, why: str, other_keys: Sequence[str] = ()
) -> None:
    """Intend the task that asks a person to generate this bill: Clio has no call that creates one (API notes §2).

    `other_keys` are those it would have had if it was asked for on a day that the database lost (F57).
    """
    amount = Money(request["amount_cents"], request["currency"])
    ask_by_task(
        work, request["key"], "generate_bill", matter=matter, request_id=request_id, other_keys=list(other_keys),
        title=f"Generate the bill for {matter.display_number}: {amount}",
        text=(
            f"{len(request['entry_ids'])} approved entries from {request['period_start']} to {request['period_end']} "
            f"come to {amount}, because {meaning(why)}. "
            "Please generate a bill with them in Clio (Bills, New bills) and issue it. The payment link follows by itself."
        ),
    )  # fmt: skip


def ask_by_task(
    work: Work, key: str, purpose: str, *, matter: Matter, title: str, text: str, **facts: Any
) -> None:  # fmt: skip
    """Intend one task for the matter's responsible attorney, with `key` where a person and a search can see it."""
    marked = short_key(key)
    payload: dict[str, Any] = {
        "key": key, "purpose": purpose, "matter_id": matter.id,
        "name": f"{title} [{marked}]", "description": f"{text} Reference {marked}.", **facts,
    }  # fmt: skip
    work.tasks.intend(key, purpose, matter_id=matter.id, **{n: fact for n, fact in facts.items() if n != "other_keys"})
    work.jobs.add("task.create", key, **payload)


class CreateTask(Effect[int]):
    """One task."""

    def look(self) -> Intent | Unneeded:
        payload = self.job.payload
        with self.rt.read() as work:
            request = work.billing.get(payload["request_id"]) if "request_id" in payload else None
            matter = work.mirror.matters([payload["matter_id"]]).get(payload["matter_id"])
            draw = work.draws.get(payload["draw_id"]) if "draw_id" in payload else None
            today = self.rt.local_date(work.now)
            waiting = payload.get("purpose") != "approve_time" or work.approvals.unapproved_of_matter(
                payload["matter_id"], changed_before=work.now
            )
            recorded = payload.get("purpose") == RECORD and not to_record(work, payload)
        if request is not None and request["state"] != "asked":
            return Unneeded("request_open")
        if draw is not None and draw["state"] != DrawState.PROPOSED:
            return Unneeded("trust_draw_over")
        if not waiting:
            return Unneeded("no_unapproved_time")
        if recorded:
            return Unneeded("payment_recorded")
        assignee = (matter.responsible_attorney_id if matter else None) or self.rt.settings.billing.billing_user_id
        if assignee is None:
            raise NeedsReview(f"Matter {payload['matter_id']} has no responsible attorney.", reason="no_assignee")
        return {
            "name": payload["name"],
            "description": payload["description"],
            "assignee_id": assignee,
            "matter_id": payload["matter_id"],
            "due_on": (today + DUE_IN).isoformat(),
        }

    def send(self, intent: Intent) -> int:
        ask = TaskAsk(**{**intent, "due_on": date.fromisoformat(intent["due_on"])})
        return self.rt.practice(Urgency(self.job.urgency)).create_task(ask)

    def search(self, intent: Intent) -> Sequence[int]:
        practice = self.rt.practice(Urgency(self.job.urgency))
        keys = [self.job.payload["key"], *(self.job.payload.get("other_keys", ()) if self.lost else ())]
        return [task.id for key in keys for task in practice.tasks_named(short_key(key), intent["matter_id"])]

    def record(self, work: Work, intent: Intent, made: int) -> None:
        work.tasks.made(self.job.payload["key"], made)
        if self.adopted:
            # It was there before we knew of it, and may have been completed unseen.
            work.dirty.mark(Kind.TASK, [made])
        if "request_id" in self.job.payload:
            work.billing.move(self.job.payload["request_id"], "asked", task_id=made)
        work.audit.line("task.created", "task", made, matter_id=intent["matter_id"])
