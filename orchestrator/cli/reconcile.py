"""`orchestrator reconcile`: the same money in Clio, LawPay and the bank, compared to the cent."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.show import (
    ByOption,
    Column,
    DryRunOption,
    JsonOption,
    LimitOption,
    Page,
    amount,
    money,
    number,
    plain,
    say_found,
    say_json,
    say_rows,
    who,
    working,
)

if TYPE_CHECKING:
    from orchestrator.engine.runtime import Runtime

app = typer.Typer(help="Reconciliation: Clio, LawPay and the bank, to the cent.", no_args_is_help=True)

OPEN = 3

AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="KEY", help="One account of [[trust.accounts]]; all by default.")
]
FromOption = Annotated[
    datetime | None,
    typer.Option(
        "--from", formats=["%Y-%m-%d"], metavar="DAY", help="Show only what concerns this day and later ones."
    ),
]
BillOption = Annotated[
    str | None, typer.Option("--bill", metavar="BILL", help="Show only what concerns this bill: its number, or its id.")
]
RunArgument = Annotated[int, typer.Argument(metavar="RUN", help="The run's id, as `reconcile list` shows it.")]

RUNS = (
    number("Run", "id"), Column("Account", "account", wrap=False), Column("From", "opened_on", wrap=False),
    Column("To", "cut_off", wrap=False), number("Version", "version"), Column("State", "state", wrap=False),
    amount("Bank - book", "bank_difference_cents"), amount("Book - ledgers", "ledger_difference_cents"),
    number("Breaks", "breaks"), number("Outstanding", "outstanding"), Column("Signed by", "signed_by"),
)  # fmt: skip
BREAKS = (
    number("Break", "id"), Column("Kind", "kind", lambda kind: kind.replace("_", " ")), Column("Account", "account", wrap=False),
    amount("Money", "money_cents"), Column("Cause", "cause"), number("Days", "age_days"), Column("With", "owner"),
    Column("Cure by", "cure_by", wrap=False), Column("What to do", "fix"),
)  # fmt: skip
SAID = (
    Column("Kind", "kind", lambda kind: kind.replace("_", " ")), amount("Money", "money_cents"), Column("Cause", "cause"),
    number("Days", "age_days"), Column("Reference", "reference"), number("Matter", "matter_id"),
)  # fmt: skip
LINES = (
    Column("Seen by", "source", lambda source: source.replace("_", " ")), Column("Day", "on", wrap=False),
    amount("Amount", "amount_cents"), Column("Kind", "kind"), Column("Reference", "reference"), number("Matter", "matter_id"),
    number("Days", "age_days"),
)  # fmt: skip


@app.command("run")
def run(
    *,
    ctx: typer.Context,
    account: AccountOption = None,
    to: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="The cut-off, included; yesterday by default."),
    ] = None,
    since: FromOption = None,
    matter: Annotated[int | None, typer.Option(help="Show only what concerns this matter.")] = None,
    bill: BillOption = None,
    by: ByOption = None,
    file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON (docs/reconcile-json.md).")
    ] = None,
) -> None:
    """Reconcile the open period of each account, up to a day.

    With the same facts it finds the run that has decided about them; with new ones it makes the next version. A run that was
    killed goes on where it stopped. A matter, a bill or some days are decided with everything else in view, and shown alone.

    Exit code 3 when breaks stand.
    """
    from orchestrator.cli.firm import Refused, opened
    from orchestrator.usecases.reconcile import account_named, reconcile
    from orchestrator.usecases.show_runs import SCHEMA, show_run

    with opened(ctx) as rt:
        accounts = [account_named(rt, account)] if account else list(rt.settings.trust.firm_accounts)
        if not accounts:
            raise Refused("No account is configured: add [[trust.accounts]] to the firm's profile.")
        found: list[dict[str, Any]] = []
        for one in accounts:
            with working(f"Reconciling {one.key}") as say:
                done = reconcile(rt, one, cut_off=_day(to), by=who(by), say=say)
            shown = show_run(rt, done["id"], since=_day(since), matter=matter, bill=_bill(rt, bill))
            assert shown is not None
            found.append(shown)
        if file is not None:
            _write(file, {"schema": SCHEMA, "runs": found})
        page = Page(rt.settings.firm.zone)
        for shown in found:
            _draw(page, shown)
    if any(shown["breaks"] for shown in found):
        raise typer.Exit(OPEN)


@app.command("list")
def list_runs(
    *, ctx: typer.Context, account: AccountOption = None, limit: LimitOption = 50, as_json: JsonOption = False
) -> None:
    """List runs, the newest first.

    JSON: a list of id, account, opened_on, cut_off, version, state, trigger, asked_by, inputs_digest, digest, began_at,
    finished_at, breaks, outstanding, bank_difference_cents, ledger_difference_cents, signed_by, signed_at.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.show_runs import show_runs

    with opened(ctx) as rt:
        _known(rt, account)
        say_rows(rt, "Runs", RUNS, show_runs(rt, account=account, limit=limit), as_json=as_json)


