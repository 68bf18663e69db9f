"""`orchestrator trust`: what clients' money is there, and what people decide about it. Nothing here moves money."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestrator.cli.show import (
    BillArgument,
    ByOption,
    Column,
    DryRunOption,
    JsonOption,
    LimitOption,
    Page,
    amount,
    because,
    money,
    number,
    say_json,
    say_rows,
    who,
)

app = typer.Typer(
    help="Trust money: accounts, client ledgers, draws, disputes. Nothing here moves money.", no_args_is_help=True
)

evergreen = typer.Typer(help="Retainers that are filled up again (`[trust.evergreen]`).", no_args_is_help=True)
app.add_typer(evergreen, name="evergreen")

RETAINERS = (
    Column("Matter", "matter", wrap=False),
    amount("In trust", "balance_cents"),
    amount("Level", "threshold_cents"),
    amount("Filled up to", "target_cents"),
    amount("Missing", "missing_cents"),
    amount("Asked for", "asked_cents"),
    Column("Request", "state", wrap=False),
    number("Bill", "bill_id"),
    Column("Nobody is asked because", "why", because),
)
ACCOUNTS = (
    Column("Account", "key", wrap=False),
    Column("Class", "account_class", wrap=False),
    number("Clio", "clio_id"),
    Column("LawPay", "lawpay_ids"),
    Column("Bank", "bank_id"),
    Column("Currency", "currency"),
    amount("Ledgers", "ledgers_cents"),
    Column("Refused", "refused"),
    Column("Nothing is drawn because", "denied", because),
)
LEDGERS = (
    number("Ledger", "id"),
    Column("Account", "account", wrap=False),
    Column("Kind", "kind", wrap=False),
    number("Client", "client_id"),
    Column("Matter", "matter_number"),
    amount("Balance", "balance_cents"),
    amount("Not cleared", "pending_cents"),
    amount("Promised", "reserved_cents"),
    amount("Claimed", "claimed_cents"),
    amount("Free", "available_cents"),
    Column("Frozen by", "frozen_by"),
)
LINES = (
    number("Line", "id"),
    Column("Date", "on", wrap=False),
    Column("Of", "effective_on", wrap=False),
    Column("Kind", "kind", wrap=False),
    Column("From or to", "party"),
    Column("Purpose", "purpose"),
    Column("Reference", "reference"),
    amount("Amount", "amount_cents"),
    amount("Balance", "balance_cents"),
    number("Reverses", "reverses"),
    Column("Known", "known_at", wrap=False),
)
DRAWS = (
    number("Draw", "id"),
    Column("Bill", "bill_number", wrap=False),
    amount("Amount", "amount_cents"),
    Column("Currency", "currency"),
    Column("State", "state", wrap=False),
    Column("From", "draw_from", wrap=False),
    Column("Authorised by", "authorised_by"),
    Column("Because", "reason", because),
    Column("Proposed", "proposed_at", wrap=False),
)
HOLDS = (
    Column("Hold", "hold", wrap=False),
    number("Bill", "bill_id"),
    number("Ledger", "ledger_id"),
    amount("Amount", "amount_cents"),
    Column("Why", "why"),
    Column("By", "made_by"),
    Column("Since", "made_at", wrap=False),
    Column("Released", "released_at", wrap=False),
)

DrawArgument = Annotated[int, typer.Argument(metavar="DRAW", help="The draw's id, as `trust draws` shows it.")]
AccountOption = Annotated[str | None, typer.Option(metavar="KEY", help="Only this configured account.")]
WhichOption = Annotated[
    str | None,
    typer.Option("--account", metavar="KEY", help="Of which trust account, where the matter has money in several."),
]
MatterOption = Annotated[int | None, typer.Option(metavar="ID", help="Only this matter's.")]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; kept in the audit.")]
CentsOption = Annotated[int, typer.Option("--cents", min=1, help="How much, in cents.")]
PERSON = "Who says so: a name on [trust] signatories."


@app.command("accounts")
def accounts(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show the configured bank accounts, and why nothing may be drawn from one.

    JSON: profile, confirmed_by, unconfirmed, shortage_report, accounts (a list of key, account_class, clio_id, lawpay_ids,
    bank_id, currency, time_zone, refused, ledgers_cents, denied).
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_trust import show_accounts

    with opened(ctx) as rt:
        found = show_accounts(rt)
        if as_json:
            say_json(found)
            return
        page = Page(rt.settings.firm.zone)
        page.table("Accounts", ACCOUNTS, found["accounts"], none="none is configured ([[trust.accounts]]).")
        page.facts(
            "",
            {
                "Profile": found["profile"] or "none: nothing is drawn",
                "Confirmed by": found["confirmed_by"] or "nobody: nothing is drawn",
                "To be confirmed in it": found["unconfirmed"] or None,
                "On a shortage": found["shortage_report"],
            },
        )


@app.command("ledgers")
def ledgers(
    ctx: typer.Context, account: AccountOption = None, matter: MatterOption = None, as_json: JsonOption = False
) -> None:
    """List client ledgers: what each holds, what is promised of it, and what is free.

    JSON: a list of id, account, kind, client_id, matter_id, matter_number, currency, balance_cents, pending_cents,
    reserved_cents, claimed_cents, available_cents, frozen, frozen_by, moved_on.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_trust import show_ledgers

    with opened(ctx) as rt:
        say_rows(rt, "Client ledgers", LEDGERS, show_ledgers(rt, account=account, matter_id=matter), as_json=as_json)


