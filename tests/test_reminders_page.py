"""docs/reminders.md keeps what it says: every reason for silence is in its table, in the order in which they are told."""

import re
from pathlib import Path

from orchestrator.domain.silence import HoldKind
from tests.domain.test_silence import ORDER

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "reminders.md").read_text("utf-8")


def test_every_reason_for_silence_is_in_its_table_and_no_other():
    rows = re.findall(
        r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", PAGE.partition("## Why nothing was sent")[2], flags=re.MULTILINE
    )
    told = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]
    assert sorted(told) == sorted(ORDER)


def test_every_kind_of_hold_is_named():
    kinds = PAGE.partition("The kinds are ")[2].partition(". ")[0]
    assert set(re.findall(r"`([a-z_]+)`", kinds)) == set(HoldKind)


def test_each_fault_of_others_has_its_test():
    there = PAGE.partition("## What reminders elsewhere got wrong")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| .*\|$", there, flags=re.MULTILINE)[1:]
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
    written = "".join(file.read_text("utf-8") for file in (TESTS / "journeys").glob("test_w8_*.py"))
    assert all("`test_" in row for row in rows)
    assert [name for name in sorted(named) if f"def {name}(" not in written] == []
