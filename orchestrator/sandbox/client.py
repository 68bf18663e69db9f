"""The sandbox's control doors as plain methods, over HTTP, wherever it runs."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

Facts = dict[str, Any]


class SandboxRefused(Exception):
    """The sandbox would not do what was asked; the words are its own."""


class SandboxClient:
    """Drives one sandbox: its clock, its people, its faults, and the record of what happened."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # The server closes what was idle for five seconds: on a busy machine a connection kept as long would be cut in use.
        kept = httpx.Limits(keepalive_expiry=2)
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=False, limits=kept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def act(self, verb: str, **facts: Any) -> Facts:
        """Let a person do something; returns the object it concerned."""
        return self._object("POST", f"/sandbox/act/{verb}", facts)

    def now(self) -> datetime:
        return datetime.fromisoformat(str(self._object("GET", "/clock")["now"]))

    def clock_advance(self, seconds: float) -> datetime:
        """Move sandbox time on; all that falls due on the way has happened when this returns."""
        return self._clock({"advance_seconds": seconds})

    def clock_set(self, now: datetime) -> datetime:
        return self._clock({"now": now.isoformat()})

    def freeze(self, *, frozen: bool = True) -> datetime:
        return self._clock({"frozen": frozen})

    def reset(self, scenario: str | Facts = "small-firm", **start: Any) -> Facts:
        """Begin again: `seed`, `now`, `rate_limit`, `frozen` as for a fresh sandbox."""
        return self._object("POST", "/sandbox/reset", {"scenario": scenario, **start})

    def fault(self, on: str, do: str, **params: Any) -> Facts:
        """Script a fault, once unless `times` says otherwise (None: always)."""
        return self._object("POST", "/sandbox/faults", {"on": on, "do": do, **params})

    def faults(self) -> list[Facts]:
        return self._list("GET", "/sandbox/faults")

    def clear_faults(self) -> None:
        self._list("DELETE", "/sandbox/faults")

    def rate_limit(self, limit: int) -> None:
        """Announce another limit from the next answer on."""
        self._object("POST", "/sandbox/rate_limit", {"limit": limit})

    def settle(self) -> int:
        """Wait until every webhook on its way was attempted; returns how many there were."""
        return int(self._object("POST", "/sandbox/settle")["deliveries"])

    def effects(self, kind: str | None = None, since_seq: int = 0) -> list[Facts]:
        """What happened, of one kind ("link.created") or a family ("link.")."""
        return self._list(
            "GET", "/sandbox/effects", params={"since_seq": since_seq, **({"kind": kind} if kind else {})}
        )

    def clear_effects(self) -> None:
        self._list("DELETE", "/sandbox/effects")

    def counts(self) -> Facts:
        return self._object("GET", "/sandbox/counts")

    def requests(self) -> list[Facts]:
        """What was sent to Clio, word for word: method, path template, params and body."""
        return self._list("GET", "/sandbox/requests")

    def lawpay_requests(self) -> list[Facts]:
        """What was sent to LawPay, word for word."""
        return self._list("GET", "/sandbox/lawpay/requests")

    def bank(self) -> list[Facts]:
        """The bank's lines, those included that it has not booked yet; amounts in cents."""
        return self._list("GET", "/sandbox/bank")

    def mail(self) -> list[Facts]:
        return self._list("GET", "/sandbox/mail")

    def oracle(self) -> Facts:
        return self._object("GET", "/sandbox/oracle")

    def unanswered(self, steps: Sequence[Facts], **office: Any) -> list[Facts]:
        """Steps (`key`, `days`, `from`, `action`) that unpaid bills came to and nothing answered; `zone`, `region`, `closed`."""
        return list(self._ask("POST", "/sandbox/unanswered", json={"steps": steps, **office}))

    def state(self) -> Facts:
        return self._object("GET", "/sandbox/state")

    def _clock(self, facts: Facts) -> datetime:
        return datetime.fromisoformat(str(self._object("POST", "/sandbox/clock", facts)["now"]))

    def _object(self, method: str, path: str, facts: Facts | None = None) -> Facts:
        return dict(self._ask(method, path, json=facts))

    def _list(self, method: str, path: str, params: Facts | None = None) -> list[Facts]:
        return list(self._ask(method, path, params=params))

    def _ask(self, method: str, path: str, **given: Any) -> Any:
        answer = self._http.request(method, path, **given)
        if answer.is_error:
            raise SandboxRefused(answer.json()["error"] if "json" in answer.headers["content-type"] else answer.text)
        return answer.json()
