"""The web process: `POST /webhooks/clio/{token}`, `…/lawpay/…` and `…/mail/…`, `/health/*`, and the page after paying."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from orchestrator.api.approving import APPROVING
from orchestrator.api.callback import CALLBACK, page
from orchestrator.api.intake import Intake
from orchestrator.api.metrics import metrics
from orchestrator.api.reading import capped
from orchestrator.api.stopping import STOPPING
from orchestrator.clients.clio import webhooks
from orchestrator.clients.lawpay import webhooks as lawpay_webhooks
from orchestrator.domain.front_door import DOOR_HEADER, DOOR_PATH
from orchestrator.engine.runtime import Runtime
from orchestrator.telemetry import counters
from orchestrator.usecases.read_health import Health, read_health
from orchestrator.usecases.receive_webhook import LAWPAY, MAIL, Heard, Knock, Tally, receive

BODY_CAP = 256 * 1024
LONGEST_NONCE = 64


def create_app(rt: Runtime) -> Starlette:
    """The web application of one firm; it reads and writes the firm's database, and asks Clio only who pressed a button."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.intake = open_intake(rt)
        yield
        app.state.intake.close()

    app = Starlette(
        lifespan=lifespan,
        exception_handlers={HTTPException: _refused, Exception: _failed},
        routes=[
            Route("/", _home),
            Route(DOOR_PATH, _self_check, methods=["POST"]),
            Route("/webhooks/clio/{token}", _webhook, methods=["POST"]),
            Route("/webhooks/lawpay/{token}", _bell, methods=["POST"]),
            Route("/webhooks/mail/{token}", _returned, methods=["POST"]),
            Route("/metrics", metrics),
            Route("/health/live", _live),
            Route("/health/ready", _ready),
            Route("/thanks/{key}", _thanks),
            CALLBACK,
            *APPROVING,
            *STOPPING,
        ],
    )
    # A redirect would count as delivered at Clio and lose the event (F28).
    assert isinstance(app.router, Router)
    app.router.redirect_slashes = False
    app.state.runtime = rt
    return app


def open_intake(rt: Runtime) -> Intake:
    """The thread that makes the firm's deliveries durable."""
    return Intake(partial(receive, rt, verify=webhooks.verify, parse=heard, tally=Tally()))


def heard(body: bytes) -> Heard:
    """What a body says, in the words of the use case; one that says nothing usable is kept as bad (F25)."""
    match webhooks.parse_delivery(body):
        case webhooks.Delivery(event=event, object_id=object_id, digest=digest):
            return Heard(event, object_id, digest)
        case _:
            return Heard(None, None, None)


async def _webhook(request: Request) -> Response:
    began = time.monotonic()
    answer = await _hear(request)
    firm = request.app.state.runtime.firm
    counters.DELIVERIES.labels(firm, str(answer.status_code)).inc()
    counters.ACK_SECONDS.labels(firm).observe(time.monotonic() - began)
    return answer


async def _hear(request: Request) -> Response:
    body = await capped(request, BODY_CAP)
    if isinstance(body, Response):
        return body
    secret = request.headers.get("X-Hook-Secret")
    knock = Knock(
        path_token=request.path_params["token"],
        body=body,
        signatures=tuple(request.headers.getlist("X-Hook-Signature")),
        secret=secret,
    )
    status = await request.app.state.intake.submit(knock)
    echoed = {"X-Hook-Secret": secret} if secret is not None and status == HTTPStatus.OK else {}
    return Response(status_code=status, headers=echoed)


async def _bell(request: Request) -> Response:
    """LawPay's, which has no signature and no handshake; it counts nothing but a 200 as heard."""
    return await _unsigned(request, LAWPAY, lawpay_webhooks.outline)


async def _returned(request: Request) -> Response:
    """The mail relay's, which says that letters came back."""
    return await _unsigned(request, MAIL, bytes)


async def _unsigned(request: Request, source: str, kept: Callable[[bytes], bytes]) -> Response:
    """A delivery whose sender proves himself by the path alone."""
    body = await capped(request, BODY_CAP)
    if isinstance(body, Response):
        return body
    knock = Knock(path_token=request.path_params["token"], body=kept(body), signatures=(), secret=None, source=source)
    return Response(status_code=await request.app.state.intake.submit(knock))


async def _self_check(request: Request) -> Response:
    """Prove that this address leads to us, to whoever asks with a word of his own (F28)."""
    nonce = request.headers.get(DOOR_HEADER, "")
    if not nonce or len(nonce) > LONGEST_NONCE:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    return Response(headers={DOOR_HEADER: request.app.state.runtime.cipher.prove(nonce)})


async def _home(_request: Request) -> Response:
    return page("Billing orchestrator", "This address receives webhooks.")


async def _thanks(request: Request) -> Response:
    # Anybody can open this address, and a link scanner will (F80): it says thank you and knows nothing.
    firm = request.app.state.runtime.settings.firm.name
    text = f"Your payment is being processed, and {firm} will see it. You may close this page."
    return page("Thank you", text)


async def _live(request: Request) -> Response:
    alive = request.app.state.intake.alive
    return JSONResponse({"live": alive}, status_code=HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE)


def _ready(request: Request) -> Response:
    try:
        health = read_health(request.app.state.runtime)
    except Exception as trouble:  # noqa: BLE001  not ready is an answer, never an error
        health = Health(ready=False, findings=[f"The database does not answer ({type(trouble).__name__})."], facts={})
    status = HTTPStatus.OK if health.ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"ready": health.ready, "findings": health.findings, **health.facts}, status_code=status)


async def _refused(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, HTTPException)
    return Response(status_code=refusal.status_code, headers=refusal.headers)


async def _failed(_request: Request, _failure: Exception) -> Response:
    return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
