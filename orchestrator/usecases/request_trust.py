"""W5, W9: a retainer to fill up → one trust request at Clio; where Clio takes none, a task for the responsible attorney."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestrator.domain.evergreen import RetainerState, TrustAsk
from orchestrator.domain.ids import short_key
from orchestrator.domain.kinds import Kind
from orchestrator.domain.money import Money
from orchestrator.domain.topics import Urgency
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.errors import NeedsReview, Rejected
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.create_task import ask_by_task
from orchestrator.usecases.replenish import WHOLE, below, end, quiet

SEARCH_MARGIN = timedelta(minutes=10)
PURPOSE = "replenish"
REFUSED = "trust_request_refused"

NOT_FOR_US = "trust_requests_unavailable"
ASK_AGAIN = timedelta(days=1)
"""How long a refusal speaks for every request: some accounts are never let in, and each has people who make requests by hand."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A trust request of ours: its own number when we made it just now, its bill's when we found it."""

    request_id: int | None
    bill_id: int | None


class RequestTrust(Effect[Asked]):
    """One request. Clio takes no key of ours but in its note, and lists requests only as lines of the bills they become."""

    def look(self) -> Intent | Unneeded:
        with self.rt.read() as work:
            retainer = work.retainers.get(self.job.payload["retainer_id"])
            matter = work.mirror.matters([self.job.payload["matter_id"]]).get(self.job.payload["matter_id"])
            if retainer is None or matter is None or retainer["state"] != RetainerState.WANTED:
                return Unneeded("evergreen_over")
            level, balance = below(self.rt, work, matter)
            if level is None or balance >= level.threshold_cents:
                return Unneeded(WHOLE)
            why = quiet(self.rt, work, matter)
            if why is not None:
                return Unneeded(why)
            told = work.exceptions.told_at(NOT_FOR_US, "clio")
            if told is not None and told > work.now - ASK_AGAIN:
                return Unneeded(REFUSED)
            today = self.rt.local_date(work.now)
        return {
            "client_id": retainer["client_id"],
            "matter_id": matter.id,
            "amount_cents": retainer["amount_cents"],
            "issued_on": today.isoformat(),
            "due_on": (today + timedelta(days=self.rt.settings.trust.evergreen.due_days)).isoformat(),
            "note": f"Retainer replenishment. Reference {short_key(retainer['key'])}.",
        }

    def send(self, intent: Intent) -> Asked:
        days = {name: date.fromisoformat(intent[name]) for name in ("issued_on", "due_on")}
        practice = self.rt.practice(Urgency(self.job.urgency))
        return Asked(practice.create_trust_request(TrustAsk(**{**intent, **days})), None)

    def search(self, intent: Intent) -> Sequence[Asked]:
        """Requests whose note carries our key. One of the same amount without it may be ours: a person's to judge (F09)."""
        lines = self.rt.practice(Urgency.MONEY).trust_lines(intent["matter_id"], self.sent_since - SEARCH_MARGIN)
        key = intent["note"].rpartition(" ")[2]
        keyed = sorted({line.bill_id or 0 for line in lines if key in line.note})
        if not keyed and any(line.total_cents == intent["amount_cents"] for line in lines):
            raise NeedsReview(
                f"A trust request of the same amount on matter {intent['matter_id']} may be ours.",
                reason="search_ambiguous",
            )
        return [Asked(None, bill_id or None) for bill_id in keyed]

    def record(self, work: Work, intent: Intent, made: Asked) -> None:
        retainer = work.retainers.get(self.job.payload["retainer_id"])
        assert retainer is not None
        known = {name: value for name, value in (("request_id", made.request_id), ("bill_id", made.bill_id)) if value}
        work.retainers.move(retainer, RetainerState.ASKED, **known)
        work.exceptions.close(NOT_FOR_US, "clio")
        work.audit.line(
            "retainer.requested", "matter", intent["matter_id"], request=made.request_id, bill_id=made.bill_id
        )
        if made.bill_id is not None:
            work.dirty.mark(Kind.BILL, [made.bill_id])

    def unneeded(self, work: Work, reason: str) -> None:
        retainer = work.retainers.get(self.job.payload["retainer_id"])
        if reason == REFUSED:
            self._ask_a_person(work)
        elif retainer is not None and retainer["state"] == RetainerState.WANTED:
            end(work, retainer, reason)

    def refused(self, work: Work, refusal: Rejected) -> str | None:
        """Clio refuses such requests to some accounts (API notes §1): a person can always make one."""
        if refusal.reason.startswith("clio_"):
            work.exceptions.open(NOT_FOR_US, "clio", f"Requests for trust money are made by hand: {refusal}")
        return self._ask_a_person(work)

    def _ask_a_person(self, work: Work) -> str | None:
        retainer = work.retainers.get(self.job.payload["retainer_id"])
        matter = work.mirror.matters([self.job.payload["matter_id"]]).get(self.job.payload["matter_id"])
        if retainer is None or matter is None:
            return None
        work.retainers.move(retainer, RetainerState.TASKED)
        amount = Money(retainer["amount_cents"], retainer["currency"])
        held = Money(retainer["balance_cents"], retainer["currency"])
        ask_by_task(
            work, retainer["key"], PURPOSE, matter=matter,
            title=f"Request {amount} into trust for {matter.display_number}",
            text=(
                f"{held} are left in trust for {matter.display_number}, less than its level. Clio did not take the request from "
                f"us. Please make a trust request of {amount} for this matter in Clio and approve it; its payment link follows."
            ),
        )  # fmt: skip
        return REFUSED
