"""`orchestrator payments`: money on its way, arrived, and gone back."""

from typing import Annotated, Any

import typer

from orchestrator.cli.show import (
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

app = typer.Typer(help="Payments, what they paid, and what became of them.", no_args_is_help=True)


def _numbers(numbers: list[str]) -> str:
    return ", ".join(numbers) or "none yet"


PAYMENTS = (
    number("Payment", "id"),
    Column("State", "state"),
    Column("Not as asked", "deviations", lambda codes: "; ".join(because(code) for code in codes)),
    Column("Bill", "bill_numbers", _numbers),
    amount("Amount", "amount_cents"),
    Column("Currency", "currency"),
    amount("In our books", "booked_cents"),
    amount("Went back", "reversed_cents"),
    number("Link", "link_id"),
    Column("Made", "created_at", wrap=False),
    Column("Changed", "updated_at", wrap=False),
)
PARTS = {
    "allocations": ("What it paid", (
        Column("Bill", "bill_number", lambda bill: bill or "no bill: unallocated"), amount("Amount", "amount_cents"),
    )),
    "reversed_by": ("What took it back", (
        Column("At", "at", wrap=False), Column("What", "event"), amount("Amount", "amount_cents"),
    )),
    "journal": ("In our books", (
        Column("At", "at", wrap=False), Column("What", "event"), Column("Account", "account"), amount("Amount", "amount_cents"),
        number("Bill", "bill_id"),
    )),
    "exceptions": ("Exceptions", (
        number("Exception", "id"), Column("Kind", "kind"), Column("State", "state"), Column("Summary", "summary"),
    )),
    "audit": ("What happened", (
        Column("At", "at", wrap=False), Column("Who", "actor"), Column("What", "action", wrap=False), Column("With", "facts"),
    )),
}  # fmt: skip
"""The tables of one payment, by the key of their rows."""


@app.command("list")
def list_payments(
    *,
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only payments in this state, e.g. completed.")] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List payments, the newest first, with what our books hold of each.

    JSON: a list of id, state, amount_cents, currency, booked_cents, bill_ids, matter_ids, account_id, created_at, updated_at,
    clio_link_id, link_id, bill_numbers, reversed_cents, rail, lawpay_id, type, reference, deviations. Of LawPay's, id is L
    and our number, and account_id the configured account's key.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.payments import PaymentState
    from orchestrator.usecases.show_payments import show_payments

    one_of(state, PaymentState, "--state")
    with opened(ctx) as rt:
        say_rows(rt, "Payments", PAYMENTS, show_payments(rt, state=state, limit=limit), as_json=as_json)


@app.command("show")
def show(
    ctx: typer.Context,
    payment: Annotated[
        str, typer.Argument(metavar="ID", help="The payment's id, as `payments list` shows it, or LawPay's own.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Show everything about one payment.

    What it paid, by which link, every movement of our books, and what took it back.

    JSON: payment, link, allocations, reversed_by, journal, exceptions, audit.
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.show_payments import show_payment

    with opened(ctx) as rt:
        found = required(show_payment(rt, payment), f"We know no payment {payment}.")
        say_found(rt, found, _draw, as_json=as_json)


def _draw(page: Page, found: dict[str, Any]) -> None:
    payment, link = found["payment"], found["link"]
    page.facts(
        f"Payment {payment['id']}",
        {
            "State": payment["state"],
            "Amount": priced(payment["amount_cents"], payment["currency"]),
            "In our books": priced(payment["booked_cents"], payment["currency"]),
            "Went back": priced(payment["reversed_cents"], payment["currency"]) if payment["reversed_cents"] else None,
            "Bills": _numbers(payment["bill_numbers"]),
            "Link": f"{link['id']}, {link['state']}" if link else "none of ours",
            "Account": payment["account_id"],
            "LawPay's id": payment["lawpay_id"],
            "Reference": payment["reference"],
            "Not as asked": "; ".join(because(code) for code in payment["deviations"]) or None,
            "Made": payment["created_at"],
            "Changed": payment["updated_at"],
        },
    )
    for key, (title, columns) in PARTS.items():
        if found[key]:
            page.table(f"\n{title}", columns, found[key])
