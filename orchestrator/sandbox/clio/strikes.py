"""What each scripted fault does to a call. The call itself is one plain function, so it can run before, after or never."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from orchestrator.sandbox.clio.call import Call, Reply, loose, refused
from orchestrator.sandbox.clio.fields import encoded
from orchestrator.sandbox.clio.tokens import Grant, OAuthError, Tokens
from orchestrator.sandbox.faults import Fault
from orchestrator.sandbox.refusal import Refusal


class Dropped(Exception):
    """Cut the connection without an answer."""


@dataclass
class Strike:
    """A fault about to hit a call; `proceed` carries the call out."""

    fault: Fault
    call: Call
    proceed: Callable[[], Reply]
    tokens: Tokens
    grant: Grant | None

    def given(self, name: str, otherwise: Any) -> Any:
        return self.fault.params.get(name, otherwise)


async def lose_answer(strike: Strike) -> Reply:
    strike.proceed()
    raise Dropped


async def drop_before(_: Strike) -> Reply:
    raise Dropped


async def create_later(strike: Strike) -> Reply:
    strike.call.books.clock.after(float(strike.given("after_seconds", 40)), lambda: void(strike.proceed()))
    raise Dropped


def void(_: Reply) -> None:
    """The answer of a call nobody waits for any more."""


async def status(strike: Strike) -> Reply:
    code = int(strike.given("code", 500))
    body = strike.given("body", None)
    headers = dict(strike.given("headers", {}))
    if body is None and 400 <= code < 600:
        return refused(Refusal(code, f"Scripted {code}.", error=None if code < 500 else "ServerError", headers=headers))
    return Reply(code, loose(body) if body is not None else b"", headers)


async def status_after(strike: Strike) -> Reply:
    strike.proceed()
    return await status(replace(strike, fault=replace(strike.fault, params={"code": 502, **strike.fault.params})))


async def truncate(strike: Strike) -> Reply:
    reply = strike.proceed()
    return replace(reply, body=reply.body[: int(strike.given("keep", len(reply.body) // 2))])


async def empty(strike: Strike) -> Reply:
    return replace(strike.proceed(), body=b"")


async def html(strike: Strike) -> Reply:
    page = b"<!doctype html><title>Oops</title><h1>We are doing some maintenance</h1>"
    return replace(strike.proceed(), body=page, media_type="text/html")


async def delay(strike: Strike) -> Reply:
    """Wait in real time, by default after having done it."""
    reply = None if strike.given("before", False) else strike.proceed()
    await asyncio.sleep(float(strike.given("seconds", 1)))
    return reply or strike.proceed()


async def drip(strike: Strike) -> Reply:
    return replace(strike.proceed(), headers={"X-Sandbox-Drip": str(strike.given("bytes_per_second", 0.25))})


async def rate_limit_change(strike: Strike) -> Reply:
    strike.tokens.rules.rate_limit = int(strike.given("limit", 50))
    return strike.proceed()


async def retry_after(strike: Strike) -> Reply:
    """A 429 whose header says what the script wants, or nothing."""
    value = strike.given("value", None)
    name = str(strike.given("header", "Retry-After"))
    headers = {} if value is None else {name: str(value)}
    return refused(Refusal(429, "Rate limit exceeded.", headers=headers))


def _next_page(change: Callable[[Strike, str], str]) -> Callable[[Strike], Awaitable[Reply]]:
    async def strike_next(strike: Strike) -> Reply:
        reply = strike.proceed()
        body = json.loads(reply.body)
        paging = body.setdefault("meta", {}).setdefault("paging", {})
        paging["next"] = change(strike, paging.get("next") or _here(strike))
        return replace(reply, body=encoded(body))

    return strike_next


def _here(strike: Strike) -> str:
    query = "&".join(f"{name}={value}" for name, value in strike.call.params)
    return f"{strike.call.origin}/api/v4{strike.call.path}.json?{query}"


def _elsewhere(strike: Strike, url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=str(strike.given("host", "elsewhere.example"))))


async def empty_data(strike: Strike) -> Reply:
    reply = strike.proceed()
    return replace(reply, body=encoded({"data": [], "meta": {"paging": {}, "records": 0}}))


async def not_found(_: Strike) -> Reply:
    return refused(Refusal(404, "Record not found."))


async def stale_etag(_: Strike) -> Reply:
    return refused(Refusal(412, "The record has been modified since it was read."))


async def revoke_token(strike: Strike) -> Reply:
    """The token the call came with is no longer good; its refresh token only falls when the script says so."""
    if strike.grant is not None:
        strike.tokens.grants.pop(strike.grant.access_token, None)
        if strike.given("refresh_too", False):
            strike.tokens.refreshes.pop(strike.grant.refresh_token, None)
    raise OAuthError(401, "invalid_token", "The access token was revoked.")


STRIKES: dict[str, Callable[[Strike], Awaitable[Reply]]] = {
    "lose_answer": lose_answer,
    "drop_before": drop_before,
    "create_later": create_later,
    "status": status,
    "status_after": status_after,
    "truncate": truncate,
    "empty": empty,
    "html": html,
    "delay": delay,
    "drip": drip,
    "rate_limit_change": rate_limit_change,
    "retry_after": retry_after,
    "paging_foreign_host": _next_page(_elsewhere),
    "paging_loop": _next_page(lambda strike, _: _here(strike)),
    "empty_data": empty_data,
    "not_found": not_found,
    "stale_etag": stale_etag,
    "revoke_token": revoke_token,
}


async def dripped(body: bytes, bytes_per_second: float) -> AsyncIterator[bytes]:
    """The body a byte at a time, or in larger bites when the pace allows."""
    bite = max(1, int(bytes_per_second / 10))
    for start in range(0, len(body), bite):
        yield body[start : start + bite]
        await asyncio.sleep(bite / bytes_per_second)
