"""W5: a reserved link → one payment link at Clio, found again by our key after a lost answer."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from orchestrator.domain.asking import Ask
from orchestrator.domain.kinds import Kind
from orchestrator.domain.links import Bringer, LinkAsk, LinkState, RemoteLink
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.errors import NeedsReview, Rejected
from orchestrator.storage.lineage import Life
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment, bills_of, still_asked
from orchestrator.usecases.fresh_bills import refresh
from orchestrator.usecases.want_message import want_message

SEARCH_MARGIN = timedelta(minutes=10)
"""How far before our own sending a search begins: the remote's clock is not ours."""

UNREAD = timedelta(minutes=30)
"""No link is made by a database that has not seen Clio's for so long, nor for two sweeps: the next sweep looks first."""

QUOTA_PAUSE = timedelta(hours=1)
QUOTA_WORDS = ("limit", "quota", "maximum", "too many", "exceed")
"""The quota's refusal is undocumented (API notes §10): these words, or a count near the limit, are taken for it (F35)."""


class CreateLink(Effect[RemoteLink]):
    """The link of one reservation."""

    email: str | None = None
    """Personal, and only a convenience: looking remembers it for the sending, and it is never kept with the intent."""

    def doubtful(self, life: Life) -> bool:
        """Every link there was is adopted before a recovery ends: what is wanted later cannot have been made before."""
        return life.recovered_at is not None and self.job.created_at <= life.recovered_at

    def look(self) -> Intent | Unneeded:
        with self.rt.read() as work:
            if self._unread(work):
                return Unneeded("links_unread")
        refresh(self.rt, self.job, since_due=False)
        with self.rt.read() as work:
            link = work.links.get(self.job.payload["link_id"])
            bill = work.mirror.bills([self.job.payload["bill_id"]]).get(self.job.payload["bill_id"])
            if link is None or bill is None or link["state"] != LinkState.RESERVED:
                return Unneeded("link_over")
            if work.links.is_shut():
                return Unneeded("link_quota")
            decision = still_asked(self.rt, work, link)
        if not isinstance(decision, Ask):
            return Unneeded(decision.reason)
        self.email = bill.client.email if bill.client is not None else None
        return {
            "bill_id": bill.id,
            "amount_cents": decision.amount_cents,
            "currency": decision.currency,
            "account_id": decision.account_id,
            "duration_seconds": self.rt.settings.links.days * 86_400,
            "return_url": f"{self.rt.settings.public_address}/thanks/{link['key']}",
            "contact_id": link["client_id"],
        }

    def send(self, intent: Intent) -> RemoteLink:
        return self.rt.practice(Urgency(self.job.urgency)).create_link(LinkAsk(**intent, email=self.email))

    def search(self, intent: Intent) -> Sequence[RemoteLink]:
        """Links, active or not, that carry our key; another for the same bill is somebody else's and left alone (F09)."""
        made = self.rt.practice(Urgency.MONEY).links_created_since(self.sent_since - SEARCH_MARGIN)
        if not self.rt.settings.clio.link_return_url:
            return self._unkeyed(made, intent)
        key = intent["return_url"].rsplit("/", 1)[-1]
        return [link for link in made if link.redirect_url and link.redirect_url.rstrip("/").endswith(key)]

    @staticmethod
    def _unkeyed(made: Iterable[RemoteLink], intent: Intent) -> Sequence[RemoteLink]:
        """Without return addresses nothing tells ours from one made by hand: any for the bill is a person's to judge (F09)."""
        bill_id, contact_id = intent["bill_id"], intent.get("contact_id")
        if any(link.bill_id == bill_id or (contact_id and link.contact_id == contact_id) for link in made):
            raise NeedsReview(f"A link for bill {bill_id} was made and may be ours.", reason="search_ambiguous")
        return []

    def record(self, work: Work, intent: Intent, made: RemoteLink) -> None:  # noqa: ARG002
        link = work.links.get(self.job.payload["link_id"])
        assert link is not None
        if link["clio_id"] == made.id:
            return  # a recovery was here first
        known = {"clio_id": made.id, "etag": made.etag, "url": made.url, "expires_at": made.expires_at}
        work.links.move(link, LinkState.LIVE, **known)
        work.audit.line(
            "link.created", "link", link["id"], clio_id=made.id, bill_id=link["bill_id"], cents=link["amount_cents"]
        )
        if link["brought_by"] == Bringer.MESSAGE:
            want_message(self.rt, work, link)
        work.links.reopen()
        # The bill may have moved while the link was being made.
        ask_for_payment(self.rt, work, bills_of(work, link))

    def unneeded(self, work: Work, reason: str) -> None:
        waits = reason in ("link_quota", "links_unread")
        self._give_back(work, reason, wait=waits)
        if not waits:
            ask_for_payment(self.rt, work, self.job.payload.get("bill_ids", [self.job.payload["bill_id"]]))

    def refused(self, work: Work, refusal: Rejected) -> str | None:
        """A quota's refusal sends the link back to wait and shuts the account's links for an hour; any other ends it."""
        budget = work.links.lock_budget()
        near = budget is not None and max(budget.active, budget.created) >= 0.9 * budget.limit
        if near or any(word in str(refusal).lower() for word in QUOTA_WORDS):
            self._give_back(work, "link_quota", wait=True)
            work.links.shut(work.now + QUOTA_PAUSE)
            work.jobs.add("account.read", "after-refusal", _hour(work.now))
            ask_for_payment(self.rt, work, [])
            return "link_quota"
        link = work.links.get(self.job.payload["link_id"])
        if link is None or link["state"] != LinkState.RESERVED:
            return "link_over"
        refusal.reason = "link_refused"
        work.links.move(link, LinkState.REFUSED, reason=refusal.reason)
        return None

    def _unread(self, work: Work) -> bool:
        """Whether Clio's links were not looked at for so long that this may be an older copy, which has made it (F57)."""
        read_to = work.dirty.watermark(Kind.LINK)
        patience = max(UNREAD, timedelta(seconds=2 * self.rt.settings.sweep.interval_seconds))
        return read_to is None or work.now - read_to > patience

    def _give_back(self, work: Work, reason: str, *, wait: bool) -> None:
        link = work.links.get(self.job.payload["link_id"])
        if link is not None and link["state"] == LinkState.REFUSED:
            work.links.move(link, LinkState.WITHDRAWN)
        elif link is not None and link["state"] == LinkState.RESERVED:
            state = LinkState.WAITING if wait else LinkState.WITHDRAWN
            work.links.move(link, state, reason=reason, reserved_at=None)


def _hour(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H")
