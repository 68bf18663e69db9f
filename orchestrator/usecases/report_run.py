"""Everything that an auditor asks of a run: statement, breaks, ledger cards, and every line that a figure is made of (T46)."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from orchestrator.domain.matters import Matter
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.three_way import Cut
from orchestrator.storage.unit_of_work import Work
from orchestrator.usecases.reconcile import account_named
from orchestrator.usecases.show_runs import show_run_in

WORTHLESS = ("failed", "voided")
LET_GO = "no longer kept: a newer run decided"


def report_run(rt: Runtime, work: Work, run_id: int) -> dict[str, Any] | None:
    """The report of a finished run; its `cards` and `bank` are read from `work` as they are used, once, in that order."""
    run = work.runs.get(run_id)
    if run is None or run["statement"] is None:
        return None
    account = account_named(rt, run["account"])
    file = work.bank_files.get(run["inputs"]["bank_file"])
    shown = show_run_in(work, run)
    said = {row["fingerprint"]: row for row in work.breaks.of_account(account.key)}
    return shown | {
        "firm": rt.settings.firm.name,
        "account": {
            "key": account.key, "account_class": str(account.account_class), "currency": account.currency,
            "time_zone": account.time_zone,
        },
        "bank_file": dict(file) if file is not None else None,
        "breaks": [one | _looked_after(said.get(one["fingerprint"])) for one in shown["breaks"]],
        "cards": _cards(work, run),
        "bank": _bank(work, run),
    }  # fmt: skip


def _looked_after(row: Row | None) -> dict[str, Any]:
    return {name: row[name] if row is not None else None for name in ("owner", "why", "cure_by")}


def _cards(work: Work, run: Row) -> Iterator[dict[str, Any]]:
    """Every client ledger of the account: what it opened with, each line of the period with the balance after it."""
    for (client_id, matter_id, ledger), group in groupby(_card_lines(work, run), key=_whose):
        opening = balance = 0
        shown: list[dict[str, Any]] = []
        for row in group:
            cents = 0 if row.get("status") in WORTHLESS else row["amount_cents"]
            balance += cents
            if row["on"] < run["opened_on"]:
                opening = balance
            else:
                names = ("id", "external_id", "on", "kind", "reference", "bill_id")
                shown.append({name: row[name] for name in names} | {"amount_cents": cents, "balance_cents": balance})
        matter = work.mirror.matters([matter_id]).get(matter_id) if matter_id is not None else None
        yield {
            "client_id": client_id, "client": _client_name(work, client_id, matter),
            "matter_id": matter_id, "matter": matter.display_number if matter is not None else None, "ledger": ledger,
            "opening_cents": opening, "closing_cents": balance, "lines": shown,
        }  # fmt: skip


def _card_lines(work: Work, run: Row) -> Iterator[Row]:
    """Our own ledgers' lines in a trust account, which the statement counts; Clio's where there are none."""
    inputs = run["inputs"]
    if inputs.get("lines") is None:
        return work.figures.card_lines(run["account"], run["cut_off"], inputs["upto"])
    return work.three_way.card_lines(Cut(run["account"], run["cut_off"], inputs["upto"], inputs["lines"]))


def _whose(row: Row) -> tuple[int | None, int | None, str | None]:
    return row["client_id"] or None, row["matter_id"] or None, row.get("ledger")


def _client_name(work: Work, client_id: int | None, matter: Matter | None) -> str | None:
    """Whose card it is: the matter's client, or for money of no matter whoever any matter of that client names."""
    if matter is None and client_id is not None:
        ids = work.mirror.matter_ids_of_clients([client_id])[:1]
        matter = next(iter(work.mirror.matters(ids).values()), None)
    return matter.client.name if matter is not None and matter.client else None


def _bank(work: Work, run: Row) -> Iterator[dict[str, Any]]:
    """Every line of the bank's in the period, with the rule that matched it and what it was matched with."""
    for row, found in work.matches.bank_lines(
        run["id"], run["account"], (run["opened_on"], run["cut_off"]), run["inputs"]["upto"]
    ):
        of = [
            f"payments of {match['on']}"
            if match["left_id"] is None
            else f"line {match['external_id']} of {match['on']}"
            for match in found
        ]
        yield {name: row[name] for name in ("id", "on", "amount_cents", "reference", "kind")} | {
            "rule": found[0]["rule"] if found else None,
            "of": ", ".join(of) if run["pruned_at"] is None else LET_GO,
        }
