"""How a body is read: never more of it than is allowed."""

from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response


async def capped(request: Request, cap: int) -> bytes | Response:
    """The whole body, or the refusal of one that is over the cap, whatever its length header says, or broke off (F22)."""
    try:
        body = await _up_to(request, cap)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE) if body is None else body


async def _up_to(request: Request, cap: int) -> bytes | None:
    declared = request.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > cap:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > cap:
            return None
    return bytes(body)
