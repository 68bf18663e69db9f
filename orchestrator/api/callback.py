"""Where Clio sends the browser after a person agreed or declined.

The answer to `orchestrator connect` is kept for the command that waits for it; that to a person's own sign-in is used here.
"""

import hmac
from html import escape
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from orchestrator.engine.runtime import Runtime
from orchestrator.errors import OrchestratorError
from orchestrator.usecases.connect_clio import take_answer
from orchestrator.usecases.sign_in_person import decline_sign_in, finish_sign_in

LONGEST = 512

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 1.125rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto 0; padding: 0 1.5rem }}
</style></head><body><main><h1>{title}</h1><p>{text}</p></main></body></html>
"""


def page(title: str, text: str, status: int = HTTPStatus.OK) -> Response:
    """A page that says one thing and loads nothing."""
    return HTMLResponse(PAGE.format(title=escape(title), text=escape(text)), status, headers=SAFE_HEADERS)


def tls(rt: Runtime) -> bool:
    """Whether browsers reach us by https; only outside production may it be otherwise (`Settings.safe`)."""
    return rt.settings.public_address.startswith("https://")


def host_cookie(rt: Runtime, name: str) -> str:
    """A cookie's name that, over TLS, browsers take from this very host only."""
    return f"__Host-{name}" if tls(rt) else name


def sign_in_cookie(rt: Runtime) -> str:
    """Keeps a person's sign-in to the browser that began it."""
    return host_cookie(rt, "sign-in")


def _signed_in(request: Request, state: str, code: str | None) -> Response | None:
    """The page for the answer to a person's sign-in; None when it is none that this browser began."""
    rt: Runtime = request.app.state.runtime
    began = request.cookies.get(sign_in_cookie(rt), "")
    if not hmac.compare_digest(began.encode(), state.encode()):
        return None
    if code is None:
        return page("You are not signed in", "Clio was told to decline.") if decline_sign_in(rt, state=state) else None
    try:
        found = finish_sign_in(rt, state=state, code=code)
    except OrchestratorError as refusal:
        other = getattr(refusal, "reason", "") == "wrong_account"
        words = "That user belongs to another firm's Clio." if other else "Clio did not confirm the sign-in."
        return page(
            "You are not signed in", f"{words} Go back to Clio and press the button again.", HTTPStatus.FORBIDDEN
        )
    if found is None:
        return None
    return page("You are signed in", f"You are {found['name']}. Go back to Clio and press the button again.")


def _callback(request: Request) -> Response:
    state, code = request.query_params.get("state", ""), request.query_params.get("code")
    if not 0 < len(state) <= LONGEST or len(code or "") > LONGEST:
        return page("Nothing to do here", "This address takes answers from Clio only.", HTTPStatus.BAD_REQUEST)
    if (signed_in := _signed_in(request, state, code or None)) is not None:
        return signed_in
    if not take_answer(request.app.state.runtime, state=state, code=code or None):
        again = "This answers no attempt that is under way. Run orchestrator connect clio again and open the newest address."
        return page("Too late", again, HTTPStatus.BAD_REQUEST)
    if code:
        return page("Clio has agreed", "Go back to the terminal: it finishes the connection. You may close this page.")
    return page("Nothing is connected", "Clio was told to decline. You may close this page.")


CALLBACK = Route("/oauth/callback", _callback, methods=["GET"])
