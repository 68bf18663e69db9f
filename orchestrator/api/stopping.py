"""`/stop/…`: where the unsubscribe button of a mail program leads (RFC 8058). A GET changes nothing (F80).

The POST comes from the mail provider, without cookies or anything else but the address: that alone is believed.
"""

from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.api.callback import page
from orchestrator.api.reading import capped
from orchestrator.engine.runtime import Runtime
from orchestrator.usecases.receive_webhook import STOP, Knock
from orchestrator.usecases.stop_reminders import PATH, leads_to

BODY_CAP = 4096


async def _stop(request: Request) -> Response:
    """Durable before it is answered; 503 when it cannot be, and the provider tries again."""
    if (client_id := _client(request)) is None:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    body = await capped(request, BODY_CAP)
    if isinstance(body, Response):
        return body
    if not _one_click(body, request.headers.get("Content-Type", "")):
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    knock = Knock(path_token=str(client_id), body=b"", signatures=(), secret=None, source=STOP)
    return Response(status_code=await request.app.state.intake.submit(knock))


async def _explain(request: Request) -> Response:
    if _client(request) is None:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    rt: Runtime = request.app.state.runtime
    words = (
        "Nothing was changed. The unsubscribe button of your mail program ends reminders; or answer any of our letters."
    )
    return page(rt.settings.firm.name, words)


def _client(request: Request) -> int | None:
    """Whose address this is, found without asking the database: guesses cost it nothing."""
    number, rt = request.path_params["client"], request.app.state.runtime
    known = number.isascii() and number.isdigit() and len(number) <= 18  # noqa: PLR2004  what fits a bigint
    return int(number) if known and leads_to(rt, int(number), request.path_params["word"]) else None


def _one_click(body: bytes, kind: str) -> bool:
    """Whether it is the button, in either form that RFC 8058 allows, and not somebody who posts an empty form."""
    if kind.lower().startswith("multipart/form-data"):
        return b'name="List-Unsubscribe"' in body and b"One-Click" in body
    return parse_qs(body.decode("utf-8", "replace")).get("List-Unsubscribe") == ["One-Click"]


STOPPING = [
    Route(f"{PATH}{{client}}/{{word}}", _explain, methods=["GET"]),
    Route(f"{PATH}{{client}}/{{word}}", _stop, methods=["POST"]),
]
