"""Where Clio sends the browser after a person agreed or declined: the answer is kept for the command that waits for it."""

from html import escape
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from orchestrator.usecases.connect_clio import take_answer

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


def _callback(request: Request) -> Response:
    state, code = request.query_params.get("state", ""), request.query_params.get("code")
    if not 0 < len(state) <= LONGEST or len(code or "") > LONGEST:
        return page("Nothing to do here", "This address takes answers from Clio only.", HTTPStatus.BAD_REQUEST)
    if not take_answer(request.app.state.runtime, state=state, code=code or None):
        again = "This answers no attempt that is under way. Run orchestrator connect clio again and open the newest address."
        return page("Too late", again, HTTPStatus.BAD_REQUEST)
    if code:
        return page("Clio has agreed", "Go back to the terminal: it finishes the connection. You may close this page.")
    return page("Nothing is connected", "Clio was told to decline. You may close this page.")


CALLBACK = Route("/oauth/callback", _callback, methods=["GET"])
