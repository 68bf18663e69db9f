"""`orchestrator status`: how everything stands."""

from typing import Any

import typer

from orchestrator.cli.show import Column, JsonOption, Page, age, because, money, number, say_json


def status(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show how everything stands, and what waits for a person.

    JSON: firm, dry_run, at, ready, findings, jobs, oldest_due_seconds, next_due_at, bills, links (by state, and budget),
    messages, payments, exceptions, sweeps, webhooks, receipts, pulses, books.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_status import show_status

    with opened(ctx) as rt:
        found = show_status(rt)
        if as_json:
            say_json(found)
        else:
            _draw(Page(rt.settings.firm.zone), found)


def _draw(page: Page, found: dict[str, Any]) -> None:
    if found["dry_run"]:
        page.line("This is a dry run: nothing leaves. `orchestrator jobs would` says what would have.", "bold")
    page.line("Everything is at work." if found["ready"] else "Something needs attention:", "bold")
    for finding in found["findings"]:
        page.line(f"  • {finding}")
    links = {state: count for state, count in found["links"].items() if state != "budget"}
    page.facts(
        "",
        {
            "Bills": found["bills"],
            "Links": links,
            "Link budget": budget_line(found["links"]["budget"]),
            "Messages": found["messages"],
            "Payments": found["payments"],
            "Books": f"hold {money(found['books']['held_cents'])}, off by {money(found['books']['balance_cents'])}",
            "Jobs": found["jobs"],
            "Oldest due": age(found["oldest_due_seconds"]),
            "Next due": found["next_due_at"],
            "Webhooks": found["webhooks"],
            "Deliveries": found["receipts"],
            "Signs of life": {name: f"{age(seconds)} ago" for name, seconds in found["pulses"].items()},
        },
    )
    page.table(
        "\nOpen exceptions",
        (number("Number", "count"), Column("Kind", "kind", wrap=False), Column("Because", "kind", because)),
        [{"kind": kind, "count": count} for kind, count in found["exceptions"].items()],
    )
    page.table(
        "\nSweeps",
        (
            Column("Of", "kind"),
            Column("Read up to", "watermark"),
            number("Found", "found_by_sweep"),
            number("Marked", "waiting"),
        ),
        [{"kind": kind, **facts} for kind, facts in found["sweeps"].items()],
    )


def budget_line(budget: dict[str, Any] | None) -> str:
    """The link budget in one line."""
    if budget is None:
        return "not known yet: the account's users have not been counted"
    shut = f", shut until {budget['shut_until']:%Y-%m-%d %H:%M} UTC" if budget["shut_until"] else ""
    return f"limit {budget['limit']}, active {budget['active']}, made in 24 h {budget['created']}, room {budget['room']}{shut}"
