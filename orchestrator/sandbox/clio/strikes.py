"""What a scripted fault does to a call to Clio, beside what it does to any."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from orchestrator.sandbox.clio.call import Call, Reply, loose, refused
from orchestrator.sandbox.clio.fields import encoded
from orchestrator.sandbox.clio.tokens import Grant, OAuthError, Tokens
from orchestrator.sandbox.refusal import Refusal
from orchestrator.sandbox.strikes import EVERYWHERE, Dropped, Strike


@dataclass
class ClioStrike(Strike):
    """One that hits a call to Clio."""

    call: Call
    tokens: Tokens
    grant: Grant | None


async def create_later(strike: ClioStrike) -> Reply:
    strike.call.books.clock.after(float(strike.given("after_seconds", 40)), lambda: void(strike.proceed()))
    raise Dropped


def void(_: Reply) -> None:
    """The answer of a call nobody waits for any more."""


async def status(strike: ClioStrike) -> Reply:
    code = int(strike.given("code", 500))
    body = strike.given("body", None)
    headers = dict(strike.given("headers", {}))
    if body is None and 400 <= code < 600:
        return refused(Refusal(code, f"Scripted {code}.", error=None if code < 500 else "ServerError", headers=headers))
    return Reply(code, loose(body) if body is not None else b"", headers)


async def status_after(strike: ClioStrike) -> Reply:
    strike.proceed()
    return await status(replace(strike, fault=replace(strike.fault, params={"code": 502, **strike.fault.params})))


async def rate_limit_change(strike: ClioStrike) -> Reply:
    strike.tokens.rules.rate_limit = int(strike.given("limit", 50))
    return strike.proceed()


async def retry_after(strike: ClioStrike) -> Reply:
    """A 429 whose header says what the script wants, or nothing."""
    value = strike.given("value", None)
    name = str(strike.given("header", "Retry-After"))
    headers = {} if value is None else {name: str(value)}
    return refused(Refusal(429, "Rate limit exceeded.", headers=headers))


def _next_page(change: Callable[[ClioStrike, str], str]) -> Callable[[ClioStrike], Awaitable[Reply]]:
    async def strike_next(strike: ClioStrike) -> Reply:
        reply = strike.proceed()
        body = json.loads(reply.body)
        paging = body.setdefault("meta", {}).setdefault("paging", {})
        paging["next"] = change(strike, paging.get("next") or _here(strike))
        return replace(reply, body=encoded(body))

    return strike_next


def _here(strike: ClioStrike) -> str:
    query = "&".join(f"{name}={value}" for name, value in strike.call.params)
    return f"{strike.call.origin}/api/v4{strike.call.path}.json?{query}"


def _elsewhere(strike: ClioStrike, url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=str(strike.given("host", "elsewhere.example"))))


async def empty_data(strike: ClioStrike) -> Reply:
    reply = strike.proceed()
    return replace(reply, body=encoded({"data": [], "meta": {"paging": {}, "records": 0}}))


async def not_found(_: ClioStrike) -> Reply:
    return refused(Refusal(404, "Record not found."))


async def stale_etag(_: ClioStrike) -> Reply:
    return refused(Refusal(412, "The record has been modified since it was read."))


async def revoke_token(strike: ClioStrike) -> Reply:
    """The token the call came with is no longer good; its refresh token only falls when the script says so."""
    if strike.grant is not None:
        strike.tokens.grants.pop(strike.grant.access_token, None)
        if strike.given("refresh_too", False):
            strike.tokens.refreshes.pop(strike.grant.refresh_token, None)
    raise OAuthError(401, "invalid_token", "The access token was revoked.")


STRIKES: dict[str, Callable[[ClioStrike], Awaitable[Reply]]] = {
    **EVERYWHERE,
    "create_later": create_later,
    "status": status,
    "status_after": status_after,
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
