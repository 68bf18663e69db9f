"""W6: a live link → one message to the client, unless the facts have moved on."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from orchestrator.domain.asking import Ask
from orchestrator.domain.bills import Bill, BillKind
from orchestrator.domain.bounces import HELD
from orchestrator.domain.contacts import Client
from orchestrator.domain.ids import address_key
from orchestrator.domain.kinds import Kind
from orchestrator.domain.letters import DueBill, Letter, Reminder
from orchestrator.domain.links import LinkState, Rail
from orchestrator.domain.money import Money
from orchestrator.engine.effects import Intent, Unneeded
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import NeedsReview, Rejected
from orchestrator.storage.audit import WORKER
from orchestrator.storage.jobs import JobState
from orchestrator.storage.lineage import Life
from orchestrator.storage.messages import follows, goes_to, message_key, steps_of
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import still_asked
from orchestrator.usecases.fresh_bills import JUST_NOW, refresh
from orchestrator.usecases.hand_over import MessageEffect
from orchestrator.usecases.how_to_write import manner
from orchestrator.usecases.poll_lawpay import hear_lawpay

PUT_OFF = "client_daily_limit"
ADDRESS_CHANGED = "address_changed"

ARRIVED_OR_NOT = ("sent", "bounced")
"""States of a message of which it is known what became of it: it never leaves again, and is never called withheld."""


def had_today(rt: Runtime, work: Work, client_id: int, *, but_for: int | None = None) -> bool:
    """Whether a client has had the firm's daily measure of messages and reminders, by the office's date (F72).

    The letter that is asking, which a relay may have refused for now, is not counted.
    """
    most = rt.settings.mail.client_daily_limit
    if most is None:
        return False
    midnight = datetime.combine(rt.local_date(work.now), time(), rt.settings.firm.zone).astimezone(UTC)
    invoices = work.messages.sent_to_client(client_id, since=midnight)
    return invoices + work.reminders.sent_to_client(client_id, since=midnight, but_for=but_for) >= most


def message_sent(work: Work, payload: dict[str, Any], message_id: str, *, at: datetime, actor: str) -> None:
    """What follows from a message that reached the relay: it counts as sent, and Clio is told."""
    work.messages.move(payload["message_id"], "sent", message_id=message_id, sent_at=at, reason=None)
    work.audit.line(
        "message.sent", "bill", payload["bill_id"], actor=actor, link_id=payload["link_id"], message=message_id
    )
    work.jobs.add("communication.log", payload["message_id"], payload["link_id"], **payload)
    for bill_id in payload.get("bill_ids", [payload["bill_id"]]):
        work.exceptions.close_all(("never_delivered", *HELD.values()), f"bill:{bill_id}")


class SendMessage(MessageEffect):
    """One link's message to the client, at most once (F75)."""

    def doubtful(self, life: Life) -> bool:
        """Its link is the first to exist: a message that was wanted after the recovery carries one nobody knew before.

        Not so a payment page: nobody can list those that the lost past made, and the same wish leads to the same page.
        """
        if life.recovered_at is None:
            return False
        link = self._page()
        return (self.job.created_at if link is None else link["created_at"]) <= life.recovered_at

    def look(self) -> Intent | Unneeded:
        self.require_relay()
        if self.rt.gateway is not None and self._page() is not None:
            hear_lawpay(self.rt, self.job, younger_than=JUST_NOW)
        refresh(self.rt, self.job, since_due=True)
        with self.rt.read() as work:
            unneeded = self._unneeded(work)
            if unneeded is not None:
                return unneeded
            client = work.mirror.bills([self.job.payload["bill_id"]])[self.job.payload["bill_id"]].client
            if client is not None and had_today(self.rt, work, client.id):
                return Unneeded(PUT_OFF)
            self._require_young(work)
            letter = self._letter(work)
            if self._meant_for_another(work, letter.to):
                return Unneeded(ADDRESS_CHANGED)
            held = work.bounces.of(letter.to)
            if held is not None:
                raise Rejected("Letters to the client's address come back.", reason=HELD[held["state"]])
        letters, now = self.rt.letters, self.rt.clock()
        self.finished = (
            letters.remind(letter, now=now) if isinstance(letter, Reminder) else letters.write(letter, now=now)
        )
        return {
            "message_id": self.finished.message_id,
            "recipient": address_key(self.finished.recipient),
        }

    def _meant_for_another(self, work: Work, address: str) -> bool:
        """Whether a message that follows its client to an address would reach another one by now; in doubt, a person looks.

        One that a relay may have taken is never handed over again for somebody else: no relay would know it for the same (F75).
        """
        before = self.job.intent if self.job.state is JobState.SENT else None
        if before is not None and before["recipient"] != address_key(address):
            said = f"No answer for {before['message_id']}, and the client has another address since."
            raise NeedsReview(said, reason="mail_outcome_unknown")
        message = work.messages.get(self.job.payload["message_id"])
        return message is not None and not goes_to(message["step"], address)

    def _page(self) -> Row | None:
        """The payment page that this message brings, None on Clio's rail."""
        with self.rt.read() as work:
            link = work.links.get(self.job.payload["link_id"])
        return link if link is not None and link["rail"] == Rail.LAWPAY_PAGE else None

    def leaving(self, work: Work, intent: Intent) -> None:
        """Until the relay's answer is stored the client may have it, so a later message is a revised one (F75)."""
        payload = self.job.payload
        unknown = {"message_id": intent["message_id"], "reason": "mail_outcome_unknown"}
        work.messages.move(payload["message_id"], "unknown", **unknown)
        work.bounces.post(
            intent["message_id"],
            address=intent["recipient"],
            kind="message",
            bill_ids=payload.get("bill_ids", [payload["bill_id"]]),
        )

    def logged_under(self, intent: Intent) -> Sequence[str]:  # noqa: ARG002
        with self.rt.read() as work:
            link = work.links.get(self.job.payload["link_id"])
            message = work.messages.get(self.job.payload["message_id"])
        assert link is not None
        assert message is not None
        steps = [message["step"]] if follows(message["step"]) else steps_of(link["cycle"])
        return [message_key(link["bill_id"], step, link["key"]) for step in steps]

    def record(self, work: Work, intent: Intent, made: str) -> None:
        self.relay_is_there(work)
        payload = self.job.payload
        if self.adopted:
            known = {"message_id": intent["message_id"], "communication_id": int(made)}
            work.messages.move(payload["message_id"], "sent", sent_at=work.now, reason=None, **known)
            work.audit.line("message.adopted", "bill", payload["bill_id"], link_id=payload["link_id"])
        else:
            message_sent(work, payload, intent["message_id"], at=work.now, actor=WORKER)

    def unneeded(self, work: Work, reason: str) -> None:
        if reason == PUT_OFF:
            self._put_off(work)
            return
        self._withhold(work, reason)
        work.audit.line("message.withheld", "bill", self.job.payload["bill_id"], why=reason)
        if reason == ADDRESS_CHANGED:
            work.dirty.mark(Kind.BILL, [self.job.payload["bill_id"]])

    def refused(self, work: Work, refusal: Rejected) -> str | None:
        self._withhold(work, refusal.reason)
        return None

    def _put_off(self, work: Work) -> None:
        payload, tomorrow = self.job.payload, work.now + timedelta(days=1)
        work.messages.move(payload["message_id"], "wanted", reason=PUT_OFF)
        work.jobs.add(
            "message.send", payload["message_id"], payload["link_id"], tomorrow.isoformat(), at=tomorrow, **payload
        )
        work.audit.line("message.put_off", "bill", payload["bill_id"], why=PUT_OFF)

    def _require_young(self, work: Work) -> None:
        """The facts were read anew, but words and dates were right for the day the message fell due (F61)."""
        hours = self.rt.settings.mail.oldest_hours
        if work.now - self.job.not_before > timedelta(hours=hours):
            raise NeedsReview(f"It has been due for more than {hours} hours.", reason="message_too_old")

    def _withhold(self, work: Work, reason: str) -> None:
        """Note that nothing was sent, unless the message brings another link by now, or has been sent."""
        message = work.messages.get(self.job.payload["message_id"])
        if self.lost is not None and message is not None and message["state"] == "unknown":
            return  # it may have reached the client before the database was restored
        mine = message is not None and message["link_id"] == self.job.payload["link_id"]
        if message is not None and mine and message["state"] not in ARRIVED_OR_NOT:
            work.messages.move(message["id"], "withheld", reason=reason)

    def _unneeded(self, work: Work) -> Unneeded | None:
        message = work.messages.get(self.job.payload["message_id"])
        link = work.links.get(self.job.payload["link_id"])
        bill = work.mirror.bills([self.job.payload["bill_id"]]).get(self.job.payload["bill_id"])
        if message is None or link is None or bill is None or message["link_id"] != link["id"]:
            return Unneeded("link_over")
        if message["state"] in ARRIVED_OR_NOT:
            return Unneeded(message["reason"] or "link_over")
        decision = still_asked(self.rt, work, link)
        if not isinstance(decision, Ask):
            return Unneeded("bill_changed" if decision.reason == "link_replaced" else decision.reason)
        return Unneeded("bill_changed") if link["state"] != LinkState.LIVE else None

    def _letter(self, work: Work) -> Letter | Reminder:
        message = work.messages.get(self.job.payload["message_id"])
        link = work.links.get(self.job.payload["link_id"])
        bill = work.mirror.bills([self.job.payload["bill_id"]])[self.job.payload["bill_id"]]
        assert message is not None
        assert link is not None
        assert bill.client is not None
        if link["client_id"] is not None:
            return self._of_several(work, message, link, bill.client)
        matters = list(work.mirror.matters(bill.matter_ids).values())
        matter = matters[0] if len(matters) == 1 else None
        return Letter(
            step=_words(work, message, link) if bill.kind is not BillKind.TRUST else _request(work, bill.id),
            to=str(bill.client.email),
            client_name=bill.client.name,
            bill_id=bill.id,
            bill_number=bill.number,
            matter_number=matter.display_number if matter else None,
            amount=Money(link["amount_cents"], link["currency"]),
            due_on=bill.due_on,
            issued_on=bill.issued_on,
            pay_url=link["url"],
            key=message["key"],
            **manner(self.rt, matters),
        )

    def _of_several(self, work: Work, message: Row, link: Row, client: Client) -> Reminder:
        """All that the client owes, bill by bill, over the one link that collects it."""
        parts = work.links.parts(link)
        bills = work.mirror.bills(parts)
        matters = work.mirror.matters({ident for bill in bills.values() for ident in bill.matter_ids})
        today = self.rt.local_date(work.now)

        def line(bill: Bill, cents: int) -> DueBill:
            numbers = [matters[ident].display_number for ident in bill.matter_ids if ident in matters]
            return DueBill(
                bill_id=bill.id, number=bill.number, matter_number=numbers[0] if len(numbers) == 1 else None,
                amount=Money(cents, link["currency"]), issued_on=bill.issued_on, due_on=bill.due_on,
                days_overdue=max(0, (today - bill.due_on).days) if bill.due_on else 0, pay_url=None, step="invoice",
            )  # fmt: skip

        return Reminder(
            template="invoices", to=str(client.email), client_name=client.name,
            bills=tuple(line(bills[bill_id], cents) for bill_id, cents in parts.items()), pay_url=link["url"],
            key=message["key"], **manner(self.rt, list(matters.values())),
        )  # fmt: skip


def _request(work: Work, bill_id: int) -> str:
    """The words for a deposit, which is no debt and never overdue: to fill a retainer up, or as a person asked for it."""
    return "trust_request" if work.retainers.of_bill(bill_id) is None else "replenish"


def _words(work: Work, message: Row, link: Row) -> str:
    """The template: a client whose amount is what it was is told of another link, not of another amount."""
    if message["step"] == "invoice":
        return "invoice"
    before = work.messages.before(message)
    if before is None:
        return "invoice"  # all that was sent about it came back
    known = work.links.get(before["link_id"])
    same = known is not None and known["amount_cents"] == link["amount_cents"]
    return "invoice_link" if same else "invoice_revised"
