"""A web process of the firm with one more door: a bare handler that checks the signature and stores nothing.

`python -m benchmarks.door SECRET` serves both from one uvicorn and one event loop, so that either is the other's measure.
"""

import sys
from http import HTTPStatus

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.api.app import create_app
from orchestrator.bootstrap import build
from orchestrator.cli.logs import configure
from orchestrator.clients.clio.webhooks import verify
from orchestrator.settings import load

BARE = "/bare"


def main() -> None:
    """Serve until killed."""
    secret = sys.argv[1]

    async def bare(request: Request) -> Response:
        body = await request.body()
        genuine = verify(body, request.headers.get("X-Hook-Signature", ""), [secret])
        return Response(status_code=HTTPStatus.OK if genuine else HTTPStatus.UNAUTHORIZED)

    settings = load()
    configure(production=True)  # a line for every delivery, written as the firm's own web process writes it
    app = create_app(build(settings))
    app.router.routes.append(Route(BARE, bare, methods=["POST"]))
    host, _, port = settings.listen.rpartition(":")
    uvicorn.run(app, host=host, port=int(port), log_level="warning", access_log=False, server_header=False)


if __name__ == "__main__":
    main()
