"""The sandbox's record, folded into what a person in the firm could see: bills, links, mails, payments, tasks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Facts = dict[str, Any]

SETTLED = frozenset({"completed", "completed_requiring_allocation"})
ASKED = "Generate the bill"


@dataclass
class Record:
    """Everything that happened so far; `hear` each effect once, in order."""

    seq: int = 0
    bills: dict[int, Facts] = field(default_factory=dict)
    issued: set[int] = field(default_factory=set)
    links: dict[int, Facts] = field(default_factory=dict)
    mailed: dict[str, Facts] = field(default_factory=dict)
    mails: int = 0
    tasks: dict[int, Facts] = field(default_factory=dict)
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

    def _bill(self, _what: str, effect: Facts) -> None:
        if "balance" in effect:
            self.bills[effect["id"]] = effect
            if effect["state"] in {"awaiting_payment", "paid"}:
                self.issued.add(effect["id"])

    def _link(self, what: str, effect: Facts) -> None:
        if what == "created":
            self.links[effect["id"]] = {**effect, "state": "live"}
        elif effect["id"] in self.links:
            self.links[effect["id"]]["state"] = what

    def _mail(self, _what: str, effect: Facts) -> None:
        self.mails += 1
        self.mailed |= dict.fromkeys(effect["urls"], effect)

    def _task(self, what: str, effect: Facts) -> None:
        if what == "created" and str(effect["name"]).startswith(ASKED):
            self.tasks[effect["id"]] = effect

    def _payment(self, what: str, effect: Facts) -> None:
        ident = effect["id"]
        if what == "reversed":
            self.sent_back[ident] = self.sent_back.get(ident, 0.0) + effect["amount"]
            return
        self.payments[ident] = {**effect, "state": what}
        if what in SETTLED:
            self.settled.add(ident)
        elif what in {"voided", "failed", "canceled"}:
            self.fell.add(ident)

    # ── what a person looks for ──

    def payable(self, client_id: int | None = None) -> list[Facts]:
        """Live links of ours that a client has in the mailbox, oldest first, each with its bill."""
        return [
            {**link, "bill": self.bills[link["bill_id"]]}
            for link in self.links.values()
            if link["state"] == "live"
            and link["url"] in self.mailed
            and link["bill_id"] in self.bills
            and client_id in {None, self.bills[link["bill_id"]]["client_id"]}
        ]

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


_HEARD = {
    "bill": Record._bill,
    "link": Record._link,
    "mail": Record._mail,
    "task": Record._task,
    "payment": Record._payment,
}
