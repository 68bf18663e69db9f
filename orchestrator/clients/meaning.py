"""What an answer of a provider means for the work that asked: the one table, and nothing else decides it.

 what came back                                   a read              a write
 ──────────────────────────────────────────────── ─────────────────── ──────────────────────────────
 nothing left us: refused, DNS, pool, TLS (F05)    Transient           Transient
 no room in the request budget                     Paced               Paced
 nothing, or cut off by deadline (F06, F08)        Transient           OutcomeUnknown
 2xx that cannot be read (F07)                     Transient           OutcomeUnknown
 1xx, 3xx, 408, 5xx (F02)                          Transient           OutcomeUnknown
 401 (F47)                                         NeedsConnection     NeedsConnection
 403 (F46)                                         Shut                Shut            `…_forbidden`
 404                                               NotFound            NotFound
 410 (F42)                                         Shut                Shut            `…_version_retired`
 301, 308 (F42)                                    Shut                OutcomeUnknown  `…_path_moved`
 412 (F39)                                         Stale               Stale
 429 (F31)                                         Paced               Paced
 any other 4xx                                     Refused             Refused

Without credentials (a token endpoint) 401 and 403 are an answer like any other 4xx, and so is a 403 at a door that not every
account has.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import OrchestratorError, OutcomeUnknown, Paced, Rejected, Shut, Stale, Transient


class Refused(Rejected):
    """A definite no: `status`, and the provider's error `type` and `detail`, both redacted and shortened."""

    def __init__(self, message: str, *, reason: str, status: int, type: str = "", detail: str = "") -> None:  # noqa: A002
        super().__init__(message, reason=reason)
        self.status = status
        self.type = type
        self.detail = detail


class NotFound(Refused):
    """Missing, or not visible to our user; not proof of deletion before it was seen twice (F40)."""


class Unreadable(ValueError):
    """Raised while reading a 2xx answer that lacks what was asked for: the answer counts as lost (F07)."""


def complaint(error: ValidationError) -> str:
    """Which fields were wrong and how, without what stood in them."""
    return ", ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors(include_input=False))


@dataclass(frozen=True, slots=True)
class Answered:
    """What is needed to judge an answer: who answered what, to which kind of request.

    `optional` is a door that not every account has: its 403 is about the door, not about us.
    """

    provider: str
    method: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    credentials: bool
    now: float
    optional: bool = False

    @property
    def error(self) -> tuple[str, str]:
        return error_of(self.body)

    @property
    def says(self) -> str:
        """The provider's refusal as one sentence that is safe to store and show."""
        return f"{self.provider} answered {self.status}" + "".join(f", {part}" for part in self.error if part) + "."


LONGEST_WAIT = 3600.0
"""A provider that asks for a day is asked again after an hour (F31)."""

_WAIT_UNKNOWN = 60.0
_DONE = range(200, 300)
_DECIDED = range(400, 500)
_UNDECIDED = {HTTPStatus.REQUEST_TIMEOUT}
_READING = {"GET", "HEAD"}


def lost(method: str, why: str, *, wait: float | None = None) -> OrchestratorError:
    """The error for a request that left and brought back nothing usable; `why` names no person and no secret."""
    if method in _READING:
        return Transient(f"The answer to a read was lost: {why}.", retry_after=wait)
    return OutcomeUnknown(f"A {method} was sent and its answer was lost: {why}.")


def meaning(answer: Answered) -> OrchestratorError | None:
    """The error `answer` stands for, or None for 2xx; a 401 with credentials is the caller's, who can renew them."""
    if answer.status in _DONE:
        return None
    if answer.status in _MOVED and answer.credentials and answer.method in _READING:
        return _shut(answer)
    if answer.status not in _DECIDED or answer.status in _UNDECIDED:
        wait = retry_after(answer.headers, now=answer.now) if "retry-after" in answer.headers else None
        return lost(answer.method, f"status {answer.status}", wait=wait)
    if answer.status in FOR_THE_FIRM and not answer.credentials:
        return _refused(answer)
    if answer.status == HTTPStatus.FORBIDDEN and answer.optional:
        return _refused(answer)
    return _REFUSALS.get(answer.status, _refused)(answer)


def _refused(answer: Answered) -> Refused:
    kind, detail = answer.error
    return Refused(
        answer.says, reason=f"{answer.provider.lower()}_refused", status=answer.status, type=kind, detail=detail
    )


