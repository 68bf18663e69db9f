"""`/approve/…`: where the button in Clio leads. A GET shows and changes nothing; the approval is a POST (F80, F81).

The POST needs a cookie that only this site's own pages send (SameSite=Strict), and a word in the form that is made from it;
a browser that says another site sent the form is refused before either is looked at.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from orchestrator.api.callback import SAFE_HEADERS, host_cookie, page, sign_in_cookie, tls
from orchestrator.domain.custom_actions import PATH, PRESS_LIFE
from orchestrator.domain.reasons import REASONS
from orchestrator.engine.runtime import Runtime
from orchestrator.errors import OrchestratorError, Rejected
from orchestrator.usecases.approve_in_clio import SignInNeeded, answer_press, open_press
from orchestrator.usecases.connect_clio import ANSWER_WITHIN
from orchestrator.usecases.keep_buttons import PURPOSE
from orchestrator.usecases.sign_in_person import begin_sign_in

log = structlog.get_logger()

FORM_CAP = 4096
HEADERS = {**SAFE_HEADERS, "Content-Security-Policy": f"{SAFE_HEADERS['Content-Security-Policy']}; form-action 'self'"}
_pages = Environment(
    loader=PackageLoader("orchestrator.api", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
STATUS = {
    "press_malformed": HTTPStatus.BAD_REQUEST,
    "press_replayed": HTTPStatus.CONFLICT,
    "press_over": HTTPStatus.GONE,
    "button_unwanted": HTTPStatus.NOT_FOUND,
}
"""What is not named here is forbidden."""


def _guarded(request: Request, endpoint: Callable[[], Response]) -> Response:
    """Nothing is there for whoever does not know the button's address; a refusal is a page that says what to do next."""
    rt: Runtime = request.app.state.runtime
    if not rt.cipher.leads_to(PURPOSE, request.path_params["key"]):
        return Response(status_code=HTTPStatus.NOT_FOUND)
    try:
        return endpoint()
    except SignInNeeded:
        answer = _shown(rt, "approve_sign_in.html", HTTPStatus.FORBIDDEN, action=f"{_here(request)}/sign-in")
        # The form is answered by a redirect to Clio, and browsers hold that against the same list.
        answer.headers["Content-Security-Policy"] = f"{HEADERS['Content-Security-Policy']} {rt.clio_url}"
        return answer
    except Rejected as refusal:
        log.info("approve.refused", reason=refusal.reason)
        reason = REASONS[refusal.reason if refusal.reason in REASONS else "press_unconfirmed"]
        words = f"{reason.meaning[0].upper()}{reason.meaning[1:]}. {reason.advice}"
        return page("Nothing was approved", words, STATUS.get(refusal.reason, HTTPStatus.FORBIDDEN))
    except OrchestratorError as trouble:
        log.warning("approve.failed", error=type(trouble).__name__)
        words = "Clio could not be asked just now. Go back to Clio and press the button again in a minute."
        return page("Nothing was approved", words, HTTPStatus.SERVICE_UNAVAILABLE)


def _show(request: Request) -> Response:
    return _guarded(request, partial(_ask, request))


def _ask(request: Request) -> Response:
    rt: Runtime = request.app.state.runtime
    told = request.query_params
    asked = open_press(
        rt, nonce=told.get("custom_action_nonce", ""), user_id=told.get("user_id", ""), subject_url=told.get("subject_url", "")
    )  # fmt: skip
    shown = _shown(rt, "approve.html", HTTPStatus.OK, asked=asked, action=_here(request))
    _keep(rt, shown, _cookie(rt, asked.press_id), asked.secret, within=PRESS_LIFE, same_site="strict")
    return shown


async def _answer(request: Request) -> Response:
    form = await _form(request)
    return await run_in_threadpool(_guarded, request, partial(_approve, request, form))


def _approve(request: Request, form: Mapping[str, str]) -> Response:
    rt: Runtime = request.app.state.runtime
    _ours_only(request)
    number = form.get("press", "")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):  # noqa: PLR2004  what fits a bigint
        raise Rejected("The form is not ours.", reason="press_stranger")
    secret = request.cookies.get(_cookie(rt, int(number)), "")
    done = answer_press(rt, press_id=int(number), secret=secret, form_token=form.get("word", ""))
    return _shown(rt, "approved.html", HTTPStatus.OK, done=done)


def _sign_in(request: Request) -> Response:
    return _guarded(request, partial(_leave, request))


def _leave(request: Request) -> Response:
    rt: Runtime = request.app.state.runtime
    _ours_only(request)
    state, url = begin_sign_in(rt)
    leave = RedirectResponse(url, HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)
    # Lax: the answer comes from Clio's site, and a strict cookie would stay behind.
    _keep(rt, leave, sign_in_cookie(rt), state, within=ANSWER_WITHIN, same_site="lax")
    return leave


def _ours_only(request: Request) -> None:
    """Refuse what a browser says was sent by another site's page."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Rejected("Another site sent this form.", reason="press_stranger")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form; nothing of a large one."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > FORM_CAP:
                return {}
    except ClientDisconnect:
        return {}
    return dict(parse_qsl(bytes(body).decode("utf-8", "replace")))


def _here(request: Request) -> str:
    rt: Runtime = request.app.state.runtime
    return f"{urlsplit(rt.settings.public_address).path}{PATH}{request.path_params['key']}"


def _cookie(rt: Runtime, press_id: int) -> str:
    """One for each page, so that two tabs do not take each other's; over TLS bound to the host as browsers know how."""
    return host_cookie(rt, f"approve-{press_id}")


def _keep(
    rt: Runtime, answer: Response, name: str, value: str, *, within: timedelta, same_site: Literal["strict", "lax"]
) -> None:
    seconds = int(within.total_seconds())
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=tls(rt), httponly=True, samesite=same_site)


def _shown(rt: Runtime, template: str, status: int, **facts: object) -> Response:
    html = _pages.get_template(template).render(firm=rt.settings.firm.name, colour=rt.settings.firm.colour, **facts)
    return HTMLResponse(html, status, headers=HEADERS)


APPROVING = [
    Route(f"{PATH}{{key}}", _show, methods=["GET"]),
    Route(f"{PATH}{{key}}", _answer, methods=["POST"]),
    Route(f"{PATH}{{key}}/sign-in", _sign_in, methods=["POST"]),
]
