"""The bank's doors: statements to download, by account and period."""

from collections.abc import Callable
from datetime import date

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.bank.book import Statement
from orchestrator.sandbox.bank.statement import as_csv, ofx
from orchestrator.sandbox.refusal import Refusal, unprocessable
from orchestrator.sandbox.sandbox import Sandbox


def bank_routes(sandbox: Sandbox) -> list[BaseRoute]:
    """`from` and `to` are days of the account's zone; left out, the month so far."""

    def door(write: Callable[[Statement], bytes], media_type: str) -> Callable[[Request], Response]:
        def give(request: Request) -> Response:
            sandbox.clock.catch_up()
            today = sandbox.bank.today()
            try:
                start = _day(request, "from", today.replace(day=1))
                end = _day(request, "to", today)
                said = sandbox.bank.statement(request.path_params["account"], start, end)
            except Refusal as refusal:
                return JSONResponse({"error": refusal.message}, refusal.status)
            return Response(write(said), media_type=media_type)

        return give

    return [
        Route("/bank/{account}/statement.ofx", door(lambda said: ofx(said, sandbox.clock.now()), "application/x-ofx")),
        Route("/bank/{account}/statement.csv", door(as_csv, "text/csv; charset=utf-8")),
    ]


def _day(request: Request, name: str, otherwise: date) -> date:
    text = request.query_params.get(name)
    try:
        return otherwise if text is None else date.fromisoformat(text)
    except ValueError:
        raise unprocessable(f"{name} must be a day such as 2026-03-31.") from None
