"""The verdict over what a worker did, reached from the journal alone."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.sandbox.hindrances import Hindrances
from orchestrator.sandbox.journal import SETTLED, UNHURRIED, Facts, Journal, about
from orchestrator.sandbox.trust_record import Trust

SHUT = frozenset({"paid", "void", "deleted"})


@dataclass
class _Story:
    """The journal, told up to a point."""

    bills: dict[int, Facts] = field(default_factory=dict)
    alive: dict[int, dict[int, Facts]] = field(default_factory=lambda: defaultdict(dict))
    duplicate_links: set[int] = field(default_factory=set)
    quota_breaches: int = 0
    mailed: set[str] = field(default_factory=set)
    mails_after_payment: list[Facts] = field(default_factory=list)
    mails_to_closed_matters: list[Facts] = field(default_factory=list)
    chased: Counter[tuple[int, str]] = field(default_factory=Counter)
    closed: set[int] = field(default_factory=set)
    message_ids: Counter[str] = field(default_factory=Counter)
    mail_keys: Counter[tuple[str, str]] = field(default_factory=Counter)
    payments: dict[int, Facts] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    trust: Trust = field(default_factory=Trust)
    record: Hindrances = field(default_factory=Hindrances)

    def hear(self, entry: Facts) -> None:
        kind = entry["kind"]
        self.trust.hear(entry)
        self.record.hear(entry)
        if kind.startswith("payment.") and kind in SETTLED:
            self.payments.setdefault(entry["id"], entry)
        elif kind in HEARD:
            HEARD[kind](self, entry)

    def bill_moved(self, entry: Facts) -> None:
        self.bills[entry["id"]] = entry

    def link_made(self, entry: Facts) -> None:
        if entry["by"] != "app" or (entry["bill_id"] is None and entry["contact_id"] is None):
            return
        for ident in self._bills_of(entry):
            if self.alive[ident]:
                self.duplicate_links.add(ident)
            self.alive[ident][entry["id"]] = entry

    def _bills_of(self, link: Facts) -> list[int]:
        """What a link collects: its bill, or all that its client owes at that moment."""
        if link["bill_id"] is not None:
            return [link["bill_id"]]
        return [
            ident for ident, bill in self.bills.items()
            if bill["client_id"] == link["contact_id"] and bill["state"] == "awaiting_payment"
            and bill["bill_kind"] == "revenue_kind"
        ]  # fmt: skip

    def link_over(self, entry: Facts) -> None:
        for living in [self.alive[entry["bill_id"]]] if entry["bill_id"] is not None else self.alive.values():
            living.pop(entry["id"], None)

    def link_refused(self, entry: Facts) -> None:
        self.quota_breaches += entry["by"] == "app"

    def mail(self, entry: Facts) -> None:
        self.mailed.update(entry["urls"])
        self.message_ids[str(entry["id"])] += 1
        for recipient in entry["to"] if entry["key"] else ():
            self.mail_keys[recipient, entry["key"]] += 1
        for ident, step in about(entry):
            bill = self.bills.get(ident)
            said = {"bill_id": ident, "message_id": entry["id"], "at": entry["at"]}
            if bill is not None and (bill["balance"] <= 0 or bill["state"] in SHUT):
                self.mails_after_payment.append(said)
            if not step or step in UNHURRIED:
                continue
            self.chased[ident, step] += 1
            if bill is not None and bill["matter_ids"] and self.closed.issuperset(bill["matter_ids"]):
                self.mails_to_closed_matters.append(said)

    def matter_moved(self, entry: Facts) -> None:
        (self.closed.add if entry["status"] == "Closed" else self.closed.discard)(entry["id"])

    def note(self, entry: Facts) -> None:
        if "matter_id" in entry:
            self.notes[entry["matter_id"]].append(f"{entry['subject']} {entry['detail']}")

    # -- what is missing at the end ---------------------------------------------------------------------------------

    def missing(self, now: datetime) -> list[Facts]:
        """Each with what stands against it now, as far as the record shows."""
        missing = [*self._unasked(), *self._unnoted(), *self._left_open()]
        return [one | {"stood": self._stood(one, now)} for one in missing]

    def _stood(self, missing: Facts, now: datetime) -> list[str]:
        bills = [missing["bill_id"]] if "bill_id" in missing else self.payments[missing["payment_id"]]["bill_ids"]
        return sorted({code for bill in bills for code in self.record.stood(bill, now, now)})

    def _unasked(self) -> list[Facts]:
        found = []
        for ident, bill in self.bills.items():
            owed = round(bill["balance"] - bill["pending"], 2)
            if bill["bill_kind"] != "revenue_kind" or bill["state"] != "awaiting_payment" or owed <= 0:
                continue
            urls = {link["url"] for link in self.alive[ident].values()}
            why = "no live link" if not urls else "" if urls & self.mailed else "link in no mail"
            if why:
                found.append({"kind": "link", "bill_id": ident, "why": why})
        return found

    def _unnoted(self) -> list[Facts]:
        found = []
        for ident, payment in self.payments.items():
            if payment["by"] == "stranger":
                continue
            words = {str(ident), str(payment["confirmation"])}
            words |= {str(self.bills[bill]["number"]) for bill in payment["bill_ids"] if bill in self.bills}
            texts = [text for matter in payment["matter_ids"] for text in self.notes[matter]]
            if payment["matter_ids"] and not any(word in text for text in texts for word in words):
                found.append({"kind": "note", "payment_id": ident, "why": "no note on the matter"})
        return found

    def _left_open(self) -> list[Facts]:
        return [
            {"kind": "expiry", "bill_id": ident, "link_id": link, "why": f"link alive though bill is {bill['state']}"}
            for ident, bill in self.bills.items()
            if bill["state"] in SHUT
            for link in self.alive[ident]
        ]


HEARD: dict[str, Any] = {
    "bill.moved": _Story.bill_moved,
    "matter.moved": _Story.matter_moved,
    "link.created": _Story.link_made,
    "link.expired": _Story.link_over,
    "link.used": _Story.link_over,
    "link.refused": _Story.link_refused,
    "mail.accepted": _Story.mail,
    "note.created": _Story.note,
}


def verdict(journal: Journal) -> Facts:
    """Duplicates, breaches and omissions, each with what shows it."""
    story = _Story()
    for entry in journal.entries:
        story.hear(entry)
    same_id = [{"message_id": ident, "times": n} for ident, n in story.message_ids.items() if n > 1]
    same_key = [{"to": to, "key": key, "times": n} for (to, key), n in story.mail_keys.items() if n > 1]
    return {
        "duplicate_links": sorted(story.duplicate_links),
        "duplicate_mails": [*same_id, *same_key],
        "quota_breaches": story.quota_breaches,
        "mails_after_payment": story.mails_after_payment,
        "mails_to_closed_matters": story.mails_to_closed_matters,
        "repeated_steps": [
            {"bill_id": bill, "step": step, "times": n} for (bill, step), n in story.chased.items() if n > 1
        ],
        "steps": dict(sorted(Counter(step for _, step in story.chased.elements()).items())),
        "missing": story.missing(journal.now()),
        "trust_violations": story.trust.violations(),
        "planted": story.trust.planted,
    }
