"""`orchestrator matters`: the matter-ID lookup table, by which money that names no id finds its matter."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.show import (
    ByOption,
    Column,
    DryRunOption,
    JsonOption,
    LimitOption,
    Page,
    amount,
    number,
    say_json,
    say_rows,
    who,
    working,
)

app = typer.Typer(help="Matter numbers and references: which matter a payment's text means.", no_args_is_help=True)

PROVIDERS = ("any", "bank", "clio", "lawpay")
KINDS = ("client_reference", "custom_number", "display_number", "mapped", "merged_id")

LINES = (
    number("Line", "id"),
    Column("Reference", "reference"),
    Column("Is", "kind", lambda kind: kind.replace("_", " "), wrap=False),
    Column("Of", "provider", wrap=False),
    number("Matter", "matter_id"),
    Column("Now", "current", wrap=False),
    Column("From", "source", wrap=False),
    Column("Since", "since", wrap=False),
    Column("Taken back", "withdrawn_at", wrap=False),
)
SOURCES = ("bank", "clio_ledger", "clio_payments", "lawpay")
UNMAPPED = (
    Column("Reference", "reference"), Column("From", "source", wrap=False), amount("Money", "money_cents"),
    number("Movements", "movements"), Column("First", "first_on", wrap=False), Column("Last", "last_on", wrap=False),
    Column("May be", "candidates"),
    Column("A part of it is", "hints", lambda found: ", ".join(f"{one['part']} → {one['matter_id']}" for one in found) or "–"),
)  # fmt: skip
MATTERS = (
    number("Matter", "id"), Column("Number", "display_number"), Column("Status", "status", wrap=False),
    Column("Custom number", "custom_number"), Column("Client reference", "client_reference"),
)  # fmt: skip

ReferenceArgument = Annotated[str, typer.Argument(metavar="REFERENCE", help="The text as the payment carries it.")]
MatterArgument = Annotated[int, typer.Argument(metavar="MATTER", help="Clio's id of the matter, never its number.")]
WhereOption = Annotated[
    str, typer.Option("--provider", help="Where the text stands: lawpay, bank, or any for everywhere.")
]
NoteOption = Annotated[str, typer.Option(help="Why; ids and amounts, no names. Kept in the audit.")]


@app.command("map")
def map_(
    *,
    ctx: typer.Context,
    reference: ReferenceArgument,
    matter: MatterArgument,
    provider: WhereOption = "any",
    note: NoteOption = "",
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say that a text means a matter; every break that this explains is looked at again.

    JSON: dry_run, reference, provider, matter_id, new, before, reopened.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.usecases.map_reference import map_reference

    one_of(provider, PROVIDERS, "--provider")
    with opened(ctx) as rt:
        done = map_reference(rt, reference, matter, provider=provider, by=who(by), note=note, dry_run=dry_run)
    if as_json:
        say_json(done)
        return
    if not done["new"]:
        print(f"{done['reference']!r} is mapped to matter {matter} already.")
        return
    verb = "would mean" if dry_run else "means"
    print(f"{done['reference']!r} {verb} matter {matter}; {_reopened(done, dry_run=dry_run)}.")


@app.command("unmap")
def unmap(
    *,
    ctx: typer.Context,
    reference: ReferenceArgument,
    matter: Annotated[
        int | None, typer.Option(metavar="ID", help="Take back an old number of this matter, too.")
    ] = None,
    provider: WhereOption = "any",
    note: NoteOption = "",
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a mapping back. The line stays as history; what Clio itself calls a matter is changed in Clio.

    JSON: dry_run, reference, provider, withdrawn, after, reopened.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.usecases.map_reference import unmap_reference

    one_of(provider, PROVIDERS, "--provider")
    with opened(ctx) as rt:
        done = unmap_reference(
            rt, reference, matter_id=matter, provider=provider, by=who(by), note=note, dry_run=dry_run
        )
    if as_json:
        say_json(done)
        return
    gone = ", ".join(f"matter {line['matter_id']}" for line in done["withdrawn"])
    verb = "would no longer mean" if dry_run else "no longer means"
    print(f"{done['reference']!r} {verb} {gone}; {_meaning(done['after'])}; {_reopened(done, dry_run=dry_run)}.")


@app.command("merge")
def merge(
    *,
    ctx: typer.Context,
    matter: MatterArgument,
    into: Annotated[int, typer.Option("--into", metavar="MATTER", help="Clio's id of the matter that remains.")],
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say that one matter was merged into another: whatever names the first, names the second.

    JSON: dry_run, matter_id, into, moved, reopened.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.map_reference import merge_matters

    with opened(ctx) as rt:
        done = merge_matters(rt, matter, into=into, by=who(by), dry_run=dry_run)
    if as_json:
        say_json(done)
        return
    verb = "would name" if dry_run else "name"
    print(f"{done['moved']} references of matter {matter} {verb} matter {into}; {_reopened(done, dry_run=dry_run)}.")


@app.command("show")
def show(
    *,
    ctx: typer.Context,
    reference: Annotated[str | None, typer.Argument(metavar="REFERENCE", help="A text to look up.")] = None,
    matter: Annotated[int | None, typer.Option(metavar="ID", help="Instead: all that this matter is called.")] = None,
    provider: WhereOption = "lawpay",
    as_json: JsonOption = False,
) -> None:
    """Show what a text means, and why; or with --matter everything a matter is and was called.

    JSON: reference, provider, resolution, lines, matters, hints. A resolution has an outcome (resolved, ambiguous, unknown), a
    matter_id or candidates, and the rung of the ladder that decided. With --matter: matter, lines.
    """
    from orchestrator.cli.firm import one_of, opened, required
    from orchestrator.usecases.show_references import show_matter, show_reference

    one_of(provider, PROVIDERS, "--provider")
    if (reference is None) == (matter is None):
        raise typer.BadParameter("Name a reference, or one --matter.")
    with opened(ctx) as rt:
        page = Page(rt.settings.firm.zone)
        if matter is not None:
            known = required(
                show_matter(rt, matter), f"Matter {matter} is not known here: `orchestrator matters backfill`."
            )
            if as_json:
                say_json(known)
                return
            page.table("Matter", MATTERS, [known["matter"]])
            page.table("What it is and was called", LINES, known["lines"])
            return
        found = show_reference(rt, str(reference), provider=provider)
        if as_json:
            say_json(found)
            return
        page.line(f"{reference!r} from {provider} {_meaning(found['resolution'])}.", "bold")
        page.table("Matters", MATTERS, found["matters"])
        for hint in found["hints"]:
            page.line(f"A part of it, {hint['part']!r}, would mean matter {hint['matter_id']}: look there first.")
        page.table("Lines of the table", LINES, found["lines"])


@app.command("list")
def list_lines(
    *,
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(KINDS)}.")] = None,
    provider: Annotated[str | None, typer.Option(help=f"One of {', '.join(PROVIDERS)}.")] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List the table's lines that hold, the newest first.

    JSON: a list of id, provider, kind, reference, matter_id, current, source, since, ended_at, withdrawn_at.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.usecases.show_references import list_references

    one_of(kind, KINDS, "--kind")
    one_of(provider, PROVIDERS, "--provider")
    with opened(ctx) as rt:
        rows = list_references(rt, kind=kind, provider=provider, limit=limit)
        say_rows(rt, "What matters are called", LINES, rows, as_json=as_json)


@app.command("unmapped")
def unmapped(
    *,
    ctx: typer.Context,
    source: Annotated[str | None, typer.Option(help=f"Only from one of {', '.join(SOURCES)}.")] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List what movements carry for a matter and nobody can place, the most money first; `matters map` settles each.

    JSON: a list of source, reference, movements, first_on, last_on, money_cents, candidates, hints.
    """
    from orchestrator.cli.firm import one_of, opened
    from orchestrator.usecases.show_references import unmapped_references

    one_of(source, SOURCES, "--source")
    with opened(ctx) as rt:
        rows = unmapped_references(rt, source=source, limit=limit)
        say_rows(rt, "Texts that name no single matter", UNMAPPED, rows, as_json=as_json)


