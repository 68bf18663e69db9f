"""The doors of LawPay's gateway: HTTP Basic with the key as user, JSON in and out, errors as `messages`."""

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from orchestrator.sandbox.clio.app import answer
from orchestrator.sandbox.clio.call import Reply, loose
from orchestrator.sandbox.clio.fields import encoded
from orchestrator.sandbox.lawpay import methods, search, shapes
from orchestrator.sandbox.lawpay.gateway import Gateway
from orchestrator.sandbox.lawpay.refusals import Declined
from orchestrator.sandbox.lawpay.search import Params
from orchestrator.sandbox.lawpay.things import KINDS, Facts
from orchestrator.sandbox.sandbox import Sandbox
from orchestrator.sandbox.strikes import EVERYWHERE, Strike

PREFIX = "/lawpay"
_IDENT = re.compile(r"/(transactions|charges|events)/(?!holds(?:/|$))([^/]+)")


@dataclass
class Asked:
    """One call to the gateway."""

    method: str
    path: str
    params: Params
    body: bytes
    form: bool
    gateway: Gateway
    shift: int = 0

    @property
    def template(self) -> str:
        return _IDENT.sub(r"/\1/{id}", self.path)

    @property
    def id(self) -> str:
        match = _IDENT.search(self.path)
        assert match is not None
        return match[2]

    def facts(self) -> Facts:
        """The body as an object; a form is taken for tokens only."""
        if self.form:
            if self.template != "/v1/tokens":
                raise Declined(400, "invalid_request", words="The body must be JSON.")
            return dict(parse_qsl(self.body.decode()))
        try:
            read = json.loads(self.body) if self.body else {}
        except ValueError:
            raise Declined(400, "malformed_request", words="The body must be JSON.") from None
        if not isinstance(read, dict):
            raise Declined(400, "malformed_request", words="The body must be a JSON object.")
        return read


class LawPayDoor:
    """ASGI for everything under /lawpay."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        content = request.headers.get("content-type", "")
        asked = Asked(
            method=request.method,
            path=request.url.path.removeprefix(PREFIX),
            params=list(request.query_params.multi_items()),
            body=await request.body(),
            form=content.startswith("application/x-www-form-urlencoded"),
            gateway=self.sandbox.gateway,
        )
        journal = self.sandbox.journal
        journal.asked_gateway(asked.method, asked.template, list(asked.params), asked.body)

        async def serve() -> Reply:
            self.sandbox.clock.catch_up()
            return await self._struck_or_done(asked, request.headers.get("authorization", ""))

        await answer(
            request,
            serve=serve,
            send=send,
            count=lambda status: journal.called_gateway(asked.method, asked.template, status),
        )

    async def _struck_or_done(self, asked: Asked, authorization: str) -> Reply:
        fault = self.sandbox.faults.take(f"{asked.method} {PREFIX}{asked.template}")

        def proceed() -> Reply:
            try:
                return carry_out(asked, authorization)
            except Declined as declined:
                return Reply(declined.status, encoded({"messages": declined.messages}))

        if fault is not None and fault.do == "shift_page":
            # Rows that slipped in before this page: the end of the page before is read a second time.
            asked.shift, fault = int(fault.params.get("n", 1)), None
        return proceed() if fault is None else await STRIKES[fault.do](Strike(fault, proceed))


def carry_out(asked: Asked, authorization: str) -> Reply:
    """Admit the caller, then do what was asked."""
    if asked.template == "/status":
        return _json({"status": "NORMAL"})
    doing = DOORS.get((asked.method, asked.template))
    _admit(asked, authorization)
    if doing is None:
        raise Declined(404, "resource_not_found", words=f"{asked.method} {asked.path} is not part of this API.")
    done = doing(asked)
    return done if isinstance(done, Reply) else _json(done)


def _admit(asked: Asked, authorization: str) -> None:
    """The secret key opens everything, the public key only tokens; the password is empty and its colon must be there."""
    scheme, _, word = authorization.partition(" ")
    try:
        user, colon, password = base64.b64decode(word, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user, colon, password = "", "", ""
    keys = {asked.gateway.secret_key}
    if asked.template == "/v1/tokens":
        keys.add(asked.gateway.public_key)
    if scheme.lower() != "basic" or not colon or password or user not in keys:
        raise Declined(401, "not_authorized")


# -- reading ----------------------------------------------------------------------------------------------------------


def merchant(asked: Asked) -> Facts:
    gateway = asked.gateway
    accounts = {
        name: [shapes.account(account) for account in gateway.accounts.values() if account.kind == kind]
        for kind, name in KINDS.items()
    }
    return {
        "id": gateway.merchant_id,
        "name": gateway.firm,
        "status": "ACTIVE",
        "timezone": str(shapes.EASTERN),
        "reference_required": gateway.rules.reference_required,
        "reference_label": "Reference",
        "api_allowed_ip_address_ranges": "",
        "live_events_urls": gateway.live_events_urls,
        "test_events_urls": "",
        **accounts,
    }


def change_merchant(asked: Asked) -> Facts:
    """The whole string of addresses is replaced: who writes it blindly removes other people's."""
    given = asked.facts()
    if "live_events_urls" in given:
        asked.gateway.set_addresses(str(given["live_events_urls"] or ""))
    return merchant(asked)


