"""One conversation with one provider: who we are, how long we wait, how often we ask, and what a failure means.

The one module that imports httpx.
"""

import copy
import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpcore
import httpx
import structlog

from orchestrator.clients.circuit import Circuit, door
from orchestrator.clients.deadline import DeadlineBackend, attempt
from orchestrator.clients.meaning import Answered, announced, lost, meaning
from orchestrator.domain.topics import Urgency
from orchestrator.errors import OrchestratorError, Paced, Shut, Transient
from orchestrator.ports import Pacer
from orchestrator.telemetry import counters, spans, trace

log = structlog.get_logger()

T = TypeVar("T")
Param = str | int | bool | Sequence[int] | None
OnCall = Callable[[str, str, int | None], None]

BODY_CAP = 32 * 1024 * 1024
"""Bytes of one answer; 200 bills are about half a megabyte, so more is not an answer."""


class Credentials(Protocol):
    """Who we are to a provider; shared by all threads."""

    def authorization(self) -> str:
        """The `Authorization` header to send now, or `NeedsConnection`."""
        ...

    def refused(self, authorization: str) -> OrchestratorError:
        """The provider answered 401 to `authorization`: renew it if that is possible, and say what the work must do (F47)."""
        ...


class ReadsOnly(RuntimeError):
    """Somebody tried to write where nothing may be written: a defect, so it is nobody's verdict and parks what tried."""


class _Sending(NamedTuple):
    method: str
    path: str
    search: str
    headers: dict[str, str]
    content: bytes | None


