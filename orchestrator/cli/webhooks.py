"""`orchestrator webhooks`: the subscriptions through which Clio tells us what changed."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.show import ByOption, Column, JsonOption, LimitOption, Page, number, say_json, say_rows, who

if TYPE_CHECKING:
    from orchestrator.engine.runtime import Runtime

app = typer.Typer(help="Webhook subscriptions at Clio.", no_args_is_help=True)

WEBHOOKS = (
    Column("Model", "model", wrap=False),
    Column("Events", "events"),
    Column("State", "state", wrap=False),
    number("Webhook", "webhook_id"),
    Column("Ends", "expires_at", wrap=False),
    Column("Changed", "updated_at", wrap=False),
)
COMPARED = (
    *WEBHOOKS,
    Column("At Clio", "at_clio", wrap=False),
    Column("Would", "would", wrap=False),
    Column("Because", "why", wrap=False),
)
HEALTH = (
    Column("Model", "model", wrap=False),
    Column("State", "state", wrap=False),
    Column("Ends", "expires_at", wrap=False),
    Column("Last delivery", "delivered_at", wrap=False),
    number("Deliveries", "deliveries"),
    number("Refused", "refused"),
    Column("Last refused", "refused_at", wrap=False),
    number("Only by sweep", "found_by_sweep"),
    Column("Last so", "found_at", wrap=False),
    Column("Trouble", "troubles", ", ".join),
)
RECEIPTS = (
    number("Number", "id"),
    Column("From", "source", wrap=False),
    Column("Received", "received_at", wrap=False),
    Column("Kind", "kind", wrap=False),
    number("Object", "object_id"),
    Column("Event", "event", wrap=False),
    number("Times", "seen"),
    Column("Status", "status", wrap=False),
)

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]
PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.25


@app.command("list")
def list_webhooks(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List every subscription we want, and how it stands.

    JSON: a list of model, events, state, webhook_id, expires_at, updated_at.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_webhooks import show_webhooks

    with opened(ctx) as rt:
        say_rows(rt, "Webhooks", WEBHOOKS, show_webhooks(rt), as_json=as_json)


@app.command("sync")
def sync(
    *,
    ctx: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compare with what Clio has and say what would be done; ask for nothing.")
    ] = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have what is missing created, confirmed and renewed now.

    A worker does it; this waits up to 20 seconds for the result.

    JSON: job, done, webhooks (as `webhooks list`). With --dry-run: a list of what `webhooks list` has, and at_clio,
    would (keep, wait, create, confirm, renew), why.
    """
    from getpass import getuser

    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_webhooks import ask_for_upkeep, compare_webhooks, show_webhooks, working

    with opened(ctx) as rt:
        page = Page(rt.settings.firm.zone)
        if dry_run:
            rows = compare_webhooks(rt)
            if as_json:
                say_json(rows)
            else:
                page.table("Webhooks", COMPARED, rows)
            return
        job = ask_for_upkeep(rt, by=by or getuser())
        heard = working(rt)
        with page.waiting("A worker is looking after the webhooks …"):
            done = heard and _wait(rt, job)
        rows = show_webhooks(rt)
        if as_json:
            say_json({"job": job, "done": done, "webhooks": rows})
            return
        page.table("Webhooks", WEBHOOKS, rows)
        said = "has looked after them" if done else "is at it" if heard else "is running: it follows when one starts"
        page.line(f"Job {job} asks for upkeep; {'a' if heard else 'no'} worker {said}.")


