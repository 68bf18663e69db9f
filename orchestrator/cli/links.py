"""`orchestrator links`: payment links and their budget."""

from typing import Annotated

import typer

from orchestrator.cli.show import Column, JsonOption, LimitOption, Page, amount, because, number, say_json
from orchestrator.cli.status import budget_line

app = typer.Typer(help="Payment links and the quotas they count against.", no_args_is_help=True)

LINKS = (
    number("Link", "id"),
    Column("Bill", "bill_number", wrap=False),
    Column("State", "state", wrap=False),
    amount("Amount", "amount_cents"),
    Column("Currency", "currency"),
    Column("Ended because", "reason", because),
    Column("Expires", "expires_at", wrap=False),
    Column("Changed", "updated_at", wrap=False),
)


@app.callback()
def links() -> None: ...


@app.command("list")
def list_links(
    *,
    ctx: typer.Context,
    state: Annotated[
        str | None, typer.Option(help="Only waiting, reserved, live, used, expired, refused or withdrawn links.")
    ] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List payment links, and what the link budget leaves.

    JSON: links (id, bill_id, cycle, rail, state, amount_cents, currency, clio_id, url, reason, reserved_at, expires_at,
    created_at, updated_at, bill_number) and budget (limit, active, created, shut_until, frees_at, room).
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.links import LinkState
    from orchestrator.usecases.show_links import show_links

    one_of(state, LinkState, "--state")
    with opened(ctx) as rt:
        found = show_links(rt, state=state, limit=limit)
        if as_json:
            say_json(found)
            return
        page = Page(rt.settings.firm.zone)
        page.table("Payment links", LINKS, found["links"])
        page.line(f"Budget: {budget_line(found['budget'])}.")
