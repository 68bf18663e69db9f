"""W12: a link that no longer fits its bill is expired, unless it was paid a moment before."""

from collections.abc import Sequence

from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import LinkState, RemoteLink
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment, bills_of


class ExpireLink(Effect[RemoteLink]):
    """One link, over."""

    sees_itself = True

    seen: RemoteLink | None = None

    def look(self) -> Intent | Unneeded:
        with self.rt.read() as work:
            link = work.links.get(self.job.payload["link_id"])
        if link is None or link["state"] != LinkState.LIVE:
            return Unneeded("link_over")
        return self._see(link["clio_id"])

    def _see(self, clio_id: int) -> Intent | Unneeded:
        """What to send to end this link as it is now."""
        self.seen = self.rt.practice(Urgency.MONEY).link(clio_id)
        if not self.seen.active:
            return Unneeded("link_over")
        return {"clio_id": self.seen.id, "etag": self.seen.etag}

    def send(self, intent: Intent) -> RemoteLink:
        """Under If-Match: a link that was just used answers 412, and is honoured (F12)."""
        return self.rt.practice(Urgency.MONEY).expire_link(intent["clio_id"], intent["etag"])

    def search(self, intent: Intent) -> Sequence[RemoteLink]:
        link = self.rt.practice(Urgency.MONEY).link(intent["clio_id"])
        return [] if link.active else [link]

    def record(self, work: Work, intent: Intent, made: RemoteLink) -> None:  # noqa: ARG002
        self._over(work, made)

    def unneeded(self, work: Work, reason: str) -> None:  # noqa: ARG002
        if self.seen is not None:
            self._over(work, self.seen)

    def _over(self, work: Work, seen: RemoteLink) -> None:
        """Our row follows; a bill whose link was used is asked about again only after it was read again, with the payment."""
        row = work.links.get(self.job.payload["link_id"])
        if row is None or row["state"] != LinkState.LIVE or seen.active:
            return
        state = LinkState.EXPIRED if seen.payment_id is None else LinkState.USED
        work.links.move(row, state, etag=seen.etag)
        work.audit.line(f"link.{state}", "link", row["id"], clio_id=seen.id, why=row["reason"])
        if seen.payment_id is not None:
            work.dirty.mark(Kind.PAYMENT, [seen.payment_id])
            work.dirty.mark(Kind.BILL, bills_of(work, row))
        else:
            ask_for_payment(self.rt, work, bills_of(work, row))
