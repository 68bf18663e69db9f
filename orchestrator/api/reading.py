"""How a body is read: never more of it than is allowed."""

from starlette.requests import Request


async def capped(request: Request, cap: int) -> bytes | None:
    """The whole body, or None as soon as it is over the cap, whatever its length header says (F22)."""
    declared = request.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > cap:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > cap:
            return None
    return bytes(body)