@app.command("show")
def show(
    *,
    ctx: typer.Context,
    run_id: RunArgument,
    since: FromOption = None,
    matter: Annotated[int | None, typer.Option(help="Only what concerns this matter.")] = None,
    bill: BillOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one run: the three-way statement, the breaks, and what is outstanding.

    JSON: see docs/reconcile-json.md.
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.show_runs import show_run

    with opened(ctx) as rt:
        found = required(
            show_run(rt, run_id, since=_day(since), matter=matter, bill=_bill(rt, bill)), f"There is no run {run_id}."
        )
        say_found(rt, found, _draw, as_json=as_json)


@app.command("diff")
def diff(
    *,
    ctx: typer.Context,
    old: Annotated[int, typer.Argument(metavar="OLD", help="The older run.")],
    new: Annotated[int, typer.Argument(metavar="NEW", help="The newer run.")],
    as_json: JsonOption = False,
) -> None:
    """Show what a newer version of a run says that an older one did not.

    JSON: see docs/reconcile-json.md.
    """
    from orchestrator.cli.firm import opened, required
    from orchestrator.usecases.show_runs import show_diff

    with opened(ctx) as rt:
        found = required(show_diff(rt, old, new), f"There are no two runs {old} and {new}.")
        if as_json:
            say_json(found)
            return
        page = Page(rt.settings.firm.zone)
        changed = {
            name: f"{page.words(both['old'])} → {page.words(both['new'])}" for name, both in found["inputs"].items()
        }
        page.facts(f"Run {old} → run {new}", changed or {"Inputs": "the same"})
        if found["statement"]:
            page.facts(
                "\nFigures",
                {name: f"{_cents(one['old'])} → {_cents(one['new'])}" for name, one in found["statement"].items()},
            )
        page.table("\nBreaks that are gone", SAID, found["breaks_gone"])
        page.table("\nNew breaks", SAID, found["breaks_new"])
        made = f"{len(found['matches_new'])} new matches, {len(found['matches_gone'])} no longer."
        page.line(f"\n{made if found['matches_kept'] else 'The matches of one of the two are no longer kept.'}")


@app.command("breaks")
def breaks(
    *,
    ctx: typer.Context,
    account: AccountOption = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind, e.g. unmapped_reference.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the breaks that stand, the worst first. Exit code 3 when there are any.

    JSON: a list of id, kind, severity, account, state, money_cents, currency, cause, fix, reference, matter_id, since,
    age_days, owner, why, cure_by, overdue, run_id, opened_at, candidates, movement_ids, consequences.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.domain.breaks import BREAKS as KINDS
    from orchestrator.usecases.show_runs import show_breaks

    one_of(kind, KINDS, "--kind")
    with opened(ctx) as rt:
        _known(rt, account)
        rows = show_breaks(rt, account=account, kind=kind)
        say_rows(rt, "Open breaks", BREAKS, rows, as_json=as_json)
    if rows:
        raise typer.Exit(OPEN)


@app.command("explain")
def explain(
    *,
    ctx: typer.Context,
    break_id: Annotated[int, typer.Argument(metavar="BREAK", help="The break's id, as `reconcile breaks` shows it.")],
    owner: Annotated[str | None, typer.Option("--owner", metavar="NAME", help="Who looks after it.")] = None,
    why: Annotated[
        str | None, typer.Option("--why", help="What caused it; ids and amounts, no names of clients.")
    ] = None,
    cure_by: Annotated[
        datetime | None, typer.Option("--cure-by", formats=["%Y-%m-%d"], metavar="DAY", help="Until when it is cured.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say who looks after a break, why it is there, and until when it is cured. Nothing that was found is edited.

    JSON: dry_run, id, kind, account, owner, why, cure_by.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.explain_break import explain_break

    if owner is None and why is None and cure_by is None:
        raise typer.BadParameter("Say something: --owner, --why or --cure-by.")
    with opened(ctx) as rt:
        row = explain_break(rt, break_id, owner=owner, why=why, cure_by=_day(cure_by), by=who(by), dry_run=dry_run)
    if as_json:
        said = {"owner": owner, "why": why, "cure_by": _day(cure_by)}
        kept = {name: row[name] if value is None else value for name, value in said.items()}
        say_json({"dry_run": dry_run, **{name: row[name] for name in ("id", "kind", "account")}, **kept})
        return
    print(f"Break {break_id} {'would be' if dry_run else 'is'} explained.")


@app.command("report")
def report(
    *,
    ctx: typer.Context,
    run_id: RunArgument,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="One page, to print or to send.")] = None,
    folder: Annotated[Path | None, typer.Option("--csv", metavar="FOLDER", help="A CSV file for each part.")] = None,
    file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="One document (docs/reconcile-json.md).")
    ] = None,
) -> None:
    """Write what a run says: the three-way statement, breaks, client ledger cards, and every line behind a figure."""
    from orchestrator.cli.firm import opened, required
    from orchestrator.reports import write_csv, write_html, write_json
    from orchestrator.usecases.report_run import report_run

    wanted = [
        (write, path)
        for write, path in ((write_html, html), (write_csv, folder), (write_json, file))
        if path is not None
    ]
    if not wanted:
        raise typer.BadParameter("Say what to write: --html FILE, --csv FOLDER or --json FILE.")
    with opened(ctx) as rt:
        for write, path in wanted:
            with rt.read() as work:
                found = required(report_run(rt, work, run_id), f"There is no finished run {run_id}.")
                write(found, path)
            print(f"Wrote {path}.")


@app.command("sign")
def sign(
    *,
    ctx: typer.Context,
    run_id: RunArgument,
    reviewer: Annotated[
        str, typer.Option("--reviewer", metavar="NAME", help="Who signs: a name of [trust] reviewers.")
    ],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sign what a run says, and lock its period: what comes later about these days belongs to the open one.

    Refused, in one sentence, while bank, book and ledgers differ by a cent, while breaks stand, or to whoever alone authorised
    the period's draws.

    JSON: dry_run, run_id, account, opened_on, closed_on, reviewer, digest, inputs_digest.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.sign_period import sign_period

    with opened(ctx) as rt:
        run = sign_period(rt, run_id, reviewer=reviewer, dry_run=dry_run)
    if as_json:
        said = {name: run[name] for name in ("account", "opened_on", "digest", "inputs_digest")}
        say_json({"dry_run": dry_run, "run_id": run_id, "closed_on": run["cut_off"], "reviewer": reviewer, **said})
        return
    print(f"{run['account']} up to {run['cut_off']} {'would be' if dry_run else 'is'} signed by {reviewer}.")


@app.command("import")
def import_(
    *,
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The bank's file: OFX, or CSV by a mapping.", dir_okay=False)
    ],
    account: Annotated[
        str, typer.Option("--account", metavar="KEY", help="The account of [[trust.accounts]] it is of.")
    ],
    mapping: Annotated[
        str, typer.Option(metavar="NAME", help="For CSV: which columns are what, config/statements/NAME.toml.")
    ] = "standard",
    opening: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What the account held before, where the file does not say.")
    ] = None,
    closing: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What it held at the end, where the file does not say.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import a bank's statement. Its own balances prove it complete, or nothing of it is kept.

    The same file again, and the lines of an overlapping period, add nothing.

    JSON: dry_run, account, new, begins_on, ends_on, lines, added.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.import_statement import import_statement
    from orchestrator.usecases.reconcile import account_named

    balances = {"opening_cents": _balance(opening, "--opening"), "closing_cents": _balance(closing, "--closing")}
    content = file.read_bytes()
    with opened(ctx) as rt:
        done = import_statement(
            rt,
            account_named(rt, account),
            content,
            name=file.name,
            mapping=mapping,
            by=who(by),
            dry_run=dry_run,
            **balances,
        )
    if as_json:
        say_json({"dry_run": dry_run, "account": account, "new": done.known is None, "added": done.added} | done.span)
        return
    if done.statement is None:
        print("This file was imported before: nothing to add.")
        return
    said, would = done.statement, "Would add" if dry_run else "Added"
    print(f"{would} {done.added} of {len(said.lines)} lines, {said.begins_on} to {said.ends_on}.")


# ── how it looks ──


def _balance(text: str | None, option: str) -> int | None:
    from orchestrator.domain.money import typed
    from orchestrator.errors import Rejected

    try:
        return typed(text) if text is not None else None
    except Rejected as wrong:
        raise typer.BadParameter(f"{option} {wrong}") from wrong


def _draw(page: Page, found: dict[str, Any]) -> None:
    run, statement = found["run"], found["statement"]
    title = f"{run['account']} from {run['opened_on']} to {run['cut_off']}, run {run['id']}, version {run['version']}"
    if statement is not None:
        page.facts(title, _statement(statement))
    page.table("\nBreaks", SAID, _with_consequences(found["breaks"]))
    page.table("\nOutstanding", LINES, found["outstanding"])
    matched = ", ".join(f"{count} by {rule.replace('_', ' ')}" for rule, count in found["matches"].items())
    page.line(f"\nMatched: {matched or 'nothing'}.\n")


def _statement(said: dict[str, Any]) -> dict[str, Any]:
    verdict = "equal to the cent" if said["equal"] else "NOT equal"
    return {
        "Bank says": f"{money(said['bank_cents'])} on {said['bank_until']}"
        if said["bank_until"]
        else "nothing: import a statement",
        "Deposits on their way": money(said["deposits_cents"]),
        "Withdrawals outstanding": money(-said["withdrawals_cents"]),
        "Adjusted bank": money(said["adjusted_cents"]),
        "Clio's book": money(said["book_cents"]),
        "Client ledgers": money(said["ledgers_cents"]),
        "Bank less book": money(said["bank_difference_cents"]),
        "Book less ledgers": money(said["ledger_difference_cents"]),
        "All three": verdict,
    }


def _with_consequences(breaks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each break, and below it what only follows from it."""
    return [
        row
        for one in breaks
        for row in (one, *(follows | {"kind": f"therefore {follows['kind']}"} for follows in one["consequences"]))
    ]


def _cents(value: Any) -> str:
    return money(value) if isinstance(value, int) else str(value)


def _known(rt: "Runtime", account: str | None) -> None:
    """Refused for an account that is not configured: nothing stands on it, and that would look like good news."""
    from orchestrator.usecases.reconcile import account_named

    if account is not None:
        account_named(rt, account)


def _bill(rt: "Runtime", named: str | None) -> int | None:
    from orchestrator.usecases.find_bill import find_bill

    return find_bill(rt, named) if named is not None else None


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None


def _write(file: Path, said: Any) -> None:
    file.write_text(json.dumps(said, indent=2, default=plain, ensure_ascii=False) + "\n", "utf-8")