class ApiClient:
    """HTTP to one provider, thread-safe; every error is one of `orchestrator.errors` by the table of `clients.meaning`.

    `deadline_seconds` bounds each exchange in total. `on_call(method, path, status)` is told of every request that was
    tried, with status None when no answer came. Nothing is retried, nothing sleeps, and no redirect is followed, except
    one hop of a read whose path starts with one of `redirects`, to the same origin. A 403 at a path that starts with one of
    `optional` is a refusal of that path alone. With `reads_only` nothing but a GET ever leaves, whoever asks.
    """

    def __init__(
        self,
        base_url: str,
        *,
        provider: str,
        credentials: Credentials | None = None,
        pacer: Pacer | None = None,
        urgency: Urgency = Urgency.SWEEPS,
        headers: Mapping[str, str] | None = None,
        deadline_seconds: float = 10.0,
        body_cap: int = BODY_CAP,
        redirects: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
        on_call: OnCall | None = None,
        connections: int = 20,
        reads_only: bool = False,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.urgency = urgency
        self._provider = provider
        self._credentials = credentials
        self._pacer = pacer
        self._headers = {"Accept": "application/json", "User-Agent": "clio-lawpay-orchestrator", **(headers or {})}
        self._seconds = deadline_seconds
        self._cap = body_cap
        self._redirects = redirects
        self._optional = optional
        self._on_call = on_call
        self._reads_only = reads_only
        self._circuit = Circuit(provider)
        # Waiting for a connection gets a third each, so that what is sent has time left to be answered.
        timeout = httpx.Timeout(deadline_seconds, pool=deadline_seconds / 3, connect=deadline_seconds / 3)
        self._http = httpx.Client(transport=_Transport(connections), timeout=timeout, follow_redirects=False)

    def at(self, urgency: Urgency) -> Self:
        """The same conversation, connections and budget at another urgency."""
        view = copy.copy(self)
        view.urgency = urgency
        return view

    def close(self) -> None:
        """Close the connections, also those of every view."""
        self._http.close()

    def read(self, path: str, read: Callable[[Any], T], params: Mapping[str, Param] | str | None = None) -> T:
        """What `read` makes of the JSON at `path`; a `ValueError` from it means the answer was no answer (F07)."""
        return self.request("GET", path, read, params=params)

    def request(
        self,
        method: str,
        path: str,
        read: Callable[[Any], T],
        *,
        params: Mapping[str, Param] | str | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        if_match: str | None = None,
    ) -> T:
        """What `read` makes of the JSON that came back; `params` as a string is a finished query, sent as it is."""
        answer = self._settled(method, path, params, body=body, form=form, if_match=if_match)
        try:
            return read(_json(answer.body))
        except (ValueError, RecursionError):
            # Neither the body nor the parser's words go on: both may hold a client's name.
            why = f"{answer.status} with {len(answer.body)} bytes that are not the JSON we need"
            raise lost(method, why) from None

    def tell(self, method: str, path: str, *, form: Mapping[str, str] | None = None, bearer: str | None = None) -> None:
        """A request whose answer is its status alone; `bearer` signs this one request of a client without credentials."""
        self._settled(method, path, None, form=form, bearer=bearer)

    def _settled(
        self,
        method: str,
        path: str,
        params: Mapping[str, Param] | str | None,
        *,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        if_match: str | None = None,
        bearer: str | None = None,
    ) -> Answered:
        """A 2xx answer to one exchange, or to the one a documented redirect leads to."""
        if self._reads_only and method != "GET":
            raise ReadsOnly(f"{method} {path} was held back: this conversation only reads.")
        headers = dict(self._headers)
        content = None
        if body is not None:
            headers["Content-Type"], content = "application/json", encode(body).encode()
        elif form is not None:
            headers["Content-Type"], content = "application/x-www-form-urlencoded", urlencode(form).encode()
        if if_match is not None:
            headers["If-Match"] = if_match
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        sending = _Sending(method, path, query(params), headers, content)
        answer = self._exchange(sending)
        if (onward := self._onward(sending, answer)) is not None:
            answer = self._exchange(onward)
        if (error := meaning(answer)) is not None:
            if isinstance(error, Paced) and self._pacer is not None:
                self._pacer.pause(error.retry_after or 0)
            if isinstance(error, Shut):
                raise Shut(
                    f"{error} It was asked for {door(method, path)}.",
                    retry_after=error.retry_after,
                    notice=error.notice,
                )
            raise error
        return answer

    def _exchange(self, sending: _Sending) -> Answered:
        """Any answer but a 401, after everything it teaches the pacer and the credentials."""
        if self._credentials is not None:
            self._circuit.check(sending.method, sending.path)
            sending.headers["Authorization"] = self._credentials.authorization()
        if self._pacer is not None:
            self._pacer.take(self.urgency)
        try:
            answer = self._send(sending)
        except OrchestratorError:
            self._learned({})
            raise
        self._learned(announced(answer.headers, now=answer.now))
        if answer.status == HTTPStatus.UNAUTHORIZED and self._credentials is not None:
            raise self._credentials.refused(sending.headers["Authorization"])
        if not (answer.optional and answer.status == HTTPStatus.FORBIDDEN):
            self._circuit.answered(sending.method, sending.path, answer.status)
        return answer

    def _send(self, sending: _Sending) -> Answered:
        """Whatever the provider answered within the deadline, as bytes."""
        method, path, search, headers, content = sending
        status, began = None, time.monotonic()
        span = spans.span(f"{method} {self._provider}", path=path)
        with attempt(self._seconds) as current, span as note:
            try:
                url = self.base_url + path + search
                with self._http.stream(method, url, headers=headers, content=content) as response:
                    status = response.status_code
                    received = bytearray()
                    for part in response.iter_bytes():
                        received += part
                        if len(received) > self._cap:
                            raise lost(method, f"{status} with more than {self._cap} bytes")
            except (httpx.HTTPError, httpx.StreamError) as error:
                # The library's words may quote what was on the wire, so only the kind of failure goes on.
                kind = type(error).__name__
                if not current.left_us:
                    raise Transient(f"{self._provider} was not reached ({kind}): nothing was sent.") from None
                raise lost(method, kind) from None
            finally:
                self._count(method, status, seconds := time.monotonic() - began)
                note(status=status)
                # The path holds ids; a query or a body may hold what a client would recognise.
                log.debug(
                    "call.made",
                    provider=self._provider,
                    method=method,
                    path=path,
                    status=status,
                    seconds=round(seconds, 3),
                )
                if self._on_call is not None:
                    self._on_call(method, path, status)
        found = {name.lower(): value for name, value in response.headers.items()}
        known, optional = self._credentials is not None, path.startswith(self._optional)
        return Answered(self._provider, method, status, found, bytes(received), known, time.time(), optional)

    def _count(self, method: str, status: int | None, seconds: float) -> None:
        counters.CALLS.labels(trace.firm(), self._provider, method, "none" if status is None else str(status)).inc()
        counters.CALL_SECONDS.labels(trace.firm(), self._provider).observe(seconds)

    def _onward(self, sending: _Sending, answer: Answered) -> _Sending | None:
        """Where a documented redirect leads, if that stays with the provider."""
        documented = sending.method == "GET" and any(map(sending.path.startswith, self._redirects))
        if answer.status != HTTPStatus.TEMPORARY_REDIRECT or not documented:
            return None
        target, base = urlsplit(answer.headers.get("location", "")), urlsplit(self.base_url)
        stays = (target.scheme or base.scheme, target.netloc or base.netloc) == (base.scheme, base.netloc)
        if not (stays and target.path.startswith(f"{base.path}/")):
            return None
        return sending._replace(path=target.path.removeprefix(base.path), search=query(target.query))

    def _learned(self, said: Mapping[str, Any]) -> None:
        for gauge, name in ((counters.BUDGET_LIMIT, "limit"), (counters.BUDGET_REMAINING, "remaining")):
            if said.get(name) is not None:
                gauge.labels(trace.firm(), self._provider).set(said[name])
        if self._pacer is not None:
            self._pacer.learn(limit=said.get("limit"), remaining=said.get("remaining"), reset=said.get("reset"))


class Knocked(NamedTuple):
    """The answer to one POST without a body's worth of meaning: status and headers, or the kind of failure."""

    status: int | None
    headers: Mapping[str, str]
    tls: bool = False


def knock(url: str, headers: Mapping[str, str], *, seconds: float, method: str = "POST") -> Knocked:
    """One request without credentials, in `seconds` in total, to see who answers; nothing that comes back raises."""
    with httpx.Client(transport=_Transport(1), timeout=seconds, follow_redirects=False) as http, attempt(seconds):
        try:
            content = b"{}" if method == "POST" else None
            with http.stream(method, url, headers=dict(headers), content=content) as response:
                return Knocked(response.status_code, {name.lower(): said for name, said in response.headers.items()})
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            return Knocked(None, {}, tls="SSL" in str(error) or "certificate" in str(error).lower())


def query(params: Mapping[str, Param] | str | None) -> str:
    """`?…` with braces, brackets and commas as they are, which is the only form Clio is known to take (API notes §9)."""
    if not isinstance(params, str):
        pairs = [(name, value) for name, given in (params or {}).items() for value in _values(given)]
        params = "&".join(f"{name}={quote(value, safe='{}(),:')}" for name, value in pairs)
    return f"?{params}" if params else ""


def _values(given: Param) -> list[str]:
    match given:
        case None:
            return []
        case bool():
            return [str(given).lower()]
        case str() | int():
            return [str(given)]
        case _:
            return [str(one) for one in given]


def encode(value: Any) -> str:
    """JSON in which a `Decimal` stands digit for digit: 120.40 is sent as 120.40, never as a float."""
    match value:
        case Decimal():
            return format(value, "f")
        case Mapping():
            return "{" + ",".join(f"{json.dumps(str(name))}:{encode(part)}" for name, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(encode, value)) + "]"
        case _:
            return json.dumps(value)


def _json(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal, parse_constant=_no_number)


def _no_number(name: str) -> Any:
    raise ValueError(name)


@cache
def _tls() -> ssl.SSLContext:
    """One for all connections of the process: reading the machine's certificates takes longer than all the rest of a client."""
    return httpx.create_ssl_context()


class _Transport(httpx.HTTPTransport):
    """httpx's own transport on sockets that obey our deadline; it offers no public way to hand over a network backend."""

    def __init__(self, connections: int) -> None:
        super().__init__(verify=_tls())
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(),
            max_connections=connections,
            keepalive_expiry=30.0,
            network_backend=DeadlineBackend(),
        )
