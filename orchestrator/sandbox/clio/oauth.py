"""The doors of OAuth: authorize in a browser, exchange a code, refresh, deauthorize."""

import base64
import binascii
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from orchestrator.sandbox.clio.app import answer, oauth_error, origin_of
from orchestrator.sandbox.clio.call import Call, Reply
from orchestrator.sandbox.clio.fields import encoded
from orchestrator.sandbox.clio.strikes import STRIKES, ClioStrike
from orchestrator.sandbox.clio.tokens import Grant, OAuthError
from orchestrator.sandbox.firm.things import User
from orchestrator.sandbox.pages import render
from orchestrator.sandbox.sandbox import Sandbox


@dataclass
class TokenDoor:
    """ASGI for POST /oauth/token, which faults may strike like any call."""

    sandbox: Sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        form = dict(parse_qsl(body.decode()))
        basic = _basic(request.headers.get("authorization", ""))

        def proceed() -> Reply:
            try:
                return self._give({**basic, **form})
            except OAuthError as error:
                return oauth_error(error)

        async def serve() -> Reply:
            self.sandbox.clock.catch_up()
            fault = self.sandbox.faults.take("POST /oauth/token")
            if fault is None:
                return proceed()
            call = Call("POST", "/oauth/token", [], request.headers, body, origin_of(request), self.sandbox.books)
            try:
                return await STRIKES[fault.do](ClioStrike(fault, proceed, call, self.sandbox.tokens, None))
            except OAuthError as error:
                return oauth_error(error)

        count = partial(self.sandbox.journal.called, "POST", "/oauth/token")
        await answer(request, serve=serve, send=send, count=count)

    def _give(self, form: dict[str, str]) -> Reply:
        tokens = self.sandbox.tokens
        if (form.get("client_id"), form.get("client_secret")) != (tokens.client_id, tokens.client_secret):
            raise OAuthError(401, "invalid_client", "Client authentication failed.")
        match form.get("grant_type"):
            case "authorization_code":
                grant = tokens.exchange(form.get("code", ""), form.get("redirect_uri", ""))
                replaced = True
            case "refresh_token":
                grant, replaced = tokens.refresh(form.get("refresh_token", ""))
            case _:
                raise OAuthError(400, "unsupported_grant_type", "The grant type is not supported.")
        self.sandbox.journal.add("token.given", grant.user.id, how=form["grant_type"], refresh_replaced=replaced)
        return Reply(200, encoded(_tokens(grant, tokens.rules.expires_in, with_refresh=replaced)))


def _tokens(grant: Grant, expires_in: int, *, with_refresh: bool) -> dict[str, Any]:
    refresh = {"refresh_token": grant.refresh_token} if with_refresh else {}
    return {"access_token": grant.access_token, "token_type": "bearer", "expires_in": expires_in, **refresh}


def _basic(header: str) -> dict[str, str]:
    scheme, _, word = header.partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(word).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": name, "client_secret": secret}


def oauth_routes(sandbox: Sandbox) -> list[BaseRoute]:
    """The OAuth addresses, at the root of the host as at Clio."""

    async def authorize(request: Request) -> Response:
        form = await request.form() if request.method == "POST" else {}
        asked = {**request.query_params, **{name: str(value) for name, value in form.items()}}
        wrong = _wrong(sandbox, asked)
        if wrong:
            return PlainTextResponse(wrong, 400)
        if request.method == "POST" or asked.get("approve") in {"1", "true"}:
            return RedirectResponse(_decided(sandbox, asked), 302)
        return HTMLResponse(
            render("authorize.html", firm=sandbox.books.name, asked=asked, users=_people(sandbox, asked))
        )

    async def deauthorize(request: Request) -> Response:
        form = await request.form()
        header = request.headers.get("authorization", "").partition(" ")[2]
        sandbox.tokens.revoke(str(form.get("token") or header))
        return Response(status_code=200)

    return [
        Route("/oauth/authorize", authorize, methods=["GET", "POST"]),
        Route("/oauth/token", TokenDoor(sandbox), methods=["POST"]),
        Route("/oauth/deauthorize", deauthorize, methods=["POST"]),
    ]


def _wrong(sandbox: Sandbox, asked: dict[str, str]) -> str | None:
    parts = urlsplit(asked.get("redirect_uri", ""))
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    rules = (
        (asked.get("response_type") == "code", "response_type must be code."),
        (asked.get("client_id") == sandbox.tokens.client_id, "client_id is unknown."),
        (parts.scheme == "https" or local, "redirect_uri must use https, or http on this machine."),
    )
    return next((words for holds, words in rules if not holds), None)


def _people(sandbox: Sandbox, asked: dict[str, str]) -> list[User]:
    """Who may be the one that agrees, the one the sandbox began with first; none when the address says who."""
    users = sandbox.books.table(User).values()
    return [] if asked.get("user") else sorted(users, key=lambda user: user is not sandbox.grant.user)


def _decided(sandbox: Sandbox, asked: dict[str, str]) -> str:
    if asked.get("decision") == "decline":
        return _with(asked["redirect_uri"], error="access_denied", **_state(asked))
    user = sandbox.books.get(User, asked["user"]) if asked.get("user") else sandbox.grant.user
    code = sandbox.tokens.code(user, asked["redirect_uri"])
    return _with(asked["redirect_uri"], code=code, **_state(asked))


def _state(asked: dict[str, str]) -> dict[str, str]:
    return {"state": asked["state"]} if "state" in asked else {}


def _with(url: str, **params: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
