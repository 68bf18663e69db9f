"""The figures of a run: one stable JSON document, and the same as tables for a billing administrator.

The document (`--json FILE`; explained in docs/demo-json.md; keys are only ever added):

    schema 1 · ok · seed · days · scenario · rail · mode ("embedded" | "processes") · database · wall_seconds
    bills        requested · issued · paid
    links        created · expired · used · peak_active · peak_24h
    mails        sent · withheld · by_step {step: count}
    reminders    flagged · unanswered · silent {code: count}
    payments     completed · reversed
    exceptions   open · by_kind {code: count}
    clio         calls · calls_429
    oracle       duplicate_links · duplicate_mails · lost_effects · quota_breaches · mails_after_payment ·
                 mails_to_closed_matters · repeated_steps · unexplained_silence · trust_violations · explained {code: count}
    trust        draws {proposed, authorised, posted, reconciled, declined, withdrawn} ·
                 breaks {found, open, by_kind {kind: found}}
    reconciliation  signed · three_way_difference_cents (null before the first signed period)
    books        sum_cents · held_cents · standing_cents · jobs_due · jobs_silent
    story        events · played · without_occasion [kind] · stops · outages [words] · untried [words]
    findings     [{kind, words}]

Figures come from the sandbox's own record; only `mails.withheld`, `reminders.silent`, `exceptions`, `oracle.explained`, `trust`,
`reconciliation` and `books` (but for `standing_cents`) are the worker's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.demo.books import Books
from orchestrator.demo.record import Record
from orchestrator.demo.verdict import Finding, explained, judge, lost_effects, unexplained_silences
from orchestrator.domain.draws import DrawState
from orchestrator.domain.money import Money
from orchestrator.domain.reasons import advice, meaning
from orchestrator.domain.three_way import Statement

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a finished run is judged and described by."""

    about: Mapping[str, Any]
    story: Mapping[str, Any]
    record: Record
    oracle: Mapping[str, Any]
    counts: Mapping[str, Any]
    books: Books
    currency: str
    wall_seconds: float

    @property
    def findings(self) -> Sequence[Finding]:
        standing = self.record.standing_cents()
        return judge(self.oracle, self.books, standing_cents=standing, currency=self.currency)


def figures(run: Run) -> dict[str, Any]:
    """The document of `--json`."""
    record, books, oracle, findings = run.record, run.books, run.oracle, run.findings
    ours = [link for link in record.links.values() if link["by"] == "app"]
    return {
        "schema": SCHEMA,
        "ok": not findings,
        **run.about,
        "wall_seconds": round(run.wall_seconds, 2),
        "bills": {
            "requested": len({task["name"] for task in record.tasks.values()}),
            "issued": len(record.issued),
            "paid": sum(bill["state"] == "paid" for bill in record.bills.values()),
        },
        "links": {
            "created": len(ours),
            "expired": sum(link["state"] == "expired" for link in ours),
            "used": sum(link["state"] == "used" for link in ours),
            "peak_active": run.counts["peak_active_links"],
            "peak_24h": run.counts["peak_links_in_24h"],
        },
        "mails": {"sent": record.mails, "withheld": books.withheld_messages, "by_step": oracle["steps"]},
        "reminders": {
            "flagged": len(record.flags),
            "unanswered": len(oracle["unanswered"]),
            "silent": dict(sorted(Counter(books.steps.values()).items())),
        },
        "payments": {"completed": len(record.settled), "reversed": len(record.reversed_payments())},
        "exceptions": {"open": sum(books.exceptions.values()), "by_kind": dict(sorted(books.exceptions.items()))},
        "clio": {"calls": run.counts["total_calls"], "calls_429": run.counts["rate_limited"]},
        "oracle": {
            "duplicate_links": len(oracle["duplicate_links"]),
            "duplicate_mails": len(oracle["duplicate_mails"]),
            "lost_effects": lost_effects(oracle, books),
            "quota_breaches": oracle["quota_breaches"],
            "mails_after_payment": len(oracle["mails_after_payment"]),
            "mails_to_closed_matters": len(oracle["mails_to_closed_matters"]),
            "repeated_steps": len(oracle["repeated_steps"]),
            "unexplained_silence": unexplained_silences(oracle, books),
            "trust_violations": len(oracle["trust_violations"]),
            "explained": explained(oracle, books),
        },
        "trust": {
            "draws": {state.value: books.draws.get(state.value, 0) for state in DrawState},
            "breaks": {
                "found": sum(books.breaks_found.values()),
                "open": sum(books.breaks_open.values()),
                "by_kind": dict(books.breaks_found),
            },
        },
        "reconciliation": {
            "signed": len(books.signed),
            "three_way_difference_cents": three_way_difference(books),
        },
        "books": {
            "sum_cents": books.journal_sum,
            "held_cents": books.held_cents,
            "standing_cents": record.standing_cents(),
            "jobs_due": len(books.due_jobs),
            "jobs_silent": len(books.silent_jobs),
        },
        "story": dict(run.story),
        "findings": [{"kind": finding.kind, "words": finding.words} for finding in findings],
    }


