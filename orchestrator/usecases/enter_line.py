"""The opt-in ledger write: a person has a line entered in Clio's own ledger. Never for a bill, and off unless switched on."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from orchestrator.domain.draws import Purpose
from orchestrator.domain.ids import effect_key, short_key
from orchestrator.domain.kinds import Kind
from orchestrator.domain.money import Money
from orchestrator.domain.topics import Urgency
from orchestrator.domain.trust import BankLine, LineAsk
from orchestrator.engine.effects import Effect, Intent, Unneeded
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.confirm_accounts import refused
from orchestrator.usecases.trial import trial

REFUSED = "trust_ledger_write_refused"


def enter_line(
    rt: Runtime,
    *,
    account: str,
    matter_id: int,
    amount_cents: int,
    on: date,
    purpose: str,
    reference: str,
    why: str,
    by: str,
    dry_run: bool,
) -> dict[str, Any]:
    """Intend one line of a trust ledger; the same facts make it once, however often they are given (T23)."""
    if not rt.settings.trust.ledger_writes:
        raise Rejected(
            "The worker enters nothing into Clio's ledgers: enter it in Clio, or switch on [trust] ledger_writes.",
            reason=REFUSED,
        )
    if purpose not in set(Purpose):
        raise Rejected(f"{purpose!r} is no purpose for which money may leave trust.", reason="trust_purpose_unknown")
    if purpose == Purpose.EARNED_FEE:
        raise Rejected(
            "A bill is paid from trust by a person in Clio: a ledger line would pay nothing.", reason=REFUSED
        )
    if rt.settings.trust.signatory(name=by) is None:
        raise Rejected(f"{by} is not on the list of signatories.", reason="trust_not_signatory")
    with trial(rt, dry_run=dry_run) as work:
        where = rt.settings.trust.account_of(key=account)
        matter = work.mirror.matters([matter_id]).get(matter_id)
        if where is None or where.clio_id is None or not where.is_trust or refused(work, where):
            raise Rejected(
                f"{account} is no trust account that Clio has and agrees about.", reason="account_class_disagrees"
            )
        if matter is None or matter.client is None:
            raise Rejected(f"Matter {matter_id} or its client is not known here.", reason="trust_matter_unknown")
        free = work.trust.available(where, matter.client.id, matter_id).available_cents
        if amount_cents < 0 and free < -amount_cents:
            raise Rejected(
                f"Only {Money(free, where.currency)} of matter {matter_id} is free.", reason="trust_balance_short"
            )
        key = effect_key("ledger-line", account, matter_id, amount_cents, on, purpose, reference)
        facts: dict[str, Any] = {
            "key": key, "account": account, "account_id": where.clio_id, "matter_id": matter_id,
            "client_id": matter.client.id, "amount_cents": amount_cents, "currency": where.currency,
            "on": on.isoformat(), "reference": reference, "purpose": purpose,
        }  # fmt: skip
        work.jobs.add("ledger.enter", key, **facts)
        work.audit.line(
            "trust.line_intended", "matter", matter_id, actor=by, cents=amount_cents, purpose=purpose, why=why
        )
        return {"dry_run": dry_run, **facts}


class EnterLine(Effect[BankLine]):
    """One line, found again by our key in its description."""

    def look(self) -> Intent | Unneeded:
        payload = self.job.payload
        with self.rt.read() as work:
            account = self.rt.settings.trust.account_of(key=payload["account"])
            if account is None or not self.rt.settings.trust.ledger_writes or refused(work, account):
                return Unneeded(REFUSED)
            free = work.trust.available(account, payload["client_id"], payload["matter_id"]).available_cents
        if payload["amount_cents"] < 0 and free < -payload["amount_cents"]:
            return Unneeded("trust_balance_short")
        words = payload["purpose"].replace("_", " ")
        return {
            "account_id": payload["account_id"],
            "amount_cents": payload["amount_cents"],
            "currency": payload["currency"],
            "on": payload["on"],
            "client_id": payload["client_id"],
            "matter_id": payload["matter_id"],
            "confirmation": payload["reference"],
            "description": f"{words[0].upper()}{words[1:]} [{short_key(payload['key'])}]",
        }

    def send(self, intent: Intent) -> BankLine:
        ask = LineAsk(**{**intent, "on": date.fromisoformat(intent["on"])})
        return self.rt.practice(Urgency(self.job.urgency)).enter_line(ask)

    def search(self, intent: Intent) -> Sequence[BankLine]:
        practice = self.rt.practice(Urgency(self.job.urgency))
        return practice.lines_described(short_key(self.job.payload["key"]), intent["account_id"])

    def record(self, work: Work, intent: Intent, made: BankLine) -> None:
        work.audit.line("trust.line_entered", "matter", intent["matter_id"], line=made.id, cents=intent["amount_cents"])
        if made.id > 0:
            # What it means for the client ledgers is decided where every reading of a line is.
            work.dirty.mark(Kind.LEDGER, [made.id])
