"""W12: a link that no longer fits its bill is expired, unless it was paid a moment before."""

from collections.abc import Sequence

from orchestrator.domain.links import LinkState, RemoteLink
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.sync_links import close_link


class ExpireLink(Effect[RemoteLink]):
    """One link, over."""

    seen: RemoteLink | None = None

    def look(self) -> Intent | Unneeded:
        with self.rt.read() as work:
            link = work.links.get(self.job.payload["link_id"])
        if link is None or link["state"] != LinkState.LIVE:
            return Unneeded("link_over")
        self.seen = self.rt.practice(Urgency.MONEY).link(link["clio_id"])
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
        row = work.links.get(self.job.payload["link_id"])
        if row is None or row["state"] != LinkState.LIVE:
            return
        state = LinkState.USED if made.payment_id is not None else LinkState.EXPIRED
        work.links.move(row, state, etag=made.etag, reason=self.job.payload["reason"])
        work.audit.line("link.expired", "link", row["id"], clio_id=made.id, why=self.job.payload["reason"])
        ask_for_payment(self.rt, work, [row["bill_id"]])

    def unneeded(self, work: Work, reason: str) -> None:  # noqa: ARG002
        row = work.links.get(self.job.payload["link_id"])
        if row is not None and self.seen is not None:
            close_link(work, row, self.seen)
            ask_for_payment(self.rt, work, [row["bill_id"]])
