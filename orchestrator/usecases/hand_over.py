"""What every message to a client has in common: it is handed to the relay at most once, whatever happens (F75)."""

from collections.abc import Sequence
from datetime import timedelta

from orchestrator.domain.letters import Finished
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent
from orchestrator.errors import Away, NeedsReview, Rejected
from orchestrator.storage.unit_of_work import Work

AWAY = "mail_relay_away"

LONG_AWAY = timedelta(hours=1)
"""How long a message may wait for the relay before a person is told; none is ever dropped for it."""


class MessageEffect(Effect[str]):
    """One message, at most once: what a relay may have taken is never sent again by itself."""

    finished: Finished | None = None
    """What is sent; looking makes it anew, so an intent that is sent again carries the words of its moment."""

    sent_back = False
    """Whether it was the relay that refused, for good."""

    def require_relay(self) -> None:
        """Before anything else is looked at: without a relay nothing is sent, and a person is told so."""
        if self.rt.mailer is None:
            raise NeedsReview("ORCH_MAIL__URL or ORCH_MAIL__FROM is not set.", reason="mail_not_configured")

    def logged_under(self, intent: Intent) -> Sequence[str]:  # noqa: ARG002
        """The keys under which Clio has the communication of this message, if it was sent; none when nothing is logged of it."""
        return ()

    def send(self, intent: Intent) -> str:  # noqa: ARG002
        assert self.finished is not None
        assert self.rt.mailer is not None
        message = self.finished
        try:
            return self.rt.mailer.send(message.message, sender=message.sender, recipient=message.recipient)
        except Away:
            self._tell_when_long()
            raise
        except Rejected:
            self.sent_back = True
            raise

    def search(self, intent: Intent) -> Sequence[str]:
        """A relay cannot be asked what it took: only a person can say, or the communication that was logged of it (F57)."""
        if self.lost is not None:
            practice = self.rt.practice(Urgency(self.job.urgency))
            found = [str(one) for key in self.logged_under(intent) for one in practice.communications_keyed(key)]
            if not found:
                said = f"{intent['message_id']} may have been sent before the database was restored."
                raise NeedsReview(said, reason="mail_before_restore")
            return found[:1]
        if self.rt.settings.mail.relay_knows_keys:
            return []  # the firm says that its relay drops a second copy, so to send it again is to look
        raise in_doubt(intent)

    def relay_is_there(self, work: Work) -> None:
        """What follows for all messages from one that left: nobody is asked about the relay any more."""
        if not self.adopted:
            work.exceptions.close(AWAY, "relay")

    def _tell_when_long(self) -> None:
        since = self.job.not_before
        with self.rt.uow() as work:
            if work.now - since >= LONG_AWAY:
                work.exceptions.open(AWAY, "relay", f"Messages have waited since {since:%Y-%m-%d %H:%M} UTC.")


def in_doubt(intent: Intent) -> NeedsReview:
    """The client may have it or not, and only a person can find out."""
    said = f"No answer for {intent['message_id']} after the message was handed over."
    return NeedsReview(said, reason="mail_outcome_unknown")