def three_way_difference(books: Books) -> int | None:
    """Cents by which bank, book and client ledgers differ in the signed periods, whatever the sign; None before one is signed."""
    if not books.signed:
        return None
    said: list[Statement] = [one["statement"] for one in books.signed]
    return sum(abs(one.bank_difference_cents or 0) + abs(one.ledger_difference_cents) for one in said)


ROWS: tuple[tuple[str, str, str], ...] = (
    ("Bills asked for by task in Clio", "bills", "requested"),
    ("Bills issued by the firm", "bills", "issued"),
    ("Bills paid", "bills", "paid"),
    ("Payment links made", "links", "created"),
    ("  used by a payment", "links", "used"),
    ("  expired", "links", "expired"),
    ("  live at the same time, at most", "links", "peak_active"),
    ("  made within 24 hours, at most", "links", "peak_24h"),
    ("Messages sent to clients", "mails", "sent"),
    ("Messages withheld just before sending", "mails", "withheld"),
    ("Online payments completed", "payments", "completed"),
    ("Online payments that went back", "payments", "reversed"),
    ("Draws from trust proposed", "draws", "proposed_ever"),
    ("  made and found in Clio, at LawPay and the bank", "draws", "reconciled"),
    ("Differences that reconciliation found", "breaks", "found"),
    ("  still open", "breaks", "open"),
    ("Requests to Clio", "clio", "calls"),
    ("  refused for pace (429)", "clio", "calls_429"),
)

VERDICT: tuple[tuple[str, str, str], ...] = (
    ("Two live links for one bill", "oracle", "duplicate_links"),
    ("Messages received twice", "oracle", "duplicate_mails"),
    ("Messages about a bill with nothing owed", "oracle", "mails_after_payment"),
    ("Reminders about a closed matter", "oracle", "mails_to_closed_matters"),
    ("Steps of a bill taken twice", "oracle", "repeated_steps"),
    ("Steps of a bill missed without a reason", "oracle", "unexplained_silence"),
    ("Links, notes or closings lost without a reason", "oracle", "lost_effects"),
    ("Links over Clio's quota", "oracle", "quota_breaches"),
    ("Trust money drawn wrongly", "oracle", "trust_violations"),
    ("Jobs left undone", "books", "jobs_due"),
    ("Jobs stopped with nobody told", "books", "jobs_silent"),
)


def show(console: Console, run: Run, said: Mapping[str, Any]) -> None:
    """What happened, what waits for a person, and the verdict."""
    trust = said["trust"]
    drawn = trust["draws"] | {"proposed_ever": sum(trust["draws"].values())}
    console.print(_table(f"{said['days']} days, seed {said['seed']}", ROWS, {**said, **trust, "draws": drawn}))
    _show_reminders(console, said)
    _show_people(console, run)
    console.print(_table("The sandbox's own record says", VERDICT, said))
    held = Money(said["books"]["held_cents"], run.currency)
    console.print(f"The books hold {held}, and their sum is {Money(said['books']['sum_cents'], run.currency)}.")
    for one in run.books.signed:
        book = Money(one["statement"].book_cents, run.currency)
        console.print(
            f"{one['account']} is signed up to {one['closed_on']}: bank, book and client ledgers all hold {book}."
            if one["statement"].equal
            else f"{one['account']} is signed up to {one['closed_on']}, and does not agree."
        )
    if run.story["outages"]:
        console.print(f"Survived: {'; '.join(run.story['outages'])}.", markup=False)
    if run.story["untried"]:
        console.print(f"Not tried: {'; '.join(run.story['untried'])}.", markup=False)
    for finding in run.findings:
        console.print(f"✗ {finding.words}", style="bold red", markup=False)
    if not run.findings:
        console.print(
            f"✓ Nothing doubled, nothing lost, nothing unexplained ({said['wall_seconds']:.0f} s).", style="bold green"
        )


def _table(title: str, rows: Sequence[tuple[str, str, str]], said: Mapping[str, Any]) -> Table:
    drawn = Table("", "", title=title, title_justify="left", title_style="bold", box=box.SIMPLE, show_header=False)
    drawn.columns[1].justify = "right"
    for words, group, name in rows:
        drawn.add_row(words, f"{said[group][name]:,}")
    return drawn


def _show_reminders(console: Console, said: Mapping[str, Any]) -> None:
    """What followed unpaid bills, step by step, and why other steps were left out."""
    drawn = Table("", "Steps after the due date", title_justify="left", box=box.SIMPLE)
    for step, count in said["mails"]["by_step"].items():
        drawn.add_row(f"{count:,}", f"{step}: sent to the client")
    if said["reminders"]["flagged"]:
        drawn.add_row(f"{said['reminders']['flagged']:,}", "flagged to the attorney by a task in Clio")
    for reason, count in sorted(said["reminders"]["silent"].items(), key=lambda row: -row[1]):
        drawn.add_row(f"{count:,}", Text(f"not taken because {meaning(reason)}"))
    if drawn.row_count:
        console.print(drawn)


def _show_people(console: Console, run: Run) -> None:
    drawn = Table("", "Waiting for a person", "What to do", title_justify="left", box=box.SIMPLE)
    for kind, count in sorted(run.books.exceptions.items()):
        drawn.add_row(str(count), Text(meaning(kind)), Text(advice(kind)))
    if drawn.row_count:
        console.print(drawn)
