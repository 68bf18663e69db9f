"""The independent record of every effect: appended as things happen, never derived from anyone's state."""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

from orchestrator.sandbox.clock import Clock, stamp

Facts = dict[str, Any]

SETTLED = frozenset({"payment.completed", "payment.completed_requiring_allocation"})

UNHURRIED = frozenset({"invoice", "invoice_link", "invoice_revised", "trust_notice"})
"""Steps of messages that chase nobody: they may come again when the bill changes, and a closed matter has its final bill."""

_DAY = timedelta(hours=24)
_REMEMBERED = 10_000


class Journal:
    """What happened, in order, with counts of the calls that asked for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._links_made: deque[datetime] = deque()
        self._planting = ""
        self.clear()

    def clear(self) -> None:
        """Forget what happened; the next entry is number 1 again. The 24-hour quota is not forgiven."""
        self.entries: list[Facts] = []
        self.requests: deque[Facts] = deque(maxlen=_REMEMBERED)
        self.calls: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.gateway_requests: deque[Facts] = deque(maxlen=_REMEMBERED)
        self.gateway_calls: Counter[str] = Counter()
        self.rate_limited = 0
        self.peak_active_links = 0
        self.peak_links_in_24h = 0

    def now(self) -> datetime:
        """The present sandbox moment."""
        return self._clock.now()

    def add(self, kind: str, ident: object, **facts: Any) -> None:
        """Append one effect at the present sandbox moment."""
        now = stamp(self._clock.now())
        marked = {"planted": self._planting} if self._planting else {}
        self.entries.append({"seq": len(self.entries) + 1, "at": now, "kind": kind, "id": ident, **facts, **marked})

    @contextmanager
    def planting(self, name: str) -> Iterator[None]:
        """Whatever happens meanwhile is the doing of the fault of that name, and is marked as such."""
        before, self._planting = self._planting, name
        try:
            yield
        finally:
            self._planting = before

    def called(self, method: str, template: str, status: int) -> None:
        """Count one answered (or dropped) call; a 429 is counted apart as well."""
        self.calls[f"{method} {template}"] += 1
        self.statuses[status] += 1
        self.rate_limited += status == 429

    def asked(self, method: str, template: str, params: list[tuple[str, str]], body: bytes) -> None:
        """Remember a request as it was sent, without its headers: no token is ever kept."""
        words = body.decode("utf-8", "replace")
        self.requests.append({"method": method, "path": template, "params": params, "body": words})

    def called_gateway(self, method: str, template: str, status: int) -> None:
        """Count one call to LawPay, apart from Clio's: only those have a budget."""
        self.gateway_calls[f"{method} {template}"] += 1
        self.gateway_calls[f"answered {status}"] += 1

    def asked_gateway(self, method: str, template: str, params: list[tuple[str, str]], body: bytes) -> None:
        """Remember a request to LawPay as it was sent, without its key."""
        words = body.decode("utf-8", "replace")
        self.gateway_requests.append({"method": method, "path": template, "params": params, "body": words})

    def link_made(self, active: int) -> None:
        """Move the peaks of both link quotas."""
        now = self._clock.now()
        self._links_made.append(now)
        self.peak_active_links = max(self.peak_active_links, active)
        self.peak_links_in_24h = max(self.peak_links_in_24h, self.links_in_24h())

    def links_in_24h(self) -> int:
        """How many links were made in the 24 hours up to now."""
        horizon = self._clock.now() - _DAY
        while self._links_made and self._links_made[0] <= horizon:
            self._links_made.popleft()
        return len(self._links_made)

    def select(self, kind: str | None = None, since_seq: int = 0) -> list[Facts]:
        """Entries after `since_seq` of one kind, or of a family when `kind` ends in a dot ("link.")."""
        found = self.entries[since_seq:]
        if not kind:
            return found
        if kind.endswith("."):
            return [entry for entry in found if entry["kind"].startswith(kind)]
        return [entry for entry in found if entry["kind"] == kind]

    def counts(self) -> Facts:
        """Calls per method and path template, statuses, and the peaks."""
        return {
            "calls": dict(sorted(self.calls.items())),
            "total_calls": sum(self.calls.values()),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "rate_limited": self.rate_limited,
            "lawpay_calls": dict(sorted(self.gateway_calls.items())),
            "peak_active_links": self.peak_active_links,
            "peak_links_in_24h": self.peak_links_in_24h,
        }


def about(mail: Facts) -> list[tuple[int, str]]:
    """The bills that a mail names, each with the step it says it is for; without one the step is empty."""
    bills, steps = ((mail[name] or "").replace(",", " ").split() for name in ("bill", "step"))
    return [(int(bill), step) for bill, step in zip_longest(bills, steps[: len(bills)], fillvalue="") if bill.isdigit()]
