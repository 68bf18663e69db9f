"""W4, W7: something happened to a bill → a note on each of its matters, found again by a key in its subject."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from orchestrator.domain.bills import Bill
from orchestrator.domain.ids import effect_key, short_key
from orchestrator.domain.money import Money
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.unit_of_work import Work

WORDS = {
    "bill_issued": (
        "Invoice {number} issued",
        "Invoice {number} for {amount} was issued; the client is sent a payment link.",
    ),
    "payment_received": (
        "Payment received for invoice {number}",
        "{amount} was received for invoice {number} (payment {payment}).",
    ),
    "payment_reversed": (
        "Payment reversed for invoice {number}",
        "{amount} paid for invoice {number} was reversed (payment {payment}); the invoice is open again.",
    ),
}
"""What a note says: subject and text, by event."""


def write_note(rt: Runtime, work: Work, event: str, bill: Bill, *, cents: int | None = None, fact: str = "") -> None:
    """Intend one note on each of a bill's matters, if the firm wants such notes; `fact` tells events of one kind apart."""
    if event not in rt.settings.notes.events:
        return
    amount = Money(bill.total_cents if cents is None else cents, bill.currency or rt.currency)
    payment = fact.partition(":")[0]
    subject, detail = (text.format(number=bill.number, amount=amount, payment=payment) for text in WORDS[event])
    for matter_id in bill.matter_ids:
        key = short_key(effect_key("note", event, bill.id, matter_id, fact))
        payload: dict[str, Any] = {
            "matter_id": matter_id,
            "bill_id": bill.id,
            "subject": subject,
            "detail": detail,
            "note_key": key,
        }
        work.jobs.add("note.create", event, bill.id, matter_id, fact, **payload)


class CreateNote(Effect[int]):
    """One note."""

    def look(self) -> Intent | Unneeded:
        payload = self.job.payload
        on = self.rt.local_date(self.rt.clock())
        return {
            "matter_id": payload["matter_id"],
            "subject": f"{payload['subject']} [{payload['note_key']}]",
            "detail": payload["detail"],
            "on": on.isoformat(),
        }

    def send(self, intent: Intent) -> int:
        on = date.fromisoformat(intent["on"])
        return self.rt.practice(Urgency(self.job.urgency)).create_note(**{**intent, "on": on})

    def search(self, intent: Intent) -> Sequence[int]:
        practice = self.rt.practice(Urgency(self.job.urgency))
        return practice.notes_about(self.job.payload["note_key"], intent["matter_id"])

    def record(self, work: Work, intent: Intent, made: int) -> None:
        work.audit.line(
            "note.created", "matter", intent["matter_id"], note_id=made, bill_id=self.job.payload["bill_id"]
        )
