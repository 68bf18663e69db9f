"""The doors for a browser: the hosted payment page, the mailbox, the index. Opening a page never changes anything."""

from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.clio.actions import press
from orchestrator.sandbox.firm import links, payments
from orchestrator.sandbox.firm.books import SIGNS
from orchestrator.sandbox.firm.money import Activity, Link
from orchestrator.sandbox.firm.things import CustomAction, Matter, User
from orchestrator.sandbox.pages import render
from orchestrator.sandbox.refusal import Refusal
from orchestrator.sandbox.sandbox import Sandbox

ADDRESSES = (
    "url",
    "clio_base_url",
    "lawpay_base_url",
    "lawpay_secret_key",
    "smtp_url",
    "access_token",
    "client_id",
    "client_secret",
)
DOORS = (
    ("/sandbox/mailbox", "the mails that were accepted"),
    ("/sandbox/buttons", "buttons that applications have in Clio's pages"),
    ("/sandbox/effects", "everything that happened, in order"),
    ("/sandbox/counts", "calls by path, and the peaks of both link quotas"),
    ("/sandbox/bank", "every line the bank has booked or will"),
    ("/sandbox/oracle", "what was done twice, too late or not at all"),
    ("/sandbox/state", "addresses, tokens and ids by name"),
    ("/sandbox/faults", "scripted faults and how often they struck"),
)


def browser_routes(sandbox: Sandbox) -> list[BaseRoute]:
    """Every page, bound to the sandbox it shows."""

    async def index(_: Request) -> Response:
        state = sandbox.state()
        return HTMLResponse(
            render(
                "index.html",
                state=state,
                addresses=[(name, state[name]) for name in ADDRESSES],
                doors=DOORS,
                accounts=[
                    {"name": key, "page": state["lawpay_accounts"].get(key, {}).get("page"), **facts}
                    for key, facts in state["bank"].items()
                ],
                links=[
                    {"url": link.url, "what": _what(link), "amount": _amount(sandbox, link)}
                    for link in list(sandbox.books.active_links.values())[-20:]
                ],
            )
        )

    async def mailbox(_: Request) -> Response:
        return HTMLResponse(render("mailbox.html", mails=[mail.shown() for mail in reversed(sandbox.mailbox.mails)]))

    async def show_payment(request: Request) -> Response:
        sandbox.clock.catch_up()
        link = sandbox.books.links_by_token.get(request.path_params["token"])
        return _closed(sandbox, link) or _form(sandbox, link)

    async def take_payment(request: Request) -> Response:
        sandbox.clock.catch_up()
        link = sandbox.books.links_by_token.get(request.path_params["token"])
        closed = _closed(sandbox, link)
        if closed is not None or link is None:
            return closed or _form(sandbox, link)
        form = await request.form()
        try:
            amount = Decimal(str(form["amount"])) if "amount" in form else None
            payments.pay(sandbox.books, link, method=str(form.get("method", "card")), amount=amount)
        except (Refusal, InvalidOperation) as error:
            words = error.message if isinstance(error, Refusal) else "Please enter an amount."
            return _form(sandbox, link, words)
        return RedirectResponse(link.redirect_url or f"/pay/{link.token}/thanks", 303)

    async def thanks(_: Request) -> Response:
        words = "Your payment is on its way. A receipt will follow by e-mail."
        return HTMLResponse(_said(sandbox, "Thank you", words, good=True))

    return [
        Route("/", index),
        Route("/sandbox/mailbox", mailbox),
        *button_routes(sandbox),
        Route("/pay/{token}", show_payment, methods=["GET"]),
        Route("/pay/{token}", take_payment, methods=["POST"]),
        Route("/pay/{token}/thanks", thanks),
    ]


def button_routes(sandbox: Sandbox) -> list[BaseRoute]:
    """What Clio's own pages of a matter or an entry show of applications."""

    async def buttons(_: Request) -> Response:
        shown = [
            {
                "id": one.id,
                "label": one.label,
                "place": one.ui_reference,
                "subjects": _subjects(sandbox, one.ui_reference),
            }
            for one in sandbox.books.table(CustomAction).values()
        ]
        users = sorted(sandbox.books.table(User).values(), key=lambda user: user is not sandbox.grant.user)
        return HTMLResponse(render("buttons.html", buttons=shown, users=users))

    async def press_button(request: Request) -> Response:
        form = await request.form()
        try:
            action = sandbox.books.get(CustomAction, request.path_params["id"])
            user = sandbox.books.get(User, form.get("user"))
            return RedirectResponse(press(sandbox.books, action, user, int(str(form.get("subject")))), 303)
        except (Refusal, ValueError):
            return HTMLResponse(_said(sandbox, "Nothing here", "There is no such button or record."), 404)

    return [
        Route("/sandbox/buttons", buttons),
        Route("/sandbox/buttons/{id}", press_button, methods=["POST"]),
    ]


def _subjects(sandbox: Sandbox, place: str) -> list[tuple[int, str]]:
    if place == "matters/show":
        return [(matter.id, matter.display_number) for matter in sandbox.books.table(Matter).values()]
    entries = [entry for entry in sandbox.books.table(Activity).values() if entry.bill is None]
    return [(entry.id, f"{entry.date} {entry.note or entry.type}"[:60]) for entry in entries[-50:]]


def _closed(sandbox: Sandbox, link: Link | None) -> Response | None:
    if link is None:
        return HTMLResponse(_said(sandbox, "Page not found", "This payment link does not exist."), 404)
    refused = payments.payable(sandbox.books, link)
    if refused is None:
        return None
    words = "If you still wish to pay, please ask the firm for a new link."
    return HTMLResponse(_said(sandbox, refused, words), 410)


def _form(sandbox: Sandbox, link: Link | None, problem: str = "") -> Response:
    assert link is not None
    owed = links.open_amount(sandbox.books, link)
    facts: dict[str, Any] = {
        "firm": sandbox.books.name,
        "what": _what(link),
        "fixed": link.amount is not None,
        "amount": _amount(sandbox, link),
        "most": None if owed is None else str(owed),
        "currency": link.currency,
        "payer": link.email_address,
        "problem": problem,
    }
    return HTMLResponse(render("pay.html", **facts), 422 if problem else 200)


def _said(sandbox: Sandbox, heading: str, words: str, *, good: bool = False) -> str:
    return render("said.html", heading=heading, words=words, firm=sandbox.books.name, good=good)


def _what(link: Link) -> str:
    if link.bill is not None:
        noun = "Trust request" if link.bill.kind == "trust_kind" else "Invoice"
        due = f", due {link.bill.due_at:%B %d, %Y}" if link.bill.due_at else ""
        return f"{noun} {link.bill.number}{due}"
    return link.description or "Your open invoices"


def _amount(sandbox: Sandbox, link: Link) -> str:
    money = link.amount if link.amount is not None else links.open_amount(sandbox.books, link)
    return "any amount" if money is None else f"{SIGNS[link.currency]}{money:,.2f}"