def transactions(asked: Asked) -> Facts:
    rows = search.matching(asked.gateway.searchable(), asked.params)
    return search.page(search.ordered(rows, search.given(asked.params, "order_by")), asked.params, asked.shift)


def transaction(asked: Asked) -> Facts:
    return shapes.transaction(asked.gateway.find(asked.id), refunds=True)


def events(asked: Asked) -> Facts:
    """With `start_date` only what came later, oldest first; without it everything, newest first."""
    start = search.moment(asked.params, "start_date")
    every = list(asked.gateway.events.values())
    if start is None:
        chosen = every[::-1]
    else:
        chosen = sorted((event for event in every if event.created > start), key=lambda event: event.created)
    page = search.page(chosen, asked.params, asked.shift)
    return {**page, "results": [shapes.event(event) for event in page["results"]]}


def event(asked: Asked) -> Facts:
    found = asked.gateway.events.get(asked.id)
    if found is None:
        raise Declined(404, "resource_not_found", context="event")
    return shapes.event(found)


def holds(asked: Asked) -> Facts:
    held = [one for one in asked.gateway.transactions.values() if one.status == "AUTHORIZED" and not one.auto_capture]
    return search.page([shapes.transaction(one) for one in held], asked.params)


# -- writing ----------------------------------------------------------------------------------------------------------


def token(asked: Asked) -> Facts:
    return methods.tokenise(asked.gateway, asked.facts())


def charge(asked: Asked) -> Facts:
    given = asked.facts()
    method, decline = methods.consumed(asked.gateway, given.get("method"))
    account = asked.gateway.account(given.get("account_id"), method["type"])
    if given.get("currency", account.currency) != account.currency:
        raise Declined(422, "currency_mismatch", context="currency")
    made = asked.gateway.charge(
        account,
        given.get("amount"),
        method,
        reference=str(given.get("reference") or ""),
        data=given.get("data"),
        auto_capture=str(given.get("auto_capture", True)).lower() != "false",
        decline=decline,
    )
    return shapes.transaction(made, refunds=True)


def capture(asked: Asked) -> Facts:
    given = asked.facts()
    one = asked.gateway.find(asked.id)
    return shapes.transaction(asked.gateway.capture(one, given.get("amount"), str(given.get("reference") or "")))


def refund(asked: Asked) -> Facts:
    given = asked.facts()
    one = asked.gateway.find(asked.id)
    words = str(given.get("reference") or "")
    return shapes.transaction(asked.gateway.refund(one, given.get("amount"), words, data=given.get("data")))


def credit(asked: Asked) -> Facts:
    given = asked.facts()
    method, _ = methods.consumed(asked.gateway, given.get("method"))
    account = asked.gateway.account(given.get("account_id"), method["type"])
    if not account.credits_allowed:
        raise Declined(422, "unavailable_for_merchant_policy", context="credits")
    words = str(given.get("reference") or "")
    return shapes.transaction(asked.gateway.credit(account, given.get("amount"), method, words))


def void(asked: Asked) -> Facts:
    one = asked.gateway.find(asked.id)
    return shapes.transaction(asked.gateway.void(one, str(asked.facts().get("reference") or "")))


DOORS: dict[tuple[str, str], Callable[[Asked], Any]] = {
    ("GET", "/v1/merchant"): merchant,
    ("PUT", "/v1/merchant"): change_merchant,
    ("GET", "/v1/transactions"): transactions,
    ("GET", "/v1/transactions/{id}"): transaction,
    ("GET", "/v1/events"): events,
    ("GET", "/v1/events/{id}"): event,
    ("GET", "/v1/charges/holds"): holds,
    ("POST", "/v1/tokens"): token,
    ("POST", "/v1/charges"): charge,
    ("POST", "/v1/charges/{id}/capture"): capture,
    ("POST", "/v1/charges/{id}/refund"): refund,
    ("POST", "/v1/credits"): credit,
    ("POST", "/v1/transactions/{id}/void"): void,
}


def _json(body: object, status: int = 200) -> Reply:
    return Reply(status, encoded(body), media_type="application/json")


# -- scripted faults --------------------------------------------------------------------------------------------------


async def _status(strike: Strike) -> Reply:
    """A 5xx may come without `messages`, so by default it does."""
    code = int(strike.given("code", 500))
    body = strike.given("body", {} if code >= 500 else {"messages": [{"code": "server_error", "level": "error"}]})
    return Reply(code, loose(body), dict(strike.given("headers", {})))


async def _status_after(strike: Strike) -> Reply:
    strike.proceed()
    return await _status(strike)


async def _empty_data(strike: Strike) -> Reply:
    body = json.loads(strike.proceed().body)
    return _json({**body, "results": [], "total_entries": 0})


STRIKES: dict[str, Callable[[Strike], Awaitable[Reply]]] = {
    **EVERYWHERE,
    "status": _status,
    "status_after": _status_after,
    "empty_data": _empty_data,
}
