"""The sandbox's record, folded into what a person in the firm could see: bills, links, mails, payments, tasks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Facts = dict[str, Any]

SETTLED = frozenset({"completed", "completed_requiring_allocation"})
ASKED = "Generate the bill"
DRAW = "Authorise "
UNPAID = "Invoice "


@dataclass
class Record:
    """Everything that happened so far; `hear` each effect once, in order."""

    seq: int = 0
    bills: dict[int, Facts] = field(default_factory=dict)
    issued: set[int] = field(default_factory=set)
    links: dict[int, Facts] = field(default_factory=dict)
    mailed: dict[str, Facts] = field(default_factory=dict)
    mails: int = 0
    letters: dict[int, Facts] = field(default_factory=dict)
    tasks: dict[int, Facts] = field(default_factory=dict)
    draw_tasks: dict[int, Facts] = field(default_factory=dict)
    flags: set[int] = field(default_factory=set)
    payments: dict[int, Facts] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    fell: set[int] = field(default_factory=set)
    sent_back: dict[int, float] = field(default_factory=dict)

    def hear(self, effects: Iterable[Facts]) -> None:
        for effect in effects:
            self.seq = effect["seq"]
            family, _, what = effect["kind"].partition(".")
            if family in _HEARD:
                _HEARD[family](self, what, effect)

    # ── what a person looks for ──

    def payable(self, client_id: int | None = None) -> list[Facts]:
        """Live links of ours that a client has in the mailbox, the oldest bill's first, each with its bill."""
        found = [
            {**link, "bill": self.bills[link["bill_id"]]}
            for link in self.links.values()
            if link["state"] == "live"
            and link["url"] in self.mailed
            and link["bill_id"] in self.bills
            and client_id in {None, self.bills[link["bill_id"]]["client_id"]}
        ]
        # By number, not by when each link was made: workers race, and the same seed should still tell the same story.
        return sorted(found, key=lambda link: int(link["bill"]["number"]))

    def drafts(self) -> list[Facts]:
        return [bill for bill in self.bills.values() if bill["state"] in {"draft", "awaiting_approval"}]

    def settled_by(self, method: str) -> list[Facts]:
        """Payments by card or eCheck that stand in full, oldest first."""
        return [
            payment
            for ident, payment in self.payments.items()
            if payment["method"] == method and payment["state"] in SETTLED and ident not in self.sent_back
        ]

    def standing_cents(self) -> int:
        """What came in through links and stayed, over all payments."""
        return sum(
            round(payment["amount"] * 100) - round(self.sent_back.get(ident, 0.0) * 100)
            for ident, payment in self.payments.items()
            if payment["state"] in SETTLED and payment["by"] != "stranger"
        )

    def reversed_payments(self) -> set[int]:
        """Payments that had settled and went back, whole or in part."""
        return self.sent_back.keys() | (self.settled & self.fell)


def _bill(record: Record, _what: str, effect: Facts) -> None:
    if "balance" in effect:
        record.bills[effect["id"]] = effect
        if effect["state"] in {"awaiting_payment", "paid"}:
            record.issued.add(effect["id"])


def _link(record: Record, what: str, effect: Facts) -> None:
    if what == "created":
        record.links[effect["id"]] = {**effect, "state": "live"}
    elif effect["id"] in record.links:
        record.links[effect["id"]]["state"] = what


def _mail(record: Record, what: str, effect: Facts) -> None:
    if what != "accepted":
        return
    record.mails += 1
    record.mailed |= dict.fromkeys(effect["urls"], effect)
    record.letters |= {int(bill): effect for bill in (effect["bill"] or "").split(",") if bill.strip().isdigit()}


def _task(record: Record, what: str, effect: Facts) -> None:
    name = str(effect.get("name", ""))
    if what == "created" and name.startswith(ASKED):
        record.tasks[effect["id"]] = effect
    if what == "created" and name.startswith(DRAW):
        record.draw_tasks[effect["id"]] = effect
    if what == "created" and name.startswith(UNPAID):
        record.flags.add(effect["id"])


def _payment(record: Record, what: str, effect: Facts) -> None:
    ident = effect["id"]
    if what == "reversed":
        record.sent_back[ident] = record.sent_back.get(ident, 0.0) + effect["amount"]
        return
    record.payments[ident] = {**effect, "state": what}
    if what in SETTLED:
        record.settled.add(ident)
    elif what in {"voided", "failed", "canceled"}:
        record.fell.add(ident)


_HEARD: dict[str, Callable[[Record, str, Facts], None]] = {
    "bill": _bill,
    "link": _link,
    "mail": _mail,
    "task": _task,
    "payment": _payment,
}
