"""`orchestrator bills`: bills, the requests behind them, and the reasons for silence."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from orchestrator.cli.show import (
    BillArgument,
    Column,
    JsonOption,
    LimitOption,
    Page,
    amount,
    because,
    number,
    priced,
    say_found,
    say_rows,
)

app = typer.Typer(help="Bills, what we did about each, and why we are silent.", no_args_is_help=True)

BILLS = (
    number("Bill", "id"),
    Column("Number", "number", wrap=False),
    Column("Client", "client_name"),
    Column("State", "state"),
    amount("Total", "total_cents"),
    amount("Balance", "balance_cents"),
    Column("Due", "due_on", wrap=False),
    Column("Link", "link"),
    Column("No link because", "why_silent"),
)
REQUESTS = (
    number("Request", "id"),
    Column("Matter", "matter_number"),
    Column("Kind", "kind"),
    Column("From", "period_start", wrap=False),
    Column("To", "period_end", wrap=False),
    amount("Amount", "amount_cents"),
    Column("State", "state"),
    number("Bill", "bill_id"),
    number("Task", "task_id"),
)
DECISIONS = (
    Column("Matter", "matter_number"),
    Column("Decision", "verdict"),
    Column("Because", "why"),
    amount("Approved work", "amount_cents"),
    Column("Decided", "decided_at", wrap=False),
)
PARTS = {
    "matters": ("Matters", (Column("Matter", "display_number"), Column("Status", "status"), Column("Billed", "billing_method"))),
    "entries": ("Entries", (
        number("Entry", "id"), Column("Date", "worked_on"), Column("Type", "type"), amount("Amount", "total_cents"),
    )),
    "links": ("Links", (
        number("Link", "id"), Column("State", "state"), amount("Amount", "amount_cents"),
        Column("Ended because", "reason", because), Column("Expires", "expires_at", wrap=False), Column("Address", "url"),
    )),
    "messages": ("Messages", (
        Column("Step", "step"), Column("State", "state"), Column("Because", "reason", because),
        Column("Sent", "sent_at", wrap=False), Column("Message-ID", "message_id"),
    )),
    "payments": ("Payments", (
        number("Payment", "id"), Column("State", "state"), amount("Amount", "amount_cents"),
        amount("In our books", "booked_cents"), Column("Changed", "updated_at", wrap=False),
    )),
    "exceptions": ("Exceptions", (
        number("Exception", "id"), Column("Kind", "kind"), Column("State", "state"), Column("Summary", "summary"),
    )),
    "audit": ("What happened", (
        Column("At", "at", wrap=False), Column("Who", "actor"), Column("What", "action", wrap=False), Column("With", "facts"),
    )),
}  # fmt: skip
"""The tables of one bill, by the key of their rows."""

View = tuple[str, tuple[Column, ...], Callable[[], list[dict[str, Any]]]]


@app.command("list")
def list_bills(
    *,
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only bills in this state, e.g. awaiting_payment.")] = None,
    requests: Annotated[bool, typer.Option("--requests", help="List our billing requests instead.")] = False,
    why: Annotated[bool, typer.Option("--why", help="List why each matter is, or is not, asked a bill for.")] = False,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List bills, each with its link or why there is none.

    JSON: a list of id, number, state, kind, client_name, matter_ids, total_cents, paid_cents, balance_cents, pending_cents,
    currency, issued_on, due_on, request_id, silence, updated_at, link, why_silent.

    With --requests: id, matter_id, kind, period_start, period_end, state, amount_cents, currency, entry_ids, key, task_id,
    bill_id, created_at, updated_at, matter_number.

    With --why: matter_id, verdict, reason, amount_cents, decided_at, why, matter_number.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.bills import BillState
    from orchestrator.usecases.show_bills import show_bills, show_decisions, show_requests

    one_of(state, BillState, "--state")

    if sum((requests, why, state is not None)) > 1:
        raise typer.BadParameter("--state, --requests and --why exclude one another.")
    with opened(ctx) as rt:
        views: dict[tuple[bool, bool], View] = {
            (False, False): ("Bills", BILLS, lambda: show_bills(rt, state=state, limit=limit)),
            (True, False): ("Billing requests", REQUESTS, lambda: show_requests(rt, limit=limit)),
            (False, True): ("Billing decisions", DECISIONS, lambda: show_decisions(rt, limit=limit)),
        }
        title, columns, look = views[requests, why]
        say_rows(rt, title, columns, look(), as_json=as_json)


@app.command("show")
def show(
    ctx: typer.Context,
    bill: BillArgument,
    as_json: JsonOption = False,
) -> None:
    """Show everything about one bill.

    Its matters, request, entries, links, messages, payments, exceptions, and what happened in order.

    JSON: bill, client_email, why_silent, matters, request, entries, links, link_alive, messages, payments, exceptions, audit.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.find_bill import find_bill
    from orchestrator.usecases.show_bills import show_bill

    with opened(ctx) as rt:
        found = show_bill(rt, find_bill(rt, bill))
        say_found(rt, found, _draw, as_json=as_json)


def _draw(page: Page, found: dict[str, Any]) -> None:
    bill, request = found["bill"], found["request"]
    page.facts(
        f"Bill {bill['number']} ({bill['id']})",
        {
            "State": bill["state"],
            "Client": bill["client_name"],
            "Address": found["client_email"],
            "Total": priced(bill["total_cents"], bill["currency"]),
            "Paid": priced(bill["paid_cents"], bill["currency"]),
            "Balance": priced(bill["balance_cents"], bill["currency"]),
            "On its way": priced(bill["pending_cents"], bill["currency"]),
            "Issued": bill["issued_on"],
            "Due": bill["due_on"],
            "No link because": found["why_silent"],
            "Request": f"{request['id']}, {request['state']}, {request['period_start']} to {request['period_end']}"
            if request
            else "none of ours",
        },
    )
    for key, (title, columns) in PARTS.items():
        if found[key]:
            page.table(f"\n{title}", columns, found[key])
