"""`orchestrator status`: how everything stands."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import typer

from orchestrator.cli.options import EveryOption
from orchestrator.cli.show import Column, JsonOption, Page, age, because, money, number, say_json

AT_ONCE = 8
FIRMS_COLUMNS = (
    Column("Firm", "firm", wrap=False), Column("At work", "ready"), Column("Findings", "findings"),
    Column("Oldest due", "oldest_due_seconds", age), number("Exceptions", "exceptions"),
)  # fmt: skip


def status(ctx: typer.Context, as_json: JsonOption = False, every: EveryOption = False) -> None:
    """Show how everything stands, and what waits for a person.

    With --all one line for each firm, and JSON a list of firm, ready, findings, oldest_due_seconds, exceptions (how many).

    JSON: firm, dry_run, at, ready, findings, jobs, recovery, oldest_due_seconds, next_due_at, bills,
    links (by state, and budget), messages, payments, exceptions, sweeps, webhooks, receipts, pulses, books.
    """
    from zoneinfo import ZoneInfo

    from orchestrator.cli.firm import opened, settings_of, with_profiles
    from orchestrator.usecases.show_status import show_status

    if every:
        names = with_profiles(settings_of(ctx).config_dir)
        # At the same time: a database that is away takes seconds to say so.
        with ThreadPoolExecutor(AT_ONCE) as hands:
            standings = list(hands.map(_standing, names))
        if as_json:
            say_json(standings)
        else:
            Page(ZoneInfo("UTC")).table("Firms", FIRMS_COLUMNS, standings)
        return
    with opened(ctx) as rt:
        found = show_status(rt)
        if as_json:
            say_json(found)
        else:
            _draw(Page(rt.settings.firm.zone), found)


def _standing(firm: str) -> dict[str, Any]:
    """How one of many firms stands; what keeps us from knowing is its finding."""
    from orchestrator.cli.failures import sentence
    from orchestrator.cli.firm import opened_named
    from orchestrator.usecases.read_health import read_health

    try:
        with opened_named(firm) as rt:
            health = read_health(rt)
            with rt.read() as work:
                exceptions = sum(work.exceptions.open_counts().values())
    except Exception as trouble:  # noqa: BLE001  one firm's trouble is a line of the table
        ready, findings, oldest, exceptions = False, [sentence(trouble)[0]], None, None
    else:
        ready, findings, oldest = health.ready, health.findings, health.facts["oldest_due_seconds"]
    return {"firm": firm, "ready": ready, "findings": findings, "oldest_due_seconds": oldest, "exceptions": exceptions}


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
            "Recovered": found["recovery"]["recovered_at"] if found["recovery"] else None,
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
