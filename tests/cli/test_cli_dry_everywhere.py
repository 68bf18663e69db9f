"""Every command that changes something can be tried first, or says here why not."""

from typing import Any

import pytest
import typer.main

from orchestrator.cli.app import app

READS = {"list", "verify", "unmapped", "deliveries", "lawpay", "mail", "show", "check", "budget", "would", "status", "doctor", "health"} | {
    "why", "accounts", "ledgers", "ledger", "draws", "holds", "breaks", "diff", "preview",
}  # fmt: skip
"""Verbs that only look; whatever they print, nothing is different afterwards."""

WHY_NOT = {
    "demo": "plays on a sandbox of its own",
    "sandbox": "is itself the stand-in for the outside",
    "backup": "copies our own database into a new file, and changes nothing else",
    "audit export": "writes our own record into a new file, and changes nothing else",
    "matters export": "writes our own table into a new file, and changes nothing else",
    "restore": "fills our own database from a file; what follows outside is decided by the recovery, at the next start",
    "reminders render": "writes letters with sample data into new files, and sends none",
    "reconcile report": "writes what a run says into new files, and changes nothing else",
    "reconcile run": "compares what is known and writes what it found; it moves and sends nothing, and can be repeated",
    "migrate": "changes our own schema only, and every process refuses to start before it",
    "connect clio": "a person agrees in a browser, step by step, and may close it",
}


def leaves(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    inside = getattr(command, "commands", {})
    if not inside:
        return [(path, command)]
    return [found for name, part in inside.items() for found in leaves(part, (*path, name))]


LEAVES = leaves(typer.main.get_command(app))


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=[" ".join(words) for words, _ in LEAVES])
def test_a_command_reads_or_can_be_tried_first_or_says_why_not(words, command):
    tried = any("--dry-run" in option.opts for option in command.params)
    ways = [words[-1] in READS, tried, " ".join(words) in WHY_NOT]
    assert sum(ways) == 1, f"`{' '.join(words)}` must be one of: a read, with --dry-run, or in WHY_NOT"


def test_no_reason_is_left_over():
    assert WHY_NOT.keys() <= {" ".join(words) for words, _ in LEAVES}