@app.command("ledger")
def ledger(
    *,
    ctx: typer.Context,
    ledger_id: Annotated[int | None, typer.Argument(metavar="LEDGER", help="A ledger's id.")] = None,
    matter: MatterOption = None,
    account: AccountOption = None,
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="As it was at the end of this day.")
    ] = None,
    known: Annotated[
        datetime | None,
        typer.Option(
            "--known-at", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], metavar="UTC", help="As known at this time."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show ledger cards line by line: one ledger's, or all of a --matter's or an --account's.

    JSON: a list of the keys of `trust ledgers`, balance_then_cents and lines (a list of id, on, effective_on, kind,
    amount_cents, balance_cents, party, purpose, reference, clears_on, bill_id, reverses, actor, authoriser, why, known_at …).
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.show_trust import show_ledger

    if ledger_id is None and matter is None and account is None:
        raise typer.BadParameter("Name a ledger, a --matter or an --account.")
    with opened(ctx) as rt:
        cards = show_ledger(
            rt, ledger_id=ledger_id, matter_id=matter, account=account, on=on.date() if on else None,
            known_at=known.replace(tzinfo=UTC) if known else None,
        )  # fmt: skip
        if ledger_id is not None:
            required(cards or None, f"There is no ledger {ledger_id}.")
        if as_json:
            say_json(cards)
            return
        page = Page(rt.settings.firm.zone)
        for card in cards:
            title = f"Ledger {card['id']}: {card['account']}, {card['matter_number'] or card['kind']}"
            page.table(title, LINES, card["lines"])
            page.line(f"Balance: {money(card['balance_then_cents'])} {card['currency']}.\n")
        if not cards:
            page.line("No ledger.")


@app.command("draws")
def draws(
    ctx: typer.Context,
    state: Annotated[
        str | None,
        typer.Option(help="Only proposed, authorised, posted, reconciled, declined or withdrawn draws."),
    ] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List draws, the newest first.

    JSON: a list of id, bill_id, bill_number, purpose, sequence, state, ledger_id, account, client_id, matter_id,
    amount_cents, currency, key, reason, notice, notice_channel, noticed_at, draw_from, proposed_at, authorised_at,
    authorised_by, line_id, posted_at, reconciled_at, updated_at.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.draws import DrawState
    from orchestrator.usecases.show_trust import show_draws

    one_of(state, DrawState, "--state")
    with opened(ctx) as rt:
        say_rows(rt, "Draws", DRAWS, show_draws(rt, state=state, limit=limit), as_json=as_json)


@app.command("holds")
def holds(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Released ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what is in dispute, or claimed by a third party.

    JSON: a list of hold, id, kind, bill_id, ledger_id, amount_cents, why, made_by, made_at, released_by, released_why,
    released_at.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_trust import show_holds

    with opened(ctx) as rt:
        say_rows(rt, "Held", HOLDS, show_holds(rt, everything=everything), as_json=as_json)


@app.command("propose")
def propose(
    ctx: typer.Context,
    bill: BillArgument,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Propose a draw for one bill from its own matter's money; exit code 1 with the reason when none is allowed.

    JSON: dry_run, and the keys of `trust draws` but bill_number.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.find_bill import find_bill
    from orchestrator.usecases.propose_draw import propose_draw

    with opened(ctx) as rt:
        found = propose_draw(rt, find_bill(rt, bill), by=who(by), dry_run=dry_run)
    if as_json:
        say_json(found)
        return
    words = f"{money(found['amount_cents'])} {found['currency']} for bill {bill}"
    print(f"Would propose {words}." if dry_run else f"Draw {found['id']}: {words}, proposed. A signatory is asked.")


@app.command("notice")
def notice(
    *,
    ctx: typer.Context,
    draw: DrawArgument,
    what: Annotated[str, typer.Option(help="What the client was sent: itemised bill, amount, date, balance left.")],
    channel: Annotated[str, typer.Option(help="How: email, post, portal, in person.")] = "email",
    delivered: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            metavar="WHEN",
            help="When it arrived, at the office; now if not given.",
        ),
    ] = None,
    bounced: Annotated[bool, typer.Option("--bounced", help="It did not arrive: it is no notice.")] = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Record the notice that the client had of a draw, or that it did not arrive."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.authorise_draw import record_notice

    with opened(ctx) as rt:
        arrived = delivered.replace(tzinfo=rt.settings.firm.zone) if delivered is not None else rt.clock()
        found = record_notice(
            rt, draw, what=what, channel=channel, delivered_at=None if bounced else arrived.astimezone(UTC), by=who(by),
            dry_run=dry_run,
        )  # fmt: skip
    verb = "Would record" if dry_run else "Recorded"
    print(
        f"{verb}: {'it did not arrive' if bounced else f'draw {draw} may be authorised from ' + str(found['draw_from'])}."
    )


@app.command("authorise")
def authorise(
    ctx: typer.Context,
    draw: DrawArgument,
    by: Annotated[str, typer.Option(metavar="NAME", help=PERSON)],
    dry_run: DryRunOption = False,
) -> None:
    """Authorise a draw, as a person on the list of signatories.

    The payment itself is then recorded in Clio, and made at the bank, by a person.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.authorise_draw import authorise_by_hand

    with opened(ctx) as rt:
        found = authorise_by_hand(rt, draw, by=by, dry_run=dry_run)
    words = f"draw {draw} of {money(found['amount_cents'])} {found['currency']}"
    print(
        f"Would authorise {words}."
        if dry_run
        else f"Authorised {words}: record a payment from trust of exactly this amount in Clio, and move it at the bank."
    )


@app.command("decline")
def decline(
    ctx: typer.Context, draw: DrawArgument, why: WhyOption, by: ByOption = None, dry_run: DryRunOption = False
) -> None:
    """Decline a draw: its money is free, and the bill is asked for in full."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.authorise_draw import decline as say_no

    with opened(ctx) as rt:
        say_no(rt, draw, by=who(by), why=why, dry_run=dry_run)
    print(f"{'Would decline' if dry_run else 'Declined'} draw {draw}.")


@app.command("dispute")
def dispute(
    *,
    ctx: typer.Context,
    bill: BillArgument,
    why: WhyOption,
    cents: Annotated[
        int | None, typer.Option("--cents", min=1, help="How much of it, in cents; all of it if not given.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Note that a client disputes a bill, or a part of it: from now on nobody draws that part."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.find_bill import find_bill
    from orchestrator.usecases.hold_trust import dispute as hold

    with opened(ctx) as rt:
        found = hold(rt, find_bill(rt, bill), amount_cents=cents, why=why, by=who(by), dry_run=dry_run)
    print(f"{'Would hold' if dry_run else 'Held'} {money(found['amount_cents'])} of bill {bill} ({found['hold']}).")
    if found["then"]:
        print(f"Drawn before: {', '.join(map(str, found['drawn_before']))}. {found['then']}")


@app.command("claim")
def claim(
    *,
    ctx: typer.Context,
    matter: Annotated[int, typer.Argument(metavar="MATTER", help="The matter's id.")],
    cents: CentsOption,
    why: WhyOption,
    account: WhichOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Hold money of a matter for a third party (a lien, a court order), whatever the client says."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.hold_trust import claim as hold

    with opened(ctx) as rt:
        found = hold(rt, matter, amount_cents=cents, account=account, why=why, by=who(by), dry_run=dry_run)
    print(f"{'Would hold' if dry_run else 'Held'} {money(cents)} of matter {matter} ({found['hold']}).")


@app.command("release")
def release(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="HOLD", help="dispute:ID, claim:ID, or ledger:ID for a frozen ledger.")
    ],
    why: WhyOption,
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Release a dispute, a claim or a frozen ledger; a ledger that is still short stays frozen."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.hold_trust import release as let_go

    with opened(ctx) as rt:
        let_go(rt, what, why=why, by=who(by), dry_run=dry_run)
    print(f"{'Would release' if dry_run else 'Released'} {what}.")


@app.command("set-aside")
def set_aside(
    *,
    ctx: typer.Context,
    matter: Annotated[int, typer.Argument(metavar="MATTER", help="The matter's id.")],
    cents: CentsOption,
    why: WhyOption,
    by: Annotated[str, typer.Option(metavar="NAME", help=PERSON)],
    account: WhichOption = None,
    back: Annotated[bool, typer.Option("--back", help="Free what was set aside.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Keep money of a matter for a purpose, out of reach for fees (a last-bill deposit, a settlement, advanced costs)."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.set_aside import set_aside as keep

    with opened(ctx) as rt:
        keep(rt, matter, amount_cents=cents, account=account, back=back, why=why, by=by, dry_run=dry_run)
    verb = ("Would free" if dry_run else "Freed") if back else ("Would set aside" if dry_run else "Set aside")
    print(f"{verb} {money(cents)} of matter {matter}.")


@app.command("enter")
def enter(
    *,
    ctx: typer.Context,
    matter: Annotated[int, typer.Argument(metavar="MATTER", help="The matter whose money it is, by id.")],
    account: Annotated[str, typer.Option(metavar="KEY", help="The configured trust account.")],
    cents: Annotated[int, typer.Option("--cents", help="How much, in cents: below zero takes money out.")],
    purpose: Annotated[
        str, typer.Option(help="client_or_third_party_payment, client_expense or trust_to_trust; never a bill.")
    ],
    reference: Annotated[str, typer.Option(metavar="TEXT", help="What the bank's statement will call it.")],
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="The day of the transaction.")],
    why: WhyOption,
    by: Annotated[str, typer.Option(metavar="NAME", help=PERSON)],
    dry_run: DryRunOption = False,
) -> None:
    """Have a line entered in Clio's ledger, for money that a person moves at the bank; off unless [trust] ledger_writes is on."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.enter_line import enter_line

    with opened(ctx) as rt:
        enter_line(
            rt, account=account, matter_id=matter, amount_cents=cents, on=on.date(), purpose=purpose, reference=reference,
            why=why, by=by, dry_run=dry_run,
        )  # fmt: skip
    verb = "Would enter" if dry_run else "As soon as a worker is at it, Clio gets"
    print(f"{verb} a line of {money(cents)} in {account} for matter {matter}.")


@app.command("assign")
def assign(
    ctx: typer.Context,
    line: Annotated[int, typer.Argument(metavar="LINE", help="A deposit in suspense, as `trust ledger` shows it.")],
    why: WhyOption,
    by: Annotated[str, typer.Option(metavar="NAME", help=PERSON)],
    dry_run: DryRunOption = False,
) -> None:
    """Say that a deposit which names nobody is the firm's own money for bank charges; a client's is named in Clio."""
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.set_aside import assign_to_firm

    with opened(ctx) as rt:
        found = assign_to_firm(rt, line, why=why, by=by, dry_run=dry_run)
    print(f"{'Would assign' if dry_run else 'Assigned'} {money(found['amount_cents'])} to the firm's own charges.")


@evergreen.command("list")
def list_retainers(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the matters that have a level, what they have in trust, and what is asked of their clients.

    The worker looks whenever a matter's trust money moves, and once a day; one request of a matter is open at a time:
    wanted, asked (at Clio), or tasked (to a person).

    JSON: a list of matter_id, matter, currency, balance_cents, threshold_cents, target_cents, missing_cents, state,
    asked_cents, bill_id, why.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_retainers import show_retainers

    with opened(ctx) as rt:
        say_rows(rt, "Retainers", RETAINERS, show_retainers(rt), as_json=as_json)
