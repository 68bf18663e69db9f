"""Trust money in the story: deposits, draws, a late return and the month's end, by the people whose work that is."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import httpx

from orchestrator.demo.people import Act, Scene
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import Rejected
from orchestrator.sandbox import SandboxRefused
from orchestrator.usecases.authorise_draw import record_notice
from orchestrator.usecases.import_statement import import_statement
from orchestrator.usecases.map_reference import map_reference
from orchestrator.usecases.reconcile import reconcile
from orchestrator.usecases.show_trust import show_draws
from orchestrator.usecases.sign_period import sign_period

ACCOUNT = "trust"
"""What the scenarios, LawPay's pages and the firm's profile all call it."""

MISTYPED = "Fee transfer 4471"
ADMINISTRATOR = "Iris Vale"
NOTICE = "The bill, the amount to be drawn and the balance left after it."


def trust_deposit(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    """A client's cheque, banked and entered."""
    scene.sandbox.act(
        "deposit_trust", matter_id=scene.matter(facts["matter"]), amount=facts["amount"], why="Client's cheque"
    )
    return f"{facts['amount']} came into trust for {facts['matter']}"


def lawpay_deposit(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    """A client pays the firm's trust page; Clio hears of it when somebody enters it."""
    matter = scene.matter(facts["matter"])
    paid = scene.sandbox.act(
        "lawpay_pay", page=scene.names["lawpay_pages"][ACCOUNT], matter_id=matter, amount_cents=facts["amount_cents"],
        method=facts["method"],
    )  # fmt: skip
    scene.purse.deposits[paid["id"]] = matter
    return f"a client paid {facts['amount_cents'] / 100:,.2f} into trust on the LawPay page, by {facts['method']}"


def enter_deposits(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    """Each morning what has completed at LawPay is entered in Clio."""
    before = len(scene.purse.entered)
    for ident, matter in list(scene.purse.deposits.items()):
        try:
            line = scene.sandbox.act("link_lawpay_payment", id=ident, matter_id=matter)
        except SandboxRefused:
            continue  # it has not completed yet
        del scene.purse.deposits[ident]
        scene.purse.entered[ident] = line["id"]
    new = len(scene.purse.entered) - before
    return f"{new} LawPay deposits entered in Clio" if new else None


def answer_draws(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    """The administrator notes that the client was told, and the attorney completes the task that asks for the draw."""
    waiting = [ident for ident in sorted(scene.record.draw_tasks) if ident not in scene.purse.answered]
    if not waiting or (rt := _desk(scene)) is None:
        return None
    for draw in show_draws(rt, state="proposed"):
        if draw["noticed_at"] is None:
            now = rt.clock()
            record_notice(
                rt, draw["id"], what=NOTICE, channel="email", delivered_at=now, by=ADMINISTRATOR, dry_run=False
            )
    for ident in waiting:
        scene.sandbox.act("complete_task", id=ident)
        scene.purse.answered.add(ident)
    scene.purse.expecting = True
    return f"{len(waiting)} draws noticed and authorised"


def make_draws(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    """What was authorised is moved at LawPay and recorded in Clio; somebody mistypes the first one's reference."""
    if not scene.purse.expecting or (rt := _desk(scene)) is None:
        return None
    scene.purse.expecting = False
    authorised = show_draws(rt, state="authorised")
    new = [draw for draw in authorised if draw["id"] not in scene.purse.made]
    for draw in sorted(new, key=lambda draw: int(draw["id"])):
        typo = scene.purse.mistyped is None
        words = {"reference": MISTYPED} if typo else {}
        cents = draw["amount_cents"]
        drawn = scene.sandbox.act("lawpay_draw", bill_id=draw["bill_id"], amount_cents=cents, **words)
        noted = MISTYPED.split(maxsplit=1)[0] if typo else drawn["id"]
        scene.sandbox.act(
            "apply_trust", id=draw["bill_id"], amount=f"{cents / 100:.2f}", banked=False, confirmation=noted
        )
        scene.purse.made.add(draw["id"])
        if typo:
            scene.purse.mistyped = (MISTYPED, draw["matter_id"])
    return f"{len(new)} draws made at LawPay and recorded in Clio" if new else None


def trust_return(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    """A deposit by eCheck comes back days after it had completed; the bookkeeper takes it off the ledger again."""
    for ident, line in scene.purse.entered.items():
        try:
            scene.sandbox.act("lawpay_return_echeck", id=ident)
        except SandboxRefused:
            continue  # a card payment
        scene.sandbox.act("record_return", id=line)
        return "an eCheck deposit was returned by the payer's bank"
    return None


def month_end(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    """The bank's statement is imported, everything is compared, a mistyped reference is mapped, and the month is signed."""
    if (rt := _desk(scene)) is None:
        return None
    last = date.fromisoformat(facts["to"])
    for account in rt.settings.trust.firm_accounts:
        asked = {"from": facts["from"], "to": facts["to"]}
        answer = httpx.get(f"{scene.names['url']}/bank/{account.key}/statement.ofx", params=asked, trust_env=False)
        content = answer.raise_for_status().content
        import_statement(rt, account, content, name=f"{account.key}.ofx", by=ADMINISTRATOR)
    kept = next(account for account in rt.settings.trust.firm_accounts if account.key == ACCOUNT)
    run = reconcile(rt, kept, cut_off=last, by=ADMINISTRATOR)
    if scene.purse.mistyped is not None:
        reference, matter = scene.purse.mistyped
        map_reference(rt, reference, matter, provider="lawpay", by=ADMINISTRATOR, note="Mistyped at LawPay.")
        run = reconcile(rt, kept, cut_off=last, by=ADMINISTRATOR)
    try:
        sign_period(rt, run["id"], reviewer=rt.settings.trust.reviewers[0])
    except Rejected as why:
        return f"{last:%-d %B} was compared and cannot be signed yet: {why}"
    return f"all up to {last:%-d %B} was reconciled and signed"


def _desk(scene: Scene) -> Runtime | None:
    """The administrator's desk, if the firm watches its trust accounts."""
    return scene.desk if scene.desk is not None and scene.desk.settings.trust.accounts else None


TRUST: dict[str, Act] = {
    "trust_deposit": trust_deposit,
    "lawpay_deposit": lawpay_deposit,
    "enter_deposits": enter_deposits,
    "answer_draws": answer_draws,
    "make_draws": make_draws,
    "trust_return": trust_return,
    "month_end": month_end,
}
