"""What becomes of a bill of the year, acted out: it is issued under a name, and whoever deals with it says that name."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from orchestrator.demo.people import Act, Scene
from orchestrator.demo.record import Facts
from orchestrator.demo.words import Word
from orchestrator.domain.silence import REASON_OF, HoldKind, Subject
from orchestrator.usecases.hold_reminders import hold, release
from orchestrator.usecases.show_webhooks import show_mail

ADMINISTRATOR = "Rose Teal"
OPEN = frozenset({"awaiting_payment"})


def issue_bill(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    made = _issued(scene, facts, 1)
    scene.names.setdefault("bills", {})[facts["bill"]] = made[0]
    return f"{facts['amount']} billed on {facts['matter']}"


def twelve_bills(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    made = _issued(scene, facts, facts["bills"])
    return f"{len(made)} bills for one client issued at once, all due on one day"


def _issued(scene: Scene, facts: Mapping[str, Any], bills: int) -> list[int]:
    given = {"bills": bills, "amount": facts["amount"], "webhooks": True}
    made = scene.sandbox.act("bulk", matter_ids=[scene.matter(facts["matter"])], **given)
    return [int(ident) for ident in made["bill_ids"]]


def pay_bill(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    """By the link in the client's mailbox; nothing to do once the bill is over."""
    if (bill := _open(scene, facts)) is None:
        return OVER
    link = next((link for link in scene.record.payable() if link["bill_id"] == bill["id"]), None)
    if link is None:
        return None
    scene.sandbox.act("pay_link", url=link["url"], method=facts["method"])
    return f"a client paid bill {bill['number']} by {facts['method']}"


def bill_cheque(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    if (bill := _open(scene, facts)) is None:
        return OVER
    scene.sandbox.act("record_payment", id=bill["id"], amount=_share(bill, facts))
    return f"a cheque for bill {bill['number']} was recorded in Clio"


def bill_credit(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    if (bill := _open(scene, facts)) is None:
        return OVER
    scene.sandbox.act("credit_bill", id=bill["id"], amount=_share(bill, facts))
    return f"part of bill {bill['number']} was forgiven"


def bill_void(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    bill = _open(scene, facts)
    if bill is None or bill["pending"]:
        return OVER
    scene.sandbox.act("void_bill", id=bill["id"])
    return f"bill {bill['number']} was voided"


def client_moves(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    bill = scene.record.bills[scene.names["bills"][facts["bill"]]]
    scene.sandbox.act("edit_contact", id=bill["client_id"], email=f"moved.{bill['client_id']}@clients.test")
    return "a client has another address"


def mail_returns(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    """The relay tells the worker that the last letter about a bill found nobody; tried again while nobody answers there."""
    bill = _open(scene, facts)
    if bill is None or scene.desk is None:
        return OVER
    letter, hook = scene.record.letters.get(bill["id"]), show_mail(scene.desk)["address"]
    if letter is None or hook is None:
        return None
    message = {"headers": {"message-id": letter["id"].strip("<>")}}
    said = {"event": "failed", "severity": "permanent", "message": message, "delivery-status": {"code": 550}}
    try:
        httpx.post(hook, json={"event-data": said}, trust_env=False).raise_for_status()
    except httpx.HTTPError:
        return None
    scene.sandbox.act("return_mail", id=letter["id"])
    return f"the letter about bill {bill['number']} came back"


def word_given(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    """A person's word on a bill, that Clio has no place for: a promise, a dispute, a plan."""
    bill = _open(scene, facts)
    if bill is None or scene.desk is None:
        return OVER
    kind = HoldKind(facts["kind"])
    about = (Subject.CLIENT, bill["client_id"]) if kind is HoldKind.PAUSE else (Subject.BILL, bill["id"])
    until = scene.today + timedelta(days=facts["days"]) if "days" in facts else None
    held = hold(scene.desk, *about, kind, until=until, why="By telephone.", by=ADMINISTRATOR, dry_run=False)
    scene.names.setdefault("holds", {})[facts["bill"]] = held["hold"]
    whom, ident = about
    scene.words.say(facts["bill"], Word(REASON_OF[kind], scene.today, until, **{whom.value: ident}))
    return f"bill {bill['number']}: {held['meaning']}"


def word_over(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    held = scene.names.get("holds", {}).pop(facts["bill"], None)
    if held is None or scene.desk is None:
        return OVER
    release(scene.desk, held, why="Settled with the client.", by=ADMINISTRATOR, dry_run=False)
    scene.words.over(facts["bill"], scene.today)
    return "what held a bill's reminders is over"


OVER = "nothing was left to do about a bill"


def _open(scene: Scene, facts: Mapping[str, Any]) -> Facts | None:
    bill = scene.record.bills[scene.names["bills"][facts["bill"]]]
    return bill if bill["state"] in OPEN and bill["balance"] > 0 else None


def _share(bill: Facts, facts: Mapping[str, Any]) -> str:
    return f"{bill['balance'] * facts['share']:.2f}"


COLLECTING: dict[str, Act] = {
    "issue_bill": issue_bill,
    "twelve_bills": twelve_bills,
    "pay_bill": pay_bill,
    "bill_cheque": bill_cheque,
    "bill_credit": bill_credit,
    "bill_void": bill_void,
    "client_moves": client_moves,
    "mail_returns": mail_returns,
    "word_given": word_given,
    "word_over": word_over,
}