def _not_found(answer: Answered) -> NotFound:
    kind, detail = answer.error
    return NotFound(
        answer.says, reason=f"{answer.provider.lower()}_not_found", status=answer.status, type=kind, detail=detail
    )


def _shut(answer: Answered) -> Shut:
    return Shut(answer.says, retry_after=SHUT_SECONDS, notice=notice_of(answer.provider, answer.status))


def notice_of(provider: str, status: int) -> str:
    """The reason under which a person hears of a door that is shut with this status."""
    return f"{provider.lower()}_{FOR_THE_FIRM[status]}"


def _paced(answer: Answered) -> Paced:
    return Paced(answer.says, retry_after=retry_after(answer.headers, now=answer.now))


_MOVED = {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT}
FOR_THE_FIRM: dict[int, str] = {
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.GONE: "version_retired",
    **dict.fromkeys(_MOVED, "path_moved"),
}
"""Answers that are not about the one request: everything that would ask the same must wait for a person."""

SHUT_SECONDS = 300.0

_REFUSALS: dict[int, Callable[[Answered], OrchestratorError]] = {
    HTTPStatus.FORBIDDEN: _shut,
    HTTPStatus.NOT_FOUND: _not_found,
    HTTPStatus.GONE: _shut,
    HTTPStatus.PRECONDITION_FAILED: lambda answer: Stale(answer.says),
    HTTPStatus.TOO_MANY_REQUESTS: _paced,
}


def error_of(body: bytes) -> tuple[str, str]:
    """Error type and text, redacted, from any of the shapes in use: object, OAuth's two strings, a list, empty, HTML."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    error = said.get("error") if isinstance(said, dict) else None
    match said:
        case {"messages": [dict() as first, *_]}:  # LawPay's
            return redacted(first.get("code")), redacted(first.get("message") or first.get("context"))
    match error:
        case dict():
            return redacted(error.get("type")), redacted(error.get("message"))
        case str():
            return redacted(error), redacted(said.get("error_description"))
        case _:
            return "", ""


_PRIVATE = re.compile(
    r"""[^\s@"'<>]+@[^\s@"'<>]+          # an e-mail address
      | https?://\S+                     # an address whose path or query may be a secret
      | \d(?:[ -]?\d){11,}               # a card, account or phone number
      | (?=[\w.~+/-]*\d)[\w.~+/-]{20,}=* # a token: long, one word, with a digit in it
    """,
    re.VERBOSE,
)
_LONGEST_TEXT = 300


def redacted(text: Any) -> str:
    """`text` on one line, at most 300 characters, without addresses, tokens or card-like numbers; "" if it is no text."""
    if not isinstance(text, str):
        return ""
    return _PRIVATE.sub("[hidden]", " ".join(text[: 4 * _LONGEST_TEXT].split()))[:_LONGEST_TEXT]


def retry_after(headers: Mapping[str, str], *, now: float) -> float:
    """Seconds to leave the provider alone, 1 to 3600, from `Retry-After` or `Retry-At`, as seconds or as a date (F31)."""
    relative, absolute = headers.get("retry-after"), headers.get("retry-at")
    seconds = _number(relative)
    if seconds is None:
        at = _date(relative) or _number(absolute) or _date(absolute)
        seconds = _WAIT_UNKNOWN if at is None else at - server_time(headers, now=now)
    return min(max(seconds, 1.0), LONGEST_WAIT)


def server_time(headers: Mapping[str, str], *, now: float) -> float:
    """Unix seconds by the provider's clock where its `Date` is off from ours by more than its own rounding, else `now`."""
    said = _date(headers.get("date"))
    return now if said is None or abs(said - now) <= _ROUNDING else said


_ROUNDING = 2.0
_ABSURD = 1e12


def announced(headers: Mapping[str, str], *, now: float) -> dict[str, Any]:
    """The budget an answer announces, with the window's end moved to our clock; None where it says nothing (F60)."""
    limit, remaining = (_number(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining"))
    reset = _number(headers.get("x-ratelimit-reset"))
    return {
        "limit": None if limit is None or limit < 1 else int(limit),
        "remaining": None if remaining is None else max(0, int(remaining)),
        "reset": None if reset is None else reset + now - server_time(headers, now=now),
    }


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if abs(number) < _ABSURD else None


def _date(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
