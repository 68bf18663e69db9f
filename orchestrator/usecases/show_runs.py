"""Runs, their statements and breaks as people and programs read them; nothing is decided here."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from orchestrator.domain.breaks import BREAKS
from orchestrator.domain.three_way import Statement
from orchestrator.engine.runtime import Runtime
from orchestrator.storage.repository import Row
from orchestrator.storage.unit_of_work import Work

SCHEMA = 1
"""Raised when a key changes its meaning or goes; new keys may come at any time (docs/reconcile-json.md)."""

RUN = ("id", "account", "opened_on", "cut_off", "version", "state", "trigger", "asked_by", "inputs_digest", "digest",
       "began_at", "finished_at", "pruned_at")  # fmt: skip
LINE = ("id", "source", "external_id", "on", "amount_cents", "currency", "kind", "status", "reference", "matter_id",
        "client_id", "bill_id")  # fmt: skip


def show_runs(rt: Runtime, *, account: str | None, limit: int) -> list[dict[str, Any]]:
    with rt.read() as work:
        signed = {row["run_id"]: row for row in work.periods.signed(account)}
        return [_brief(run, signed.get(run["id"])) for run in work.runs.listed(account=account, limit=limit)]


def _brief(run: Row, period: Row | None) -> dict[str, Any]:
    statement = Statement(**run["statement"]) if run["statement"] else None
    return {name: run[name] for name in RUN} | {
        "breaks": sum(run["counts"].get("breaks", {}).values()),
        "outstanding": run["counts"].get("outstanding", 0),
        "bank_difference_cents": statement.bank_difference_cents if statement else None,
        "ledger_difference_cents": statement.ledger_difference_cents if statement else None,
        "signed_by": period["reviewer"] if period is not None else None,
        "signed_at": period["signed_at"] if period is not None else None,
    }


def told(run: Row, statement: Statement) -> dict[str, Any]:
    """A statement with the figures that follow from it."""
    return statement.told() | {
        "adjusted_cents": statement.adjusted_cents,
        "bank_difference_cents": statement.bank_difference_cents,
        "ledger_difference_cents": statement.ledger_difference_cents,
        "equal": statement.equal,
        "cut_off": run["cut_off"],
    }


def show_run(
    rt: Runtime, run_id: int, *, since: date | None = None, matter: int | None = None, bill: int | None = None
) -> dict[str, Any] | None:
    """Everything a run says; of some days, one matter or one bill only what concerns it, decided with all else in view."""
    with rt.read() as work:
        run = work.runs.get(run_id)
        if run is None:
            return None
        found = show_run_in(work, run)
    for key, value in (("matter_id", matter), ("bill_id", bill)):
        if value is not None:
            found["breaks"] = [one for one in found["breaks"] if value in _named(one, key)]
            found["outstanding"] = [one for one in found["outstanding"] if one[key] == value]
    if since is not None:
        found["breaks"] = [one for one in found["breaks"] if _last_day(one) >= since]
        found["outstanding"] = [one for one in found["outstanding"] if one["on"] >= since]
    return found


def _last_day(said: dict[str, Any]) -> date:
    days: list[date] = [said["since"], *(line["on"] for line in said["movements"])]
    return max(days)


def show_run_in(work: Work, run: Row) -> dict[str, Any]:
    """`show_run`, in a transaction that is open already."""
    period = next((row for row in work.periods.signed(run["account"]) if row["run_id"] == run["id"]), None)
    return {
        "schema": SCHEMA,
        "run": _brief(run, period),
        "inputs": dict(run["inputs"]),
        "matches": dict(run["counts"].get("matches", {})),
        "statement": told(run, Statement(**run["statement"])) if run["statement"] else None,
        "breaks": breaks_of(work, run),
        "outstanding": [_line(row, run["cut_off"]) for row in work.pool.standing(run["id"], "outstanding")],
    }


def breaks_of(work: Work, run: Row) -> list[dict[str, Any]]:
    """What a run says does not fit, the worst first, each with its fingerprint and what follows from it."""
    under = work.differences.consequences([run["id"]])
    return [
        difference(work, run, row)
        | {"fingerprint": row["fingerprint"]}
        | {"consequences": [difference(work, run, one) for one in under.get((run["id"], row["fingerprint"]), ())]}
        for row in worst_first(work.differences.of_run(run["id"]))
    ]


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """Commingling before everything, whatever the amount (F67); then the most money."""
    return sorted(rows, key=lambda row: (BREAKS[row["kind"]].severity, -row["money_cents"], row["id"]))


def _named(said: dict[str, Any], key: str) -> set[int | None]:
    return {said.get(key), *(line[key] for line in said["movements"])}


def difference(work: Work, run: Row, row: Row) -> dict[str, Any]:
    lines = work.movements.rows_of(row["movement_ids"])
    kind = BREAKS[row["kind"]]
    return {
        "kind": row["kind"], "severity": kind.severity.name.lower(), "money_cents": row["money_cents"],
        "cause": row["cause"], "means": kind.meaning, "fix": kind.fix, "reference": row["reference"],
        "matter_id": row["matter_id"], "since": row["since"], "age_days": (run["cut_off"] - row["since"]).days,
        "candidates": list(row["candidates"]),
        "movements": [_line(line, run["cut_off"]) for _, line in sorted(lines.items())],
    }  # fmt: skip


def _line(row: Row, cut_off: date) -> dict[str, Any]:
    return {name: row[name] for name in LINE} | {"age_days": (cut_off - row["on"]).days}


def show_breaks(rt: Runtime, *, account: str | None, kind: str | None = None) -> list[dict[str, Any]]:
    """What stands now, the worst first, then the most money."""
    with rt.read() as work:
        rows = work.breaks.standing(account=account, kinds=(kind,) if kind else ())
        under = work.differences.consequences({row["run_id"] for row in rows})
    today = rt.local_date(rt.clock())
    listed = [
        {
            name: row[name]
            for name in ("id", "kind", "account", "state", "money_cents", "currency", "cause", "reference", "matter_id",
                         "since", "owner", "why", "cure_by", "run_id", "opened_at", "candidates", "movement_ids")
        }
        | {
            "severity": BREAKS[row["kind"]].severity.name.lower(),
            "fix": BREAKS[row["kind"]].fix,
            "age_days": (today - row["since"]).days,
            "overdue": row["cure_by"] is not None and row["cure_by"] < today,
            "consequences": [
                {name: one[name] for name in ("kind", "money_cents", "cause")}
                for one in under.get((row["run_id"], row["fingerprint"]), ())
            ],
        }
        for row in rows
    ]  # fmt: skip
    return sorted(listed, key=lambda one: (BREAKS[one["kind"]].severity, -one["money_cents"], one["id"]))


def show_diff(rt: Runtime, old: int, new: int) -> dict[str, Any] | None:
    """What a newer run says that an older did not, and the other way round; None when one of them is not there."""
    with rt.read() as work:
        before, after = work.runs.get(old), work.runs.get(new)
        if before is None or after is None:
            return None
        # Of matches that are let go nobody can say which of them the other run has not.
        kept = before["pruned_at"] is None and after["pruned_at"] is None
        was = {row["fingerprint"]: row for row in work.differences.of_run(old)}
        is_ = {row["fingerprint"]: row for row in work.differences.of_run(new)}
        return {
            "schema": SCHEMA,
            "old": _brief(before, None),
            "new": _brief(after, None),
            "inputs": _changes(before["inputs"], after["inputs"]),
            "statement": _changes(before["statement"] or {}, after["statement"] or {}),
            "breaks_gone": [difference(work, before, was[one]) for one in was if one not in is_],
            "breaks_new": [difference(work, after, is_[one]) for one in is_ if one not in was],
            "matches_kept": kept,
            "matches_gone": work.matches.only_in(old, new) if kept else [],
            "matches_new": work.matches.only_in(new, old) if kept else [],
        }


def _changes(was: dict[str, Any], is_: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"old": was.get(name), "new": is_.get(name)}
        for name in sorted(was.keys() | is_.keys())
        if was.get(name) != is_.get(name)
    }
