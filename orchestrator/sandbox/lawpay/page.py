"""The hosted payment page in a browser. Its address proposes; locked fields are locked by the browser alone."""

from decimal import Decimal, InvalidOperation

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.firm.things import Facts
from orchestrator.sandbox.lawpay import paying
from orchestrator.sandbox.lawpay.gateway import LONGEST
from orchestrator.sandbox.lawpay.refusals import Declined
from orchestrator.sandbox.lawpay.things import Page
from orchestrator.sandbox.pages import render
from orchestrator.sandbox.sandbox import Sandbox

FIELDS = (
    ("amount", "Amount", "number", True),
    ("reference", "Reference", "text", False),
    ("name", "Name", "text", False),
    ("email", "E-mail", "email", False),
)


def page_routes(sandbox: Sandbox) -> list[BaseRoute]:
    """The page of each account, and what a payer is told afterwards."""

    async def show(request: Request) -> Response:
        sandbox.clock.catch_up()
        page = _page(sandbox, request)
        if page is None:
            return _said(sandbox, "Page not found", "This payment page does not exist.", 404)
        wish = paying.Wish.read(request.query_params)
        return _form(sandbox, page, wish, {**request.query_params, "amount": _dollars(wish.amount)})

    async def take(request: Request) -> Response:
        sandbox.clock.catch_up()
        page = _page(sandbox, request)
        if page is None:
            return _said(sandbox, "Page not found", "This payment page does not exist.", 404)
        form = await request.form()
        typed = {name: str(form.get(name, "")).strip() for name, *_ in FIELDS}
        try:
            paid = paying.pay(sandbox.gateway, page, _wish(form), method=str(form.get("method", "card")))
        except (Declined, InvalidOperation) as error:
            words = error.message if isinstance(error, Declined) else "Please enter an amount."
            return _form(sandbox, page, paying.Wish.read(request.query_params), typed, words)
        return RedirectResponse(f"{request.url.path}/thanks?id={paid.id}", 303)

    async def thanks(request: Request) -> Response:
        number = request.query_params.get("id", "")
        return _said(sandbox, "Thank you", f"Your payment was authorized. Transaction {number}.", 200)

    path = "/pages/{firm}/{page}"
    return [
        Route(path, show, methods=["GET"]),
        Route(path, take, methods=["POST"]),
        Route(f"{path}/thanks", thanks),
    ]


def _page(sandbox: Sandbox, request: Request) -> Page | None:
    page = sandbox.gateway.pages.get(request.path_params["page"])
    known = page is not None and page.url.endswith(f"/{request.path_params['firm']}/{page.slug}")
    return page if known else None


def _wish(form: FormData) -> paying.Wish:
    """What was typed, in dollars; nothing is compared with what the address proposed."""
    amount = Decimal(str(form.get("amount", ""))) * 100
    whole = int(amount) if amount == amount.to_integral_value() else 0
    reference, name, email = (str(form.get(field, "")).strip() for field in ("reference", "name", "email"))
    return paying.Wish(amount=whole, reference=reference, name=name, email=email)


def _dollars(amount: int | None) -> str:
    return "" if amount is None else f"{Decimal(amount) / 100:.2f}"


def _form(sandbox: Sandbox, page: Page, wish: paying.Wish, typed: Facts, problem: str = "") -> Response:
    fields = [
        {
            "name": name,
            "label": label,
            "type": kind,
            "value": typed.get(name, ""),
            "required": required,
            "fixed": name in wish.read_only,
            "longest": LONGEST if name == "reference" else 0,
        }
        for name, label, kind, required in FIELDS
    ]
    body = render("lawpay.html", firm=sandbox.gateway.firm, title=page.title, fields=fields, problem=problem)
    return HTMLResponse(body, 422 if problem else 200)


def _said(sandbox: Sandbox, heading: str, words: str, status: int) -> Response:
    facts = {"heading": heading, "words": words, "firm": sandbox.gateway.firm, "good": status == 200}
    return HTMLResponse(render("said.html", **facts), status)