@app.command("health")
def health(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show how each subscription fares, and what to do about one in trouble; the exit code is 1 then.

    JSON: a list of what `webhooks list` has, and waiting_seconds, tries, delivered_at, deliveries, refused, refused_at,
    replaced_address_served, found_by_sweep, found_at (when last), troubles.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_webhooks import remedies, show_health

    with opened(ctx) as rt:
        rows = show_health(rt)
        if as_json:
            say_json(rows)
        else:
            page = Page(rt.settings.firm.zone)
            page.table("Webhooks", HEALTH, rows)
            for said in remedies(rt, rows):
                page.line(said)
    if any(row["troubles"] for row in rows):
        raise typer.Exit(1)


@app.command("deliveries")
def deliveries(
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only of this kind, such as bill.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List stored deliveries, the newest first.

    JSON: a list of id, source, digest, kind, object_id, event, status, seen, received_at.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.kinds import KINDS
    from orchestrator.usecases.replay_receipts import show_receipts

    one_of(kind, KINDS, "--kind")
    with opened(ctx) as rt:
        say_rows(rt, "Deliveries", RECEIPTS, show_receipts(rt, limit=limit, kind=kind), as_json=as_json)


@app.command("lawpay")
def lawpay(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show LawPay's webhook: the address to enter there, what rang, and how far its events were read.

    Enter the address at LawPay (Settings, Developers, Webhooks) beside those of others. It only rings: everything is read
    from LawPay itself, every few minutes even if nothing rings.

    JSON: configured, address, deliveries, rung_at, read_to, polled_at.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_webhooks import show_lawpay

    with opened(ctx) as rt:
        found = show_lawpay(rt)
        if as_json:
            say_json(found)
            return
        Page(rt.settings.firm.zone).facts(
            "LawPay's webhook",
            {
                "Address": found["address"]
                or ("made by the first poll" if found["configured"] else "LawPay is not connected"),
                "Deliveries": found["deliveries"],
                "Last delivery": found["rung_at"],
                "Events read up to": found["read_to"],
                "Last poll": found["polled_at"],
            },
        )


@app.command("mail")
def mail(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show the mail relay's webhook for bounces: the address to enter there, and how far the mailbox of bounces was read.

    JSON: relay, address, mailbox, read_at, told_by_webhook, told_by_mailbox.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_webhooks import show_mail

    with opened(ctx) as rt:
        found = show_mail(rt)
        if as_json:
            say_json(found)
            return
        waiting = "made by the first look" if found["relay"] else "no [mail] bounce_hook is set"
        Page(rt.settings.firm.zone).facts(
            "Bounces",
            {
                "Relay": found["relay"],
                "Address": found["address"] or waiting,
                "Mailbox": "read by IMAP" if found["mailbox"] else "none",
                "Last read": found["read_at"],
                "Addresses told by webhook": found["told_by_webhook"],
                "Addresses told by mailbox": found["told_by_mailbox"],
            },
        )


@app.command("replay")
def replay(
    *,
    ctx: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(metavar="NUMBER…", help="Deliveries to take again.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="WHEN", formats=MOMENTS, help="All received since then (2026-03-02T15:00, office time)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be looked at; mark nothing.")] = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take stored deliveries again: what they name is read from Clio once more.

    It is harmless: an object that has not changed has no effect. LawPay's name nothing, so they do nothing at all.

    JSON: receipts (how many), objects (by kind), dry_run.
    """
    from orchestrator.cli.firm import Refused, opened
    from orchestrator.usecases.replay_receipts import find_receipts, marks_of, replay_receipts

    if (since is None) == (not ids):
        raise typer.BadParameter("Name deliveries (see `webhooks deliveries`), or say --since, and not both.")
    with opened(ctx) as rt:
        moment = since.replace(tzinfo=rt.settings.firm.zone) if since is not None else None
        found = find_receipts(rt, ids=ids or (), since=moment)
        if missing := sorted(set(ids or ()) - {row["id"] for row in found}):
            raise Refused(
                f"There is no delivery {', '.join(map(str, missing))}: see `orchestrator webhooks deliveries`."
            )
        objects = {kind.value: len(named) for kind, named in marks_of(found).items()}
        if not dry_run:
            objects = replay_receipts(rt, by=who(by), ids=ids or (), since=moment)
        if as_json:
            say_json({"receipts": len(found), "objects": objects, "dry_run": dry_run})
            return
        named = ", ".join(f"{count} {kind}" for kind, count in objects.items()) or "nothing"
        would = "would be" if dry_run else "will be"
        Page(rt.settings.firm.zone).line(f"{len(found)} deliveries: {named} {would} read from Clio again.")


def _wait(rt: "Runtime", job: int) -> bool:
    """Whether the upkeep and what followed from it came to rest in time."""
    from orchestrator.usecases.show_webhooks import at_rest

    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if at_rest(rt, job):
            return True
        time.sleep(LOOK_SECONDS)
    return False
