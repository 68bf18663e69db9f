"""The doors of Clio: every call is admitted, counted, perhaps struck by a fault, carried out and answered."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from orchestrator.sandbox.clio.actions import prove
from orchestrator.sandbox.clio.call import Call, Reply, refused
from orchestrator.sandbox.clio.fields import encoded
from orchestrator.sandbox.clio.reads import READS
from orchestrator.sandbox.clio.strikes import STRIKES, ClioStrike, dripped
from orchestrator.sandbox.clio.subscriptions import subscription_writes
from orchestrator.sandbox.clio.tokens import Grant, OAuthError
from orchestrator.sandbox.clio.writes import WRITES
from orchestrator.sandbox.refusal import Refusal
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.strikes import Dropped

VERSION = "4.0.13"


class ClioDoor:
    """ASGI for everything under /api/v4."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = Call(
            method=request.method,
            path=request.url.path.removeprefix("/api/v4"),
            params=list(request.query_params.multi_items()),
            headers=request.headers,
            body=await request.body(),
            origin=origin_of(request),
            books=self.sandbox.books,
        )
        self.sandbox.journal.asked(call.method, call.template, call.params, call.body)
        count = partial(self.sandbox.journal.called, call.method, call.template)
        await answer(request, serve=partial(self._serve, call), send=send, count=count)

    async def _serve(self, call: Call) -> Reply:
        self.sandbox.clock.catch_up()
        try:
            grant = self.sandbox.tokens.admit(call.header("authorization"))
        except Refusal as refusal:
            return refused(refusal)
        except OAuthError as error:
            return oauth_error(error)
        call.user = grant.user
        try:
            self._count_and_check(call, grant)
            prove(self.sandbox.books, call.param("custom_action_nonce"), grant.user)
            reply = await self._struck_or_done(call, grant)
        except Refusal as refusal:
            reply = refused(refusal)
        except OAuthError as error:
            return oauth_error(error)
        budget = self.sandbox.tokens.count(grant, 0)
        return replace(reply, headers={"X-API-VERSION": VERSION, **budget.headers, **reply.headers})

    def _count_and_check(self, call: Call, grant: Grant) -> None:
        if not self.sandbox.tokens.count(grant).allowed:
            wait = str(self.sandbox.tokens.seconds_left(grant))
            raise Refusal(429, "Rate limit exceeded.", headers={"Retry-After": wait})
        if call.header("x-api-version") not in {None, VERSION}:
            raise Refusal(410, "This API version is not or no longer available.")

    async def _struck_or_done(self, call: Call, grant: Grant) -> Reply:
        proceed = partial(self._carry_out, call)
        fault = self.sandbox.faults.take(f"{call.method} {call.template}")
        if fault is None:
            return proceed()
        return await STRIKES[fault.do](ClioStrike(fault, proceed, call, self.sandbox.tokens, grant))

    def _carry_out(self, call: Call) -> Reply:
        try:
            return self._doing(call)(call)
        except Refusal as refusal:
            return refused(refusal)

    def _doing(self, call: Call) -> Callable[[Call], Reply]:
        if call.method == "GET":
            doing = READS.get(call.template)
        else:
            assert self.sandbox.courier is not None
            place = (call.method, call.template)
            doing = WRITES.get(place) or subscription_writes(self.sandbox.courier).get(place)
        if doing is None:
            raise Refusal(404, f"{call.method} {call.path} is not part of this API.")
        return doing


async def answer(
    request: Request, *, serve: Callable[[], Awaitable[Reply]], send: Send, count: Callable[[int], None]
) -> None:
    """Send what `serve` answers, count its status, or cut the connection when it says so."""
    try:
        reply = await serve()
    except Dropped:
        count(0)
        await cut(request)
        return
    count(reply.status)
    pace = reply.headers.pop("X-Sandbox-Drip", None)
    response: Response
    if pace is not None:
        headers = {**reply.headers, "Content-Length": str(len(reply.body))}
        response = StreamingResponse(
            dripped(reply.body, float(pace)), reply.status, headers=headers, media_type=reply.media_type
        )
    elif reply.status in {204, 304}:
        response = Response(None, reply.status, reply.headers)
    else:
        response = Response(reply.body, reply.status, reply.headers, media_type=reply.media_type)
    await response(request.scope, request.receive, send)


async def cut(request: Request) -> None:
    """Break the connection off: the caller sees it close without a single byte."""
    request.scope["state"]["transport"].abort()
    # One turn of the loop, so that the server has learned of the break and does not try to answer 500.
    await asyncio.sleep(0)


def origin_of(request: Request) -> str:
    """Where the caller thinks we are: absolute addresses in answers start with the Host it asked for."""
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"


def oauth_error(error: OAuthError) -> Reply:
    headers = {"WWW-Authenticate": f'Bearer error="{error.error}", error_description="{error.description}"'}
    body = {"error": error.error, "error_description": error.description}
    return Reply(error.status, encoded(body), headers if error.status == 401 else {})
