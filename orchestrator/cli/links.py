"""`orchestrator links`: payment links and their budget."""

from typing import Annotated

import typer

from orchestrator.cli.show import (
    ByOption,
    Column,
    DryRunOption,
    JsonOption,
    LimitOption,
    Page,
    amount,
    because,
    number,
    priced,
    say_json,
    who,
)
from orchestrator.cli.status import budget_line

app = typer.Typer(help="Payment links and the quotas they count against.", no_args_is_help=True)

LINKS = (
    number("Link", "id"),
    Column("Bill", "bill_number", wrap=False),
    Column("Rail", "rail", wrap=False),
    Column("State", "state", wrap=False),
    amount("Amount", "amount_cents"),
    Column("Currency", "currency"),
    Column("Ended because", "reason", because),
    Column("Expires", "expires_at", wrap=False),
    Column("Changed", "updated_at", wrap=False),
)
QUOTAS = (
    Column("Quota", "quota"),
    number("Ours", "ours"),
    number("Others'", "others"),
    number("Free", "free"),
)
WAITING = (
    number("Link", "link_id"),
    Column("Bill", "bill_number", wrap=False),
    amount("Amount", "amount_cents"),
    Column("Currency", "currency"),
    Column("Waits since", "since", wrap=False),
    Column("Made at the latest", "at_the_latest", wrap=False),
)


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
    created_at, updated_at, bill_number, brought_by, client_id where it is for all that this client owes) and budget (limit,
    active, created, shut_until, frees_at, room).
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


@app.command("budget")
def budget(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show both of Clio's quotas of payment links: who uses them, who waits, and until when.

    The forecast is at the latest: links that are paid or void sooner make room sooner.

    JSON: users, limit, active, created (each ours, others, free), reserved, counted_at, shut_until, next_frees_at,
    next_new_link_at, forecast (days, wanted_by_bills, wanted_by_reminders, most_active, most_created, tight_quota, tight_at,
    short_at), waiting (a list of link_id, bill_id, bill_number, amount_cents, currency, since, at_the_latest).
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.show_links import show_budget

    with opened(ctx) as rt:
        found = required(
            show_budget(rt), "The account's users have not been counted yet: a worker does that as soon as it runs."
        )
        if as_json:
            say_json(found)
            return
        page = Page(rt.settings.firm.zone)
        page.line(
            f"{found['users']} users: {found['limit']} links active, and {found['limit']} made in 24 hours, at most."
        )
        rows = [{"quota": "active", **found["active"]}, {"quota": "made in 24 hours", **found["created"]}]
        page.table("\nLink budget", QUOTAS, rows)
        page.facts(
            "",
            {
                "Being made now": found["reserved"],
                "Shut by Clio until": found["shut_until"],
                "Next place frees": found["next_frees_at"],
                "A new link is made": found["next_new_link_at"] or "when somebody else's links end",
                "Users counted": found["counted_at"],
            },
        )
        ahead = found["forecast"]
        page.facts(
            f"Next {ahead['days']} days, if nobody pays",
            {
                "Wanted by bills": ahead["wanted_by_bills"],
                "Wanted by reminders": ahead["wanted_by_reminders"],
                "Most active at once": ahead["most_active"],
                "Most made in 24 hours": ahead["most_created"],
                "80 % used from": ahead["tight_at"] or "not within these days",
                "Links wait from": ahead["short_at"] or "not within these days",
            },
        )
        page.table("\nWaiting, highest amount first", WAITING, found["waiting"], none="nobody.")


@app.command("expire")
def expire(
    ctx: typer.Context,
    link: Annotated[int, typer.Argument(metavar="LINK", help="The link's id, as `links list` shows it.")],
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Have a live payment link expired at Clio.

    A worker does it, unless the client paid a moment before. The bill gets no other link by itself until its amount
    changes.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.expire_by_hand import expire_by_hand

    with opened(ctx) as rt:
        found = expire_by_hand(rt, link, by=who(by), dry_run=dry_run)
    what = f"link {link} of bill {found['bill_number']} ({priced(found['amount_cents'], found['currency'])})"
    if dry_run:
        print(f"Would expire {what}.")
    elif found["job"] is None:
        print(
            f"Closed {what} in our books: LawPay cannot expire a page, so a payment on it from now on becomes an exception."
        )
    else:
        print(f"Job {found['job']} expires {what} as soon as a worker is at it.")
