"""W6: a sent message → a communication in Clio, searchable by its key."""

from collections.abc import Sequence
from datetime import datetime

from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.storage.unit_of_work import Work


class LogCommunication(Effect[int]):
    """The firm's own record that the client was written to: Clio's `last_sent_at` cannot be set (API notes §2)."""

    def look(self) -> Intent | Unneeded:
        if "letter_id" in self.job.payload:
            return self._of_letter()
        with self.rt.read() as work:
            message = work.messages.get(self.job.payload["message_id"])
            bill = work.mirror.bills([self.job.payload["bill_id"]]).get(self.job.payload["bill_id"])
            us = work.connections.known("clio")
        if message is None or bill is None or bill.client is None or message["communication_id"] is not None:
            return Unneeded("link_over")
        assert us is not None
        number = bill.number
        return {
            "subject": f"Invoice {number}: payment link sent by e-mail",
            "body": f"Invoice {number} was sent to the client with a payment link. Message-ID {message['message_id']}.",
            "matter_id": bill.matter_ids[0] if len(bill.matter_ids) == 1 else None,
            "receiver_id": bill.client.id,
            "sender_id": us.user_id,
            "received_at": message["sent_at"].isoformat(),
            "key": message["key"],
        }

    def _of_letter(self) -> Intent | Unneeded:
        with self.rt.read() as work:
            letter = work.reminders.letter(self.job.payload["letter_id"])
            bills = list(work.mirror.bills(self.job.payload["bill_ids"]).values())
            us = work.connections.known("clio")
        if letter is None or letter["communication_id"] is not None or not bills:
            return Unneeded("reminder_logged")
        assert us is not None
        numbers = ", ".join(bill.number for bill in bills)
        matters = {ident for bill in bills for ident in bill.matter_ids}
        return {
            "subject": f"Invoice {numbers}: payment reminder sent by e-mail",
            "body": f"The client was reminded of invoice {numbers}. Message-ID {letter['message_id']}.",
            "matter_id": matters.pop() if len(matters) == 1 else None,
            "receiver_id": letter["client_id"],
            "sender_id": us.user_id,
            "received_at": letter["sent_at"].isoformat(),
            "key": letter["key"],
        }

    def send(self, intent: Intent) -> int:
        received_at = datetime.fromisoformat(intent["received_at"])
        return self.rt.practice(Urgency(self.job.urgency)).log_email(**{**intent, "received_at": received_at})

    def search(self, intent: Intent) -> Sequence[int]:
        return self.rt.practice(Urgency(self.job.urgency)).communications_keyed(intent["key"])

    def record(self, work: Work, intent: Intent, made: int) -> None:  # noqa: ARG002
        if "letter_id" in self.job.payload:
            work.reminders.logged(self.job.payload["letter_id"], made)
        else:
            work.messages.logged(self.job.payload["message_id"], made)
        work.audit.line("communication.logged", "bill", self.job.payload["bill_id"], communication_id=made)
