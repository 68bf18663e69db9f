"""W9: a proposed draw → one message that tells the client what will be paid from trust, when, and what is left (T18)."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.bills import Bill
from orchestrator.domain.bounces import HELD
from orchestrator.domain.draws import DrawState
from orchestrator.domain.ids import address_key, effect_key
from orchestrator.domain.jurisdictions import Jurisdiction
from orchestrator.domain.letters import DrawNotice, Letter
from orchestrator.domain.matters import Matter
from orchestrator.domain.money import Money
from orchestrator.engine.effects import Intent, Unneeded
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.audit import WORKER
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.fresh_bills import refresh
from orchestrator.usecases.hand_over import MessageEffect
from orchestrator.usecases.how_to_write import manner
from orchestrator.usecases.plan_draws import profile_of

CHANNEL = "email"


@dataclass(frozen=True, slots=True)
class _Told:
    """Everything a notice is about."""

    draw: Row
    bill: Bill
    matter: Matter
    account: FirmAccount
    profile: Jurisdiction


def notice_sent(rt: Runtime, work: Work, draw_id: int, message_id: str, *, at: datetime, actor: str) -> None:
    """The relay took the notice: the profile's days run from here. A bounce that is learned later undoes it (`trust notice`)."""
    draw = work.draws.get(draw_id)
    account = rt.settings.trust.account_of(key=draw["account"]) if draw is not None else None
    profile = profile_of(rt)
    if draw is None or account is None or profile is None:
        return
    since = profile.may_draw_from(at.astimezone(account.zone).date())
    work.draws.noticed(draw_id, notice=message_id, channel=CHANNEL, at=at, draw_from=since)
    work.audit.line("draw.noticed", "draw", draw_id, actor=actor, channel=CHANNEL, notice=message_id)
    work.exceptions.close("trust_notice_missing", f"draw:{draw_id}")


class SendNotice(MessageEffect):
    """One notice of a draw, at most once (F75)."""

    def look(self) -> Intent | Unneeded:
        self.require_relay()
        refresh(self.rt, self.job, since_due=True)
        with self.rt.read() as work:
            told = self._told(work)
            if isinstance(told, Unneeded):
                return told
            letter = self._letter(work, told)
        self.finished = self.rt.letters.write(letter, now=self.rt.clock())
        return {
            "message_id": self.finished.message_id,
            "recipient": address_key(self.finished.recipient),
            "bill_id": letter.bill_id,
        }

    def leaving(self, work: Work, intent: Intent) -> None:
        bill_id = intent["bill_id"]
        work.bounces.post(intent["message_id"], address=intent["recipient"], kind="notice", bill_ids=[bill_id])

    def record(self, work: Work, intent: Intent, made: str) -> None:  # noqa: ARG002
        self.relay_is_there(work)
        notice_sent(self.rt, work, self.job.payload["draw_id"], intent["message_id"], at=work.now, actor=WORKER)

    def unneeded(self, work: Work, reason: str) -> None:
        draw = work.draws.get(self.job.payload["draw_id"])
        if draw is not None and draw["state"] == DrawState.PROPOSED and reason != "trust_draw_over":
            self._ask(work, draw)

    def refused(self, work: Work, refusal: Rejected) -> str | None:  # noqa: ARG002
        draw = work.draws.get(self.job.payload["draw_id"])
        if draw is not None:
            self._ask(work, draw)
        return None

    @staticmethod
    def _ask(work: Work, draw: Row) -> None:
        amount = Money(draw["amount_cents"], draw["currency"])
        work.exceptions.open(
            "trust_notice_missing", f"draw:{draw['id']}", f"The client cannot be written to about draw {draw['id']} of {amount}.",
            subject=("bill", draw["bill_id"]), money_cents=draw["amount_cents"],
        )  # fmt: skip

    def _told(self, work: Work) -> _Told | Unneeded:
        draw = work.draws.get(self.job.payload["draw_id"])
        if draw is None or draw["state"] != DrawState.PROPOSED or draw["noticed_at"] is not None:
            return Unneeded("trust_draw_over")
        bill = work.mirror.bills([draw["bill_id"]])[draw["bill_id"]]
        matter = work.mirror.matters([draw["matter_id"]]).get(draw["matter_id"])
        account, profile = self.rt.settings.trust.account_of(key=draw["account"]), profile_of(self.rt)
        if account is None or profile is None:
            return Unneeded("trust_profile_unknown")
        if bill.client is None or matter is None:
            return Unneeded("client_missing")
        if bill.client.email_problem is not None:
            return Unneeded(bill.client.email_problem)
        held = work.bounces.of(str(bill.client.email))
        if held is not None:
            return Unneeded(HELD[held["state"]])
        return _Told(draw, bill, matter, account, profile)

    def _letter(self, work: Work, told: _Told) -> Letter:
        draw, bill = told.draw, told.bill
        assert bill.client is not None
        today = work.now.astimezone(told.account.zone).date()
        held = work.trust.ledger_by_id(draw["ledger_id"])["balance_cents"]
        entries = sorted(work.mirror.entries_on_bills([bill.id]), key=lambda row: (row["worked_on"], row["id"]))
        return Letter(
            step="trust_notice",
            to=str(bill.client.email),
            client_name=bill.client.name,
            bill_id=bill.id,
            bill_number=bill.number,
            matter_number=told.matter.display_number,
            amount=Money(draw["amount_cents"], draw["currency"]),
            due_on=None,
            issued_on=bill.issued_on,
            pay_url="",
            key=effect_key("notice", draw["key"]),
            **manner(self.rt, [told.matter]),
            draw=DrawNotice(
                on=told.profile.may_draw_from(today),
                left=Money(held - draw["amount_cents"], draw["currency"]),
                items=tuple((row["worked_on"], row["total_cents"]) for row in entries if row["total_cents"]),
            ),
        )
