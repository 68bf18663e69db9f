"""What people do, and how the outside misbehaves: each event of the story acted out in the sandbox."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from orchestrator.demo.purse import Purse
from orchestrator.demo.record import Facts, Record
from orchestrator.demo.words import Words, office_date
from orchestrator.engine.runtime import Runtime
from orchestrator.sandbox import SandboxClient, SandboxRefused

if TYPE_CHECKING:
    from orchestrator.demo.outages import Outages

DAY_SECONDS = 86_400


@dataclass
class Scene:
    """The sandbox, what it has recorded so far, and what the story's names stand for."""

    sandbox: SandboxClient
    record: Record = field(default_factory=Record)
    names: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    desk: Runtime | None = None
    outages: "Outages | None" = None
    purse: Purse = field(default_factory=Purse)
    words: Words = field(default_factory=Words)

    def look(self) -> None:
        """Hear what the sandbox recorded since the last look."""
        self.record.hear(self.sandbox.effects(since_seq=self.record.seq))

    @property
    def today(self) -> date:
        """The day at the office."""
        return office_date(self.sandbox.now())

    def matter(self, name: str) -> int:
        return int(self.names["matters"][name])


Act = Callable[[Scene, Mapping[str, Any]], str | None]


# ── attorneys ──


def log_time(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    if facts["matter"] not in scene.names["matters"]:
        return None
    who = {"user_id": scene.names["users"][facts["user"]]} if facts.get("user") else {}
    entry = scene.sandbox.act(
        "log_time", matter_id=scene.matter(facts["matter"]), quantity_seconds=round(facts["hours"] * 3600), **who
    )
    scene.entries[facts["entry"]] = entry["id"]
    return f"{facts['hours']:g} h logged on {facts['matter']}"


def edit_time(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    if facts["entry"] not in scene.entries:
        return None
    scene.sandbox.act("edit_time", id=scene.entries[facts["entry"]], quantity_seconds=round(facts["hours"] * 3600))
    return f"time entry corrected to {facts['hours']:g} h"


def open_matter(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    matter = scene.sandbox.act("create_matter", **facts)
    scene.names["matters"][facts["key"]] = matter["id"]
    return f"matter {facts['key']} opened"


def close_matter(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    scene.sandbox.act("close_matter", matter_id=scene.matter(facts["matter"]))
    return f"matter {facts['matter']} closed: the final bill is due"


def set_stage(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    scene.sandbox.act("set_stage", matter_id=scene.matter(facts["matter"]), stage=facts["stage"])
    return f"matter {facts['matter']} reached {facts['stage']}: its flat fee is due"


def fill_address(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    scene.sandbox.act("edit_contact", id=scene.names["contacts"][facts["client"]], email=facts["email"])
    return f"the missing address of {facts['client']} was filled in"


# ── billing administrator ──


def answer_tasks(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    """Work through the tasks in Clio that ask for bills."""
    asked = sorted(scene.record.tasks.values(), key=lambda task: (task["at"], task["matter_id"]))
    waiting = [task for task in asked if task["id"] not in scene.answered][: facts["most"]]
    made = sum(_answer(scene, task, approve=facts["approve"]) for task in waiting)
    if not waiting:
        return None
    return f"{made} {'bill' if made == 1 else 'bills'} generated{' and issued' if facts['approve'] else ''}"


def _answer(scene: Scene, task: Facts, *, approve: bool) -> bool:
    scene.answered.add(task["id"])
    try:
        bill = scene.sandbox.act("generate_bill", matter_id=task["matter_id"])
    except SandboxRefused:
        # Somebody billed that work already; the task is closed all the same.
        scene.sandbox.act("complete_task", id=task["id"])
        return False
    if approve:
        scene.sandbox.act("approve_bill", id=bill["id"])
    scene.sandbox.act("complete_task", id=task["id"])
    return True


def approve_drafts(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    drafts = [bill for bill in scene.record.drafts() if bill["at"][:10] < scene.sandbox.now().isoformat()[:10]]
    for bill in drafts:
        scene.sandbox.act("approve_bill", id=bill["id"])
    return f"{len(drafts)} waiting drafts issued" if drafts else None


def bill_by_hand(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    bill = scene.sandbox.act("generate_bill", matter_id=scene.matter(facts["matter"]))
    scene.sandbox.act("approve_bill", id=bill["id"])
    return f"bill {bill['number']} issued without being asked for"


def draft_by_hand(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    bill = scene.sandbox.act("generate_bill", matter_id=scene.matter(facts["matter"]))
    return f"draft {bill['number']} made and left lying"


def bulk_bills(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    given = {name: facts[name] for name in ("bills", "amount", "due_at")}
    made = scene.sandbox.act("bulk", matter_ids=[scene.matter(facts["matter"])], webhooks=True, **given)
    return f"{len(made['bill_ids'])} bills for one client issued at once"


def trust_request(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    scene.sandbox.act("request_trust", matter_id=scene.matter(facts["matter"]), amount=facts["amount"])
    return "a retainer was requested: a deposit, not a debt"


def cheque(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    if not (open_ := scene.record.payable()):
        return None
    scene.sandbox.act("record_payment", id=open_[0]["bill_id"])
    return f"a cheque for bill {open_[0]['bill']['number']} was recorded while its link was live"


def credit_bill(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    if not (open_ := scene.record.payable()):
        return None
    bill = open_[-1]["bill"]
    scene.sandbox.act("credit_bill", id=bill["id"], amount=f"{bill['balance'] / 5:.2f}")
    return f"bill {bill['number']} was reduced after its link went out"


def void_bill(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    unpaid = [link for link in scene.record.payable() if not link["bill"]["pending"]]
    if not unpaid:
        return None
    scene.sandbox.act("void_bill", id=unpaid[-1]["bill_id"])
    return f"bill {unpaid[-1]['bill']['number']} was voided after its link went out"


# ── clients and banks ──


def client_pays(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    client = scene.names["contacts"].get(facts["client"])
    return _pay(scene, client, method=facts["method"])


def payment_fails(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    return _pay(scene, None, method="echeck", final_state="failed", settle_after_seconds=2 * DAY_SECONDS)


def payment_voided(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
    return _pay(scene, None, method="card", final_state="voided", settle_after_seconds=DAY_SECONDS / 2)


def _pay(scene: Scene, client: int | None, **how: Any) -> str | None:
    if not (open_ := scene.record.payable(client)):
        return None
    scene.sandbox.act("pay_link", url=open_[0]["url"], **how)
    fate = f", and it will be {how['final_state']}" if "final_state" in how else ""
    return f"a client paid bill {open_[0]['bill']['number']} by {how['method']}{fate}"


def goes_back(verb: str, method: str, words: str, *, share: float | None = None) -> Act:
    """A verb that sends the newest settled payment of a method back, whole or in part."""

    def act(scene: Scene, facts: Mapping[str, Any]) -> str | None:  # noqa: ARG001
        if not (settled := scene.record.settled_by(method)):
            return None
        part = {} if share is None else {"amount": f"{settled[-1]['amount'] * share:.2f}"}
        scene.sandbox.act(verb, id=settled[-1]["id"], **part)
        return words

    return act


# ── the outside ──


def trouble(scene: Scene, facts: Mapping[str, Any]) -> str | None:
    scene.sandbox.fault(**facts)
    return f"trouble ahead: {facts['do'].replace('_', ' ')} on {facts['on']}"


PEOPLE: dict[str, Act] = {
    "log_time": log_time,
    "edit_time": edit_time,
    "open_matter": open_matter,
    "close_matter": close_matter,
    "set_stage": set_stage,
    "fill_address": fill_address,
    "answer_tasks": answer_tasks,
    "approve_drafts": approve_drafts,
    "bill_by_hand": bill_by_hand,
    "draft_by_hand": draft_by_hand,
    "bulk_bills": bulk_bills,
    "trust_request": trust_request,
    "cheque": cheque,
    "credit_bill": credit_bill,
    "void_bill": void_bill,
    "client_pays": client_pays,
    "payment_fails": payment_fails,
    "payment_voided": payment_voided,
    "refund": goes_back("refund_payment", "card", "a card payment was refunded"),
    "part_refund": goes_back("refund_payment", "card", "part of a card payment was refunded", share=0.4),
    "chargeback": goes_back("chargeback_payment", "card", "a card payment was charged back"),
    "late_return": goes_back("return_payment", "echeck", "an eCheck came back days after it had completed"),
    "trouble": trouble,
}

ROUTINE = frozenset(
    {"answer_tasks", "approve_drafts", "client_pays", "edit_time", "enter_deposits", "answer_draws", "make_draws"}
)
"""What is tried again and again anyway; anything else without an occasion waits for the next day."""
