"""W9: a named person's word about a draw: noticed, authorised, declined. Nothing here moves money (T19)."""

from datetime import datetime
from typing import Any

from orchestrator.domain.draws import DrawState, may_authorise
from orchestrator.domain.money import Money
from orchestrator.domain.reasons import advice, meaning
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.settings import Signatory
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.ask_for_payment import ask_for_payment
from orchestrator.usecases.plan_draws import WAITS_FOR_A_PERSON, consider, profile_of, withdraw
from orchestrator.usecases.trial import trial


def authorise_by_hand(rt: Runtime, draw_id: int, *, by: str, dry_run: bool) -> dict[str, Any]:
    """A signatory authorises a draw; `Rejected` with the reason when it may not be, and then nothing changes."""
    with trial(rt, dry_run=dry_run) as work:
        draw = _draw(work, draw_id)
        reason = _authorise(rt, work, draw, rt.settings.trust.signatory(name=by))
        if reason is not None:
            raise Rejected(f"Draw {draw_id} cannot be authorised: {meaning(reason)}.", reason=reason)
        return _said(work, draw_id, dry_run=dry_run)


def authorise_by_task(rt: Runtime, work: Work, key: str, *, clio_user_id: int | None) -> None:
    """The Clio task of a draw was completed; what cannot be authorised by that becomes a person's."""
    draw = work.draws.keyed(key)
    if draw is None or draw["state"] != DrawState.PROPOSED:
        return
    reason = _authorise(rt, work, draw, rt.settings.trust.signatory(clio_user_id=clio_user_id))
    if reason in WAITS_FOR_A_PERSON:
        amount = Money(draw["amount_cents"], draw["currency"])
        work.exceptions.open(
            reason, f"draw:{draw['id']}", f"Draw {draw['id']} of {amount} is not authorised: {meaning(reason)}.",
            subject=("bill", draw["bill_id"]), money_cents=draw["amount_cents"],
        )  # fmt: skip


def _authorise(rt: Runtime, work: Work, draw: Row, signatory: Signatory | None) -> str | None:
    if signatory is None:
        return "trust_not_signatory"
    bill = work.mirror.bills([draw["bill_id"]])[draw["bill_id"]]
    account = rt.settings.trust.account_of(key=draw["account"])
    if account is None:
        return "trust_nothing_available"
    zone = account.zone
    reason = may_authorise(
        state=DrawState(draw["state"]),
        noticed_on=draw["noticed_at"].astimezone(zone).date() if draw["noticed_at"] is not None else None,
        draw_from=draw["draw_from"],
        today=work.now.astimezone(zone).date(),
        amount_cents=draw["amount_cents"],
        still=consider(rt, work, bill, own=draw).decision,
    )
    if reason is not None:
        return reason
    work.draws.move(draw, DrawState.AUTHORISED, authorised_at=work.now, authorised_by=signatory.name)
    work.audit.line(
        "draw.authorised", "draw", draw["id"], actor=signatory.name, bill_id=bill.id, cents=draw["amount_cents"],
        notice=draw["notice"],
    )  # fmt: skip
    work.exceptions.close_all(WAITS_FOR_A_PERSON, f"draw:{draw['id']}")
    return None


def decline(rt: Runtime, draw_id: int, *, by: str, why: str, dry_run: bool) -> dict[str, Any]:
    """A person says no: the money is free, the bill is asked for in full, and no draw of it is proposed by itself again."""
    with trial(rt, dry_run=dry_run) as work:
        draw = _draw(work, draw_id)
        withdraw(work, draw, "trust_declined", actor=by, declined=True)
        work.audit.line("draw.declined_because", "draw", draw_id, actor=by, why=why)
        ask_for_payment(rt, work, [draw["bill_id"]])
        return _said(work, draw_id, dry_run=dry_run)


def record_notice(
    rt: Runtime, draw_id: int, *, what: str, channel: str, delivered_at: datetime | None, by: str, dry_run: bool
) -> dict[str, Any]:
    """What told the client of a draw; without a moment of delivery (it bounced) it is no notice (T18)."""
    with trial(rt, dry_run=dry_run) as work:
        draw = _draw(work, draw_id)
        if draw["state"] != DrawState.PROPOSED:
            raise Rejected(f"Draw {draw_id} is {draw['state']}: a notice comes before.", reason="trust_draw_over")
        if delivered_at is not None and delivered_at > work.now:
            raise Rejected("A notice cannot have been delivered in the future.", reason="trust_notice_missing")
        account, profile = rt.settings.trust.account_of(key=draw["account"]), profile_of(rt)
        if account is None or profile is None:
            raise Rejected(f"{advice('trust_profile_unknown')}", reason="trust_profile_unknown")
        since = profile.may_draw_from(delivered_at.astimezone(account.zone).date()) if delivered_at else None
        work.draws.noticed(draw_id, notice=what, channel=channel, at=delivered_at, draw_from=since)
        work.audit.line(
            "draw.noticed", "draw", draw_id, actor=by, channel=channel, notice=what,
            delivered=delivered_at.isoformat() if delivered_at else None,
        )  # fmt: skip
        return _said(work, draw_id, dry_run=dry_run)


def _draw(work: Work, draw_id: int) -> Row:
    draw = work.draws.get(draw_id)
    if draw is None:
        raise Rejected(f"There is no draw {draw_id}.", reason="trust_draw_over")
    return draw


def _said(work: Work, draw_id: int, *, dry_run: bool) -> dict[str, Any]:
    return {"dry_run": dry_run, **dict(_draw(work, draw_id))}
