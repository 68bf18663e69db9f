"""What the firm did with client money, told from the journal alone: nothing here asks the firm, LawPay or the bank."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.sandbox.journal import Facts

Ledger = tuple[int, int | None, int | None]
"""A trust account, a client, and the matter or None for money that is the client's at large."""


@dataclass
class Trust:
    """Violations of the firm's own doing; what a planted fault did is not among them but in `planted`."""

    balances: dict[Ledger, int] = field(default_factory=lambda: defaultdict(int))
    found: list[Facts] = field(default_factory=list)
    drawn: dict[int, list[Facts]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[str, Facts] = field(default_factory=dict)
    planted: list[Facts] = field(default_factory=list)

    def hear(self, entry: Facts) -> None:
        match entry["kind"]:
            case "ledger.posted" if entry["account_class"] == "Trust":
                self._posted(entry)
            case "draw.made":
                self.sent[entry["id"]] = entry
                self._judge_draw(entry)
            case "lawpay.voided" | "lawpay.failed":
                self.sent.pop(entry["id"], None)
            case "fault.planted":
                told = {name: value for name, value in entry.items() if name not in {"kind", "id", "found", "planted"}}
                self.planted.append({"name": entry["id"], "expects": entry["id"], **told, **entry.get("found", {})})

    def _posted(self, entry: Facts) -> None:
        ledger = (entry["account_id"], entry["client_id"], entry["matter_id"])
        self.balances[ledger] += entry["amount_cents"]
        outward = entry["amount_cents"] < 0 and not entry["imposed"]
        if outward and self.balances[ledger] < 0:
            self._find("negative_ledger", entry, balance_cents=self.balances[ledger])
        if outward and entry["by"] == "app":
            self._find("moved_by_the_worker", entry)
        if entry["draw"]:
            self._judge_draw(entry)
            self.drawn[entry["bill_id"]].append(entry)

    def _judge_draw(self, entry: Facts) -> None:
        """A draw pays its own matter's bill, and somebody who may authorises it."""
        if entry["bill_id"] is not None and entry["matter_id"] not in entry["bill_matter_ids"]:
            self._find("cross_matter", entry)
        if not entry["signatory"]:
            self._find("unauthorised", entry)

    def violations(self) -> list[Facts]:
        return [*self.found, *self._above_the_bill(), *self._twice()]

    def _above_the_bill(self) -> Iterator[Facts]:
        """All that was drawn for a bill against what it was made out for, in Clio's ledger and at LawPay apart."""
        sent: dict[int, list[Facts]] = defaultdict(list)
        for entry in self.sent.values():
            if entry["bill_id"] is not None:
                sent[entry["bill_id"]].append(entry)
        for draws in [*self.drawn.values(), *sent.values()]:
            own = [entry for entry in draws if "planted" not in entry]
            total = sum(abs(entry["amount_cents"]) for entry in own)
            if own and total > own[-1]["bill_due_cents"]:
                yield _told("above_the_bill", own[-1], drawn_cents=total, bill_due_cents=own[-1]["bill_due_cents"])

    def _twice(self) -> Iterator[Facts]:
        """Two draws at LawPay under one reference, for one bill and of one amount."""
        seen: set[tuple[object, ...]] = set()
        for entry in self.sent.values():
            key = (entry["bill_id"], entry["matter_id"], entry["reference"], entry["amount_cents"])
            if key in seen and "planted" not in entry:
                yield _told("duplicate_draw", entry)
            seen.add(key)

    def _find(self, kind: str, entry: Facts, **facts: object) -> None:
        if "planted" not in entry:
            self.found.append(_told(kind, entry, **facts))


def _told(kind: str, entry: Facts, **facts: object) -> Facts:
    shown = {name: entry[name] for name in ("at", "id", "amount_cents", "matter_id", "bill_id", "authorised_by")}
    return {"kind": kind, **shown, **facts}