@app.command("backfill")
def backfill(
    *,
    ctx: typer.Context,
    queue: Annotated[bool, typer.Option("--queue", help="Leave it to a worker.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read every matter that Clio has, however old, and keep its numbers. Stopped, it goes on where it was.

    JSON: dry_run, queued, read, total, done_at.
    """
    from orchestrator.cli.firm import opened
    from orchestrator.usecases.backfill_matters import backfill_stands, queue_backfill

    with opened(ctx) as rt:
        queued = queue and not dry_run and queue_backfill(rt)
        if not queue and not dry_run:
            _read_all(rt)
        stands = backfill_stands(rt) or {"read": 0, "total": None, "done_at": None}
    if as_json:
        say_json({"dry_run": dry_run, "queued": queued} | {name: stands[name] for name in ("read", "total", "done_at")})
    elif queue and not dry_run:
        print("A worker will read every matter." if queued else "A worker is at it already.")
    elif dry_run:
        on = f"go on after {stands['read']} matters" if stands["read"] and not stands["done_at"] else "begin anew"
        print(f"Would {on}, 200 matters a call.")
    else:
        print(f"{stands['read']} matters read; their numbers are known.")


@app.command("import")
def import_(
    *,
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with the header provider,kind,reference,matter_id.")
    ],
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add lines from a CSV file: all of it, or nothing and a sentence for each line that does not fit.

    A line of your own has the kind `mapped` and the provider lawpay, bank or any.

    JSON: dry_run, lines, new, known, reopened.
    """
    from orchestrator.cli.firm import Refused, opened
    from orchestrator.usecases.exchange_references import import_references

    try:
        source = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise Refused(f"{file} is not UTF-8 text (byte {wrong.start}): save it as CSV UTF-8.") from wrong
    with opened(ctx) as rt, working("Lines") as told:
        done = import_references(rt, source, by=who(by), dry_run=dry_run, say=told)
    if as_json:
        say_json(done)
        return
    verb = "would be" if dry_run else "are"
    print(f"{done['new']} of {done['lines']} lines {verb} new; {_reopened(done, dry_run=dry_run)}.")


@app.command("export")
def export(
    *,
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file to make; never overwritten.")],
    as_json: JsonOption = False,
) -> None:
    """Write the table's lines that hold to a CSV file, which `matters import` reads back the same.

    JSON: file, lines.
    """
    from orchestrator.cli.firm import Refused, opened
    from orchestrator.usecases.exchange_references import export_references

    try:
        with opened(ctx) as rt, file.open("x", encoding="utf-8", newline="") as out:
            lines = export_references(rt, out)
    except FileExistsError:
        raise Refused(f"{file} is there already: choose another name.") from None
    if as_json:
        say_json({"file": str(file), "lines": lines})
    else:
        print(f"{lines} lines are in {file}.")


def _meaning(found: dict[str, Any]) -> str:
    if found["outcome"] == "resolved":
        return f"means matter {found['matter_id']} ({found['rung'].replace('_', ' ')})"
    if found["outcome"] == "ambiguous":
        return f"may mean any of matters {', '.join(map(str, found['candidates']))}: nothing is guessed"
    return "means no matter that we know"


def _reopened(done: dict[str, Any], *, dry_run: bool) -> str:
    many = done["reopened"]
    if not many:
        return "no break waits for it"
    return f"{many} break{'s' if many > 1 else ''} {'would be' if dry_run else 'will be'} looked at again"


def _read_all(rt: Any) -> None:
    """Here and now, waiting for Clio's budget where that is needed."""
    import time

    from orchestrator.domain.topics import Urgency
    from orchestrator.errors import Transient
    from orchestrator.usecases.backfill_matters import backfill_matters

    with working("Matters") as bar:
        for _ in range(ATTEMPTS):
            try:
                backfill_matters(rt, Urgency.SWEEPS, told=lambda at: bar(at.read, at.total), turned=lambda _: None)
            except Transient as trouble:
                last = trouble
                time.sleep(min(LONGEST_PAUSE, trouble.retry_after or 1.0))
            else:
                return
    raise last


ATTEMPTS = 20
LONGEST_PAUSE = 60.0
