"""Scripted faults: where they strike, how often, and how often they have."""

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.sandbox.refusal import unprocessable

ON_CALLS = frozenset(
    [
        "lose_answer",
        "drop_before",
        "create_later",
        "status",
        "status_after",
        "truncate",
        "empty",
        "html",
        "drip",
        "delay",
        "rate_limit_change",
        "retry_after",
        "paging_foreign_host",
        "paging_loop",
        "empty_data",
        "not_found",
        "stale_etag",
        "revoke_token",
    ]
)
ON_WEBHOOKS = frozenset({"webhook_drop", "webhook_duplicate", "webhook_reorder"})
# A mail fault strikes at one stage of a message; unless the script names another, at this one.
ON_MAIL = {"refuse": "connect", "reply": "rcpt", "drop_after_data": "data", "slow": "data"}

ON_LAWPAY = frozenset(
    [
        "lose_answer",
        "drop_before",
        "status",
        "status_after",
        "delay",
        "drip",
        "truncate",
        "empty",
        "html",
        "empty_data",
        "shift_page",
    ]
)
ON_BANK = frozenset({"net_deposit", "fee_from_trust", "missing_at_bank", "amount_differs", "duplicate"})
PLACES: dict[str, Collection[str]] = {
    "webhook": ON_WEBHOOKS,
    "lawpay_webhook": ON_WEBHOOKS,
    "smtp": ON_MAIL.keys(),
    "bank": ON_BANK,
}


@dataclass
class Fault:
    """One scripted fault: strikes `times` times (None: always) after letting `skip` calls pass, and never after `over_at`."""

    number: int
    on: str
    do: str
    times: int | None
    skip: int
    over_at: datetime | None
    params: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def spent(self, now: datetime) -> bool:
        over = self.over_at is not None and now >= self.over_at
        return over or (self.times is not None and self.hits >= self.times)

    def shown(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "on": self.on,
            "do": self.do,
            "times": self.times,
            "skip": self.skip,
            "hits": self.hits,
            **self.params,
        }


class Faults:
    """The script; asked once at each place where a fault may strike."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._script: list[Fault] = []
        self._numbers = itertools.count(1)

    def add(
        self, on: str, do: str, *, times: int | None = 1, skip: int = 0, for_seconds: float | None = None, **params: Any
    ) -> Fault:
        """Append one fault; a name that means nothing at that place is refused. After `for_seconds` it is over."""
        place: Collection[str] = PLACES.get(on, ON_LAWPAY if " /lawpay/" in on else ON_CALLS)
        if do not in place:
            raise unprocessable(f"{do} is no fault of {on}; choose from {', '.join(sorted(place))}.")
        if on == "smtp":
            params.setdefault("stage", ON_MAIL[do])
        where = "POST /oauth/token" if on == "token" else on
        over_at = None if for_seconds is None else self._now() + timedelta(seconds=for_seconds)
        fault = Fault(next(self._numbers), where, do, times, skip, over_at, params)
        self._script.append(fault)
        return fault

    def clear(self) -> None:
        self._script.clear()

    def shown(self) -> list[dict[str, Any]]:
        return [fault.shown() for fault in self._script]

    def take(self, place: str, *, among: Collection[str] = (), **facts: object) -> Fault | None:
        """The fault that strikes here now, if any: one of `among`, if given.

        `facts` must equal the fault's parameters of the same name.
        """
        now = self._now()
        for fault in self._script:
            if fault.spent(now) or not _matches(fault.on, place) or (among and fault.do not in among):
                continue
            if any(name in fault.params and fault.params[name] != value for name, value in facts.items()):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.hits += 1
            return fault
        return None


def _matches(pattern: str, place: str) -> bool:
    if pattern == place:
        return True
    method, _, path = pattern.partition(" ")
    there, _, where = place.partition(" ")
    return bool(path and where) and method in {"*", there} and path.removesuffix(".json") in {"*", where}
